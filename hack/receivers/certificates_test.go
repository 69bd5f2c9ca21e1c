// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package receivers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/sinks"
	"github.com/metrics-apiserver/metrics-apiserver/hack/pki"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// A frontDoor is TLS in front of a receiver. It asks for the client's certificate,
// reads its own files at each handshake, and counts requests by the serial number of
// the certificate that they came with.
type frontDoor struct {
	*httptest.Server
	dir string

	mu       sync.Mutex
	requests map[string]int
}

func newFrontDoor(t *testing.T, to string) *frontDoor {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL = target }}
	d := &frontDoor{dir: t.TempDir(), requests: map[string]int{}}
	d.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		d.requests[r.TLS.PeerCertificates[0].SerialNumber.String()]++
		d.mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	d.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		pair, err := tls.LoadX509KeyPair(filepath.Join(d.dir, "server.crt"), filepath.Join(d.dir, "server.key"))
		if err != nil {
			return nil, err
		}
		authority, err := os.ReadFile(filepath.Join(d.dir, "clients.crt"))
		if err != nil {
			return nil, err
		}
		clients := x509.NewCertPool()
		clients.AppendCertsFromPEM(authority)
		return &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, MinVersion: tls.VersionTLS12}, nil
	}}
	d.StartTLS()
	t.Cleanup(d.Close)
	return d
}

// seen is how many requests came with a certificate.
func (d *frontDoor) seen(serial string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.requests[serial]
}

// accept has the door show a certificate of an authority, and take those that it
// issued.
func (d *frontDoor) accept(t *testing.T, authority *pki.CA) {
	t.Helper()
	if _, _, err := authority.WriteServer(d.dir, "server", "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(d.dir, "clients.crt"), authority.CertPEM())
}

// write replaces a file at once, as the kubelet does with a Secret's.
func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestCertificates ships through TLS with certificates on both sides while a thousand
// samples come every 20 ms. The client's certificate is renewed; then all of the
// receiver's are replaced by those of another authority, and some time later the
// client's. What is on disk is used without a restart, and no sample is lost.
func TestCertificates(t *testing.T) {
	t.Parallel()
	to := newPrometheus(t)
	door := newFrontDoor(t, to.write)
	files := t.TempDir()
	authorities := make([]*pki.CA, 2)
	for i := range authorities {
		var err error
		if authorities[i], err = pki.NewCA(t.TempDir(), fmt.Sprintf("authority-%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	// issue gives the sink a certificate and returns its serial number.
	issue := func(authority *pki.CA) string {
		cert, key, err := authority.Client("sink")
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		// Between the two, the pair does not fit, as it may happen to anybody.
		write(t, filepath.Join(files, "sink.key"), key)
		write(t, filepath.Join(files, "sink.crt"), cert)
		write(t, filepath.Join(files, "receiver.crt"), authority.CertPEM())
		return pair.Leaf.SerialNumber.String()
	}
	door.accept(t, authorities[0])
	first := issue(authorities[0])

	var block yaml.Node
	text := fmt.Sprintf(`- url: %s
  tls_config: {ca_file: receiver.crt, cert_file: sink.crt, key_file: sink.key}
  sources: [cadvisor]
  queue_directory: %s
  queue_config: {batch_send_deadline: 50ms, min_shards: 3, max_samples_per_send: 500, max_backoff: 200ms}
  write_relabel_configs: [{action: labeldrop, regex: instance|metrics_path|endpoint|service}]
`, door.URL, t.TempDir())
	if err := yaml.Unmarshal([]byte(text), &block); err != nil {
		t.Fatal(err)
	}
	set := sinks.NewSet(sinks.Options{
		Slots: 1, Dir: files, UserAgent: "metrics-apiserver/test", Instance: func(node string) string { return node + ":10250" },
	})
	if err := set.Apply(block.Content[0].Content, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- set.Run(ctx) }()

	receiver := set.Consumers()[0].Receiver("n1", series.Cadvisor)
	if chooser, ok := receiver.(series.Chooser); !ok || chooser.Generation() == 0 {
		t.Fatal("there is no sink")
	}
	f := &node{receiver: receiver, handles: map[string]series.Handle{}}
	began := storage.MillisOf(time.Now().Add(-time.Hour))
	want := map[string][]point{}
	scraped := 0
	scrape := func(times int) {
		for range times {
			for name, p := range f.scrape("n1", scraped, began) {
				want[name] = append(want[name], p)
			}
			scraped++
			time.Sleep(20 * time.Millisecond)
		}
	}
	// uses waits, shipping, until requests come with a certificate.
	uses := func(serial string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); door.seen(serial) < 3; scrape(1) {
			if time.Now().After(deadline) {
				t.Fatalf("no request comes with the new certificate: %+v", set.States()[0])
			}
		}
		scrape(10)
	}
	uses(first)
	second := issue(authorities[0])
	uses(second)
	if failure := set.States()[0].Sender.Failure; failure != "" {
		t.Errorf("the client's certificate was renewed: %s", failure)
	}

	door.accept(t, authorities[1])
	door.CloseClientConnections()
	scrape(25)
	if set.States()[0].Sender.Failure == "" {
		t.Error("a receiver whose certificate nobody here knows is believed")
	}
	third := issue(authorities[1])
	uses(third)

	waitFor(t, func() bool { s := set.States()[0]; return s.Pending == 0 && s.Queue.Records == 0 })
	state := set.States()[0]
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if state.Sender.Sent != state.Accepted || state.OutOfOrder != 0 || state.Overrun != 0 {
		t.Errorf("%+v", state)
	}
	compare(t, to.read(t), want)
	t.Logf("%d scrapes; requests with each certificate: %d, %d, %d; %d repeated", scraped, door.seen(first), door.seen(second), door.seen(third), state.Sender.Retries)
}

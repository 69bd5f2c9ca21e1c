// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
)

// leaseBound is the longest that a replica which is killed leaves nobody shipping:
// the Lease's 15 s, and the batch deadline of 5 s.
const leaseBound = 20 * time.Second

// TestHandover has two servers of which one ships to a Prometheus, with the rights
// of the manifests: one ends, and then the other is killed.
func TestHandover(t *testing.T) {
	inLane(t, simulatedLane)
	if _, err := exec.LookPath("prometheus"); err != nil {
		t.Skip("prometheus is not installed: apt-get install prometheus")
	}
	s := prepareSite(t, cluster.Minors[0], 3)
	receiver := startPrometheus(t)
	manifest, err := s.Kubectl(t.Context(), "kustomize", filepath.Join(repository(t), "hack", "manifests", "testdata", "remote-write"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), []byte(onlyRBAC(manifest)+"\n---\n"+only(manifest, "kind: Lease\n"))); err != nil {
		t.Fatal(err)
	}
	a, b := s.shipper("shipper-a", receiver), s.shipper("shipper-b", receiver)
	a.start(t)
	eventually(t, time.Minute, "a ships", a.delivers)
	b.start(t)
	eventually(t, time.Minute, "b stands by", b.standsBy)
	receiver.await(t, 30*time.Second, time.Now())

	began := time.Now()
	if err := s.StopComponent(t.Context(), a.name); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "b ships", b.delivers)
	receiver.await(t, 30*time.Second, time.Now())
	if gap := receiver.gap(t, began.Add(-2*resolution)); gap > resolution+2*time.Second {
		t.Errorf("a clean handover: nothing for %v, scraping every %v", gap, resolution)
	}
	if state := b.state(t); state.Dropped["rejected"]+state.Dropped["ambiguous"]+state.Dropped["handover"] != 0 {
		t.Errorf("a clean handover: %+v", state)
	}

	if err := s.StartComponent(t.Context(), a.name); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "a stands by", a.standsBy)
	receiver.await(t, 30*time.Second, time.Now().Add(resolution/2))
	began = time.Now()
	if err := s.KillComponent(b.name); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "a ships", a.delivers)
	receiver.await(t, 30*time.Second, time.Now())
	gap := receiver.gap(t, began.Add(-2*resolution))
	state := a.state(t)
	t.Logf("after a kill: nothing for %v; %+v", gap, state)
	if gap > leaseBound+resolution+2*time.Second {
		t.Errorf("after a kill: nothing for %v, more than %v", gap, leaseBound)
	}
	if state.Dropped["handover"] == 0 || state.Dropped["rejected"]+state.Dropped["ambiguous"] != 0 {
		t.Errorf("after a kill: %+v", state)
	}
}

// only is the documents of a manifest that have a line.
func only(manifest, line string) string {
	var kept []string
	for document := range strings.SplitSeq(manifest, "\n---\n") {
		if strings.Contains(document, line) {
			kept = append(kept, document)
		}
	}
	return strings.Join(kept, "\n---\n")
}

// A shipper is a server that nobody is sent to.
type shipper struct {
	*site
	name   string
	argv   []string
	client *http.Client
	url    string
}

// shipper prepares a server that ships to a receiver.
func (s *site) shipper(name string, to *prometheus) *shipper {
	t := s.t
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf("apiVersion: metrics-apiserver/v1alpha1\nkind: Configuration\nremoteWrite:\n- {url: '%s/api/v1/write', name: long, queue_directory: %s}\n", to.url, filepath.Join(dir, "queue"))
	authority := filepath.Join(dir, "kubelet-ca.crt")
	for file, content := range map[string][]byte{config: []byte(text), authority: s.authority.PEM} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kubeconfig, err := s.ClientKubeconfig("system:serviceaccount:kube-system:metrics-server", "system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated")
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	out := &shipper{site: s, name: name, url: fmt.Sprintf("https://127.0.0.1:%d", port), argv: []string{
		serverBinary(t), "--kubeconfig=" + kubeconfig, "--bind-address=127.0.0.1", "--secure-port=" + strconv.Itoa(port),
		"--cert-dir=" + dir, "--metric-resolution=" + resolution.String(), "--kubelet-request-timeout=5s", "--kubelet-use-node-status-port",
		"--kubelet-preferred-address-types=InternalIP", "--kubelet-certificate-authority=" + authority,
		"--config=" + config, "--remote-write-lease=kube-system/metrics-server-remote-write",
	}}
	direct := rest.CopyConfig(s.config)
	direct.Host, direct.Timeout = out.url, 5*time.Second
	direct.TLSClientConfig.Insecure, direct.TLSClientConfig.CAData, direct.TLSClientConfig.CAFile = true, nil, ""
	if out.client, err = rest.HTTPClientFor(direct); err != nil {
		t.Fatal(err)
	}
	return out
}

func (s *shipper) start(t *testing.T) {
	t.Helper()
	if err := s.Add(t.Context(), cluster.Component{Name: s.name, Argv: s.argv}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			s.showLog(s.name)
		}
	})
}

// A sinkState is what /debug/remote-write says of a sink, as far as it is looked at.
type sinkState struct {
	Paused          bool             `json:"paused"`
	Held            bool             `json:"held"`
	SentSamples     int64            `json:"sentSamples"`
	Dropped         map[string]int64 `json:"droppedSamples"`
	NewestDelivered *time.Time       `json:"newestDelivered"`
}

func (s *shipper) states(ctx context.Context) ([]sinkState, error) {
	body, err := fetch(ctx, s.client, s.url+"/debug/remote-write")
	if err != nil {
		return nil, err
	}
	var states []sinkState
	err = json.Unmarshal(body, &states)
	return states, err
}

func (s *shipper) state(t *testing.T) sinkState {
	t.Helper()
	states, err := s.states(t.Context())
	if err != nil || len(states) != 1 {
		t.Fatalf("%d sinks, %v", len(states), err)
	}
	return states[0]
}

// delivers is nil where the server ships.
func (s *shipper) delivers(ctx context.Context) error {
	states, err := s.states(ctx)
	if err == nil && (len(states) != 1 || states[0].Paused || states[0].SentSamples == 0) {
		err = fmt.Errorf("%+v", states)
	}
	return err
}

// standsBy is nil where the server has said that it is ready, and does not ship.
func (s *shipper) standsBy(ctx context.Context) error {
	if _, err := fetch(ctx, s.client, s.url+"/readyz"); err != nil {
		return err
	}
	states, err := s.states(ctx)
	if err == nil && (len(states) != 1 || !states[0].Paused || states[0].SentSamples != 0) {
		err = fmt.Errorf("%+v", states)
	}
	return err
}

func fetch(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", address, response.Status, body)
	}
	return body, err
}

// A prometheus is a real one that takes remote-write of 1.0 or 2.0.
type prometheus struct{ url string }

// startPrometheus starts one that ends with the test.
func startPrometheus(t *testing.T) *prometheus {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte("global: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("prometheus", "--config.file="+config, "--web.listen-address="+address,
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.enable-remote-write-receiver")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		log.Close()
	})
	p := &prometheus{url: "http://" + address}
	eventually(t, time.Minute, "prometheus is ready", func(ctx context.Context) error {
		_, err := fetch(ctx, http.DefaultClient, p.url+"/-/ready")
		return err
	})
	return p
}

// times is when the nodes' memory was said, in order, by node.
func (p *prometheus) times(ctx context.Context) (map[string][]time.Time, error) {
	query := url.Values{"query": {"node_memory_working_set_bytes[10m]"}}
	body, err := fetch(ctx, http.DefaultClient, p.url+"/api/v1/query?"+query.Encode())
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	all := map[string][]time.Time{}
	for _, s := range answer.Data.Result {
		for _, pair := range s.Values {
			seconds, ok := pair[0].(float64)
			if !ok {
				return nil, fmt.Errorf("a sample is %v", pair)
			}
			all[s.Metric["node"]] = append(all[s.Metric["node"]], time.UnixMilli(int64(seconds*1000)))
		}
	}
	return all, nil
}

// await waits until every node has a sample from after the given time.
func (p *prometheus) await(t *testing.T, timeout time.Duration, at time.Time) {
	t.Helper()
	eventually(t, timeout+time.Until(at), "all nodes have newer samples", func(ctx context.Context) error {
		all, err := p.times(ctx)
		if err != nil {
			return err
		}
		newer := 0
		for _, times := range all {
			if times[len(times)-1].After(at) {
				newer++
			}
		}
		if newer != 3 {
			return fmt.Errorf("%d of 3", newer)
		}
		return nil
	})
}

// gap is the longest time between two samples of a node since the given one.
func (p *prometheus) gap(t *testing.T, since time.Time) (longest time.Duration) {
	t.Helper()
	all, err := p.times(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, times := range all {
		times = slices.DeleteFunc(times, func(at time.Time) bool { return at.Before(since) })
		for i := 1; i < len(times); i++ {
			longest = max(longest, times[i].Sub(times[i-1]))
		}
	}
	return longest
}

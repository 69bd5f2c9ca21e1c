// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient_test

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
)

func TestTLSVerification(t *testing.T) {
	ours, foreign := kubelettest.NewAuthority(t), kubelettest.NewAuthority(t)
	tests := map[string]struct {
		authority *kubelettest.Authority
		validity  time.Duration
		names     []string
		insecure  bool
		want      string // in the error; empty is success
	}{
		"address":                    {ours, time.Hour, []string{"127.0.0.1"}, false, ""},
		"address among others":       {ours, time.Hour, []string{"node-9", "127.0.0.1"}, false, ""},
		"node's name only":           {ours, time.Hour, []string{"node-1"}, false, ""},
		"other address":              {ours, time.Hour, []string{"127.0.0.2"}, false, "neither for the address nor"},
		"other node's name":          {ours, time.Hour, []string{"node-2"}, false, "neither for the address nor"},
		"no name at all":             {ours, time.Hour, nil, false, "neither for the address nor"},
		"expired":                    {ours, -time.Hour, []string{"127.0.0.1"}, false, "expired"},
		"expired, node's name":       {ours, -time.Hour, []string{"node-1"}, false, "expired"},
		"foreign authority":          {foreign, time.Hour, []string{"127.0.0.1"}, false, "unknown authority"},
		"foreign authority and name": {foreign, time.Hour, []string{"node-1"}, false, "unknown authority"},
		"insecure, foreign":          {foreign, -time.Hour, []string{"node-2"}, true, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			k := kubelettest.NewServer(t, kubelettest.Options{Authority: ours}).Start("node-1", "")
			k.SetCertificate(test.authority.Serving(t, test.validity, test.names...))
			config := config(ours)
			if test.insecure {
				config = nodeclient.Access{InsecureTLS: true}.Config(config)
			}
			config.BearerToken = "secret"
			client := newClient(t, nodeclient.Options{Config: config})
			_, err := get(t, connect(t, client, k))
			if test.want == "" {
				if err != nil {
					t.Fatalf("got %v", err)
				}
				if got := client.Counts().Unverified > 0; got != test.insecure {
					t.Errorf("counted as unverified: %v", got)
				}
				return
			}
			wantReason(t, err, nodeclient.ReasonTLS)
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, want it to contain %q", err, test.want)
			}
			if k.LastRequest() != nil {
				t.Error("a request reached a server that nobody verified")
			}
		})
	}
}

func TestClientCertificateIsUsedAndRotated(t *testing.T) {
	authority, clients := kubelettest.NewAuthority(t), kubelettest.NewAuthority(t)
	k := kubelettest.NewServer(t, kubelettest.Options{Authority: authority, ClientAuthority: clients}).Start("node-1", "")
	dir := t.TempDir()
	swap := func(user string) (cert, key string) {
		certPEM, keyPEM := clients.Client(t, user)
		return writeFile(t, dir, "tls.crt", certPEM), writeFile(t, dir, "tls.key", keyPEM)
	}
	config := config(authority)
	config.CertFile, config.KeyFile = swap("first")
	client := newClient(t, nodeclient.Options{Config: config, ReloadInterval: time.Nanosecond})
	conn := connect(t, client, k)
	user := func() string {
		mustGet(t, conn)
		return k.LastRequest().TLS.PeerCertificates[0].Subject.CommonName
	}
	if got := user(); got != "first" {
		t.Fatalf("user: got %q", got)
	}
	// Half a swap is no reason to fail: the old pair stays.
	certPEM, _ := clients.Client(t, "half")
	writeFile(t, dir, "tls.crt", certPEM)
	if got := user(); got != "first" {
		t.Errorf("user in the middle of a swap: got %q", got)
	}
	if client.Counts().ReloadsFailed == 0 {
		t.Error("the half swap was not counted")
	}
	swap("second")
	if got := user(); got != "second" {
		t.Errorf("user after the swap: got %q", got)
	}
	if got := client.Counts().Reloads; got != 1 {
		t.Errorf("reloads: got %d, want 1", got)
	}
	if open, opened := k.Connections(); open != 1 || opened != 2 {
		t.Errorf("connections: %d open, %d opened; want 1 and 2", open, opened)
	}

	without := connect(t, newClient(t, nodeclient.Options{Config: &rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: authority.PEM}}}), k)
	if _, err := get(t, without); err == nil {
		t.Error("the kubelet answered without a client certificate")
	}
}

func TestAuthorityIsReloaded(t *testing.T) {
	old, next := kubelettest.NewAuthority(t), kubelettest.NewAuthority(t)
	k := kubelettest.NewServer(t, kubelettest.Options{Authority: old}).Start("node-1", "")
	dir := t.TempDir()
	file := writeFile(t, dir, "ca.crt", old.PEM)
	client := newClient(t, nodeclient.Options{
		Config:         &rest.Config{TLSClientConfig: rest.TLSClientConfig{CAFile: file}},
		ReloadInterval: time.Nanosecond,
	})
	conn := connect(t, client, k)
	mustGet(t, conn)

	// The old authority is dropped: the connection it vouched for goes too.
	writeFile(t, dir, "ca.crt", next.PEM)
	_, err := get(t, conn)
	wantReason(t, err, nodeclient.ReasonTLS)
	k.SetCertificate(next.Serving(t, time.Hour, k.Host))
	mustGet(t, conn)

	// A bundle that vanishes or breaks changes nothing.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	mustGet(t, conn)
	writeFile(t, dir, "ca.crt", []byte("no certificate"))
	mustGet(t, conn)
}

func TestBadCertificateFilesAreAnErrorAtStart(t *testing.T) {
	dir := t.TempDir()
	for name, tls := range map[string]rest.TLSClientConfig{
		"no such bundle":  {CAFile: dir + "/none"},
		"empty bundle":    {CAFile: writeFile(t, dir, "empty", nil)},
		"broken bundle":   {CAData: []byte("no certificate")},
		"cert, no key":    {CertData: []byte("x")},
		"CA and insecure": {CAData: kubelettest.NewAuthority(t).PEM, Insecure: true},
		"no such keypair": {CertFile: dir + "/none", KeyFile: dir + "/none"},
	} {
		if _, err := nodeclient.New(nodeclient.Options{Config: &rest.Config{TLSClientConfig: tls}}); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func TestTokenIsSentAndRotated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		authority, network := kubelettest.NewAuthority(t), kubelettest.NewNetwork()
		k := kubelettest.NewServer(t, kubelettest.Options{Authority: authority, Network: network}).Start("node-1", "node-1")
		dir := t.TempDir()
		config := config(authority)
		config.BearerTokenFile = writeFile(t, dir, "token", []byte("first\n"))
		conn := connect(t, newClient(t, nodeclient.Options{Config: config, Dial: network.Dial}), k)
		mustGet(t, conn)
		if got := k.LastRequest().Header.Get("Authorization"); got != "Bearer first" {
			t.Errorf("got %q", got)
		}
		writeFile(t, dir, "token", []byte("second\n"))
		time.Sleep(time.Minute)
		mustGet(t, conn)
		if got := k.LastRequest().Header.Get("Authorization"); got != "Bearer second" {
			t.Errorf("a minute after the rotation: got %q", got)
		}
	})
}

func TestNoCredentialsOverPlainHTTP(t *testing.T) {
	k := kubelettest.NewServer(t, kubelettest.Options{}).Start("node-1", "")
	endpoint := nodeclient.Endpoint{Node: k.Name, Scheme: "http", Hosts: []string{k.Host}, Port: k.Port}
	base := &rest.Config{BearerToken: "secret"}
	conn := newClient(t, nodeclient.Options{Config: base}).Conn(endpoint)
	_, err := get(t, conn)
	wantReason(t, err, nodeclient.ReasonCredentials)

	anonymous := newClient(t, nodeclient.Options{Config: nodeclient.Access{CompletelyInsecure: true}.Config(base)}).Conn(endpoint)
	defer anonymous.Close()
	mustGet(t, anonymous)
	if got := k.LastRequest().Header.Get("Authorization"); got != "" {
		t.Errorf("a token went over plain http: %q", got)
	}
}

func TestRedirectIsAFailureAndGetsNoCredentials(t *testing.T) {
	authority := kubelettest.NewAuthority(t)
	server := kubelettest.NewServer(t, kubelettest.Options{Authority: authority})
	canary, k := server.Start("canary", ""), server.Start("node-1", "")
	config := config(authority)
	config.BearerToken = "secret"
	conn := connect(t, newClient(t, nodeclient.Options{Config: config}), k)
	k.SetFault(kubelettest.Fault{Redirect: "https://" + canary.Address() + path})
	_, err := get(t, conn)
	if canary.LastRequest() != nil {
		t.Errorf("the redirect was followed, with %q", canary.LastRequest().Header)
	}
	wantReason(t, err, nodeclient.ReasonRedirect)
}

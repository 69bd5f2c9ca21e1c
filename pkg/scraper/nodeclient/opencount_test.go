// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"context"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
)

// TestOpenIsCounted holds that whatever becomes of connections, those that are counted
// are those that are open.
func TestOpenIsCounted(t *testing.T) {
	authority := kubelettest.NewAuthority(t)
	server := kubelettest.NewServer(t, kubelettest.Options{Authority: authority})
	client, err := New(Options{Config: &rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: authority.PEM}}, MaxConnections: 100})
	if err != nil {
		t.Fatal(err)
	}
	k := server.Start("a", "")
	endpoint := Endpoint{Node: "a", Scheme: "https", Hosts: []string{k.Host}, Port: k.Port}
	conn := client.Conn(endpoint)
	want := func(when string, ok bool, open int64) {
		t.Helper()
		// The timeout is only there so that a bug does not hang.
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		answer, err := conn.Get(ctx, "/metrics/resource", "")
		if err == nil {
			answer.Release()
		}
		if got := client.open.count.Load(); (err == nil) != ok || got != open {
			t.Errorf("%s: %v, and %d are counted, want %d", when, err, got, open)
		}
	}
	want("at first", true, 1)
	want("kept", true, 1)
	k.Stop()
	k.Resume()
	want("closed by the node meanwhile", true, 1)
	k.SetFault(kubelettest.Fault{CutAfter: 10})
	want("broken", false, 0)
	k.SetFault(kubelettest.Fault{})
	want("whole again", true, 1)
	conn.SetEndpoint(Endpoint{Node: "b", Scheme: "https", Hosts: []string{k.Host}, Port: 1})
	want("nobody there", false, 0)
	conn.SetEndpoint(endpoint)
	k.SetCertificate(kubelettest.NewAuthority(t).Serving(t, time.Hour, k.Host))
	want("a stranger's certificate", false, 0)
	k.SetCertificate(authority.Serving(t, time.Hour, k.Host))
	want("its own again", true, 1)
	conn.Close()
	conn.Close()
	if got := client.open.count.Load(); got != 0 {
		t.Errorf("%d are counted at the end", got)
	}
}

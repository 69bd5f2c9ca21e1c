// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
)

// TestOpenIsCounted holds that whatever becomes of connections, those that are counted
// are those that are open.
func TestOpenIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		authority, network := kubelettest.NewAuthority(t), kubelettest.NewNetwork()
		server := kubelettest.NewServer(t, kubelettest.Options{Authority: authority, Network: network})
		client, err := New(Options{Config: &rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: authority.PEM}}, Dial: network.Dial, MaxConnections: 100})
		if err != nil {
			t.Fatal(err)
		}
		k := server.Start("a", "a")
		endpoint := Endpoint{Node: "a", Scheme: "https", Hosts: []string{"a"}, Port: k.Port}
		conn := client.Conn(endpoint)
		want := func(when string, ok bool, open int64) {
			t.Helper()
			answer, err := conn.Get(context.Background(), "/metrics/resource", "")
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
		conn.SetEndpoint(Endpoint{Node: "b", Scheme: "https", Hosts: []string{"b"}, Port: k.Port})
		want("nobody there", false, 0)
		conn.SetEndpoint(endpoint)
		k.SetCertificate(kubelettest.NewAuthority(t).Serving(t, time.Hour, "a"))
		want("a stranger's certificate", false, 0)
		k.SetCertificate(authority.Serving(t, time.Hour, "a"))
		want("its own again", true, 1)
		conn.Close()
		conn.Close()
		if got := client.open.count.Load(); got != 0 {
			t.Errorf("%d are counted at the end", got)
		}
		k.Stop()
	})
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/hack/pki"
)

// testFrontProxyCA gives the front proxy's CA a successor, where kube-apiserver
// publishes it, and takes it away again: who shows a certificate of it is believed
// as long as it is there, and our server does not restart for that.
func testFrontProxyCA(t *testing.T, s *site) {
	next, err := pki.NewCA(t.TempDir(), "front-proxy-ca-2")
	if err != nil {
		t.Fatal(err)
	}
	proxy := newAsker(t, next.Client, cluster.FrontProxyUser)
	proxy.header = http.Header{"X-Remote-User": {"somebody"}, "X-Remote-Group": {"system:masters"}}
	url := fmt.Sprintf("https://127.0.0.1:%d/apis/metrics.k8s.io/v1/nodes", s.port)
	// publish writes what becomes of the bundle, and waits until it has its effect.
	publish := func(change func(bundle string) string, what string, want int) {
		t.Helper()
		maps := s.client.CoreV1().ConfigMaps(metav1.NamespaceSystem)
		err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
			published, err := maps.Get(t.Context(), "extension-apiserver-authentication", metav1.GetOptions{})
			if err != nil {
				return err
			}
			const key = "requestheader-client-ca-file"
			published.Data[key] = change(published.Data[key])
			_, err = maps.Update(t.Context(), published, metav1.UpdateOptions{})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, 20*time.Second, what, func(context.Context) error {
			if status := proxy.ask(t, http.MethodGet, url); status != want {
				return fmt.Errorf("it is answered %d, want %d", status, want)
			}
			return nil
		})
	}
	if status := proxy.ask(t, http.MethodGet, url); status != http.StatusUnauthorized {
		t.Fatalf("a front proxy whose CA nobody has published is answered %d, want 401", status)
	}
	pid, before := s.Pid(serverName), ""
	publish(func(bundle string) string {
		before = bundle
		return bundle + string(next.CertPEM())
	}, "a front proxy of the next CA is believed", http.StatusOK)
	publish(func(string) string { return before }, "one whose CA has gone is not", http.StatusUnauthorized)
	if s.Pid(serverName) != pid {
		t.Error("our server was restarted")
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	genericapiserver "k8s.io/apiserver/pkg/server"
)

// TestNoRetryAfter: who asks for a metric while too many do, or while the server
// ends, is not told to wait; for other paths the header stays.
func TestNoRetryAfter(t *testing.T) {
	const custom, external, other = customV1beta2 + "/namespaces/shop/pods/*/x", externalV1beta1 + "/namespaces/shop/sales", "/apis/metrics.k8s.io/v1beta1/nodes"
	t.Run("too many", func(t *testing.T) {
		f := newFake()
		var asked sync.WaitGroup
		asked.Add(1)
		enough := make(chan struct{})
		f.custom = func(context.Context, *Query, *Answer) error {
			asked.Done()
			<-enough
			return NotFoundf("none")
		}
		handler := newServerWith(t, f, f, &gate{silent: true}, func(config *genericapiserver.Config) { config.MaxRequestsInFlight = 1 }).Handler
		listening := httptest.NewServer(handler)
		defer listening.Close()
		var first sync.WaitGroup
		first.Go(func() { ask(t, listening.URL+custom) })
		asked.Wait()
		for path, want := range map[string]string{custom: "", external: "", other: "1"} {
			if code, after := ask(t, listening.URL+path); code != http.StatusTooManyRequests || after != want {
				t.Errorf("%s: %d, %q", path, code, after)
			}
		}
		close(enough)
		first.Wait()
	})
	t.Run("the server ends", func(t *testing.T) {
		f := newFake()
		server := newServerWith(t, f, f, &gate{silent: true}, func(*genericapiserver.Config) {})
		server.NonLongRunningRequestWaitGroup.Wait() // From here on it takes no more.
		listening := httptest.NewServer(server.Handler)
		defer listening.Close()
		for path, want := range map[string]string{custom: "", external: "", other: "1"} {
			if code, after := ask(t, listening.URL+path); code != http.StatusServiceUnavailable || after != want {
				t.Errorf("%s: %d, %q", path, code, after)
			}
		}
	})
}

// ask asks as somebody, and returns the code and Retry-After.
func ask(t *testing.T, url string) (code int, retryAfter string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("hpa", "")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode, response.Header.Get("Retry-After")
}

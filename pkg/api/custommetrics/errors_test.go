// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// TestProviderErrors holds what of a provider's errors a client sees, and, by the
// endpoint's own check, that none says Retry-After.
func TestProviderErrors(t *testing.T) {
	f := newFake()
	server := serve(t, f)
	for _, c := range []struct {
		err     error
		code    int
		message string
	}{
		{&NotFound{Message: "no value of metric x: 100% of 3 pods are stale"}, 404, "no value of metric x: 100% of 3 pods are stale"},
		{fmt.Errorf("ask: %w", &NotFound{Message: "why"}), 404, "why"},
		{errors.New("the cluster's pods have not been listed yet"), 503, "the cluster's pods have not been listed yet"},
		{fmt.Errorf("query: %w", context.DeadlineExceeded), 503, "no answer within 2s"},
		{apierrors.NewServiceUnavailable("soon"), 503, "soon"},
		{fmt.Errorf("ask: %w", apierrors.NewTooManyRequests("later", 30)), 429, "later"},
		{apierrors.NewTimeoutError("too slow", 7), 504, "Timeout: too slow"},
		// No error, and no values, which is against the contract.
		{nil, 404, ""},
	} {
		f.custom = func(_ context.Context, _ *Query, a *Answer) error {
			a.Values = append(a.Values, Value{Name: "half of an answer"})
			if c.err == nil {
				a.Values = a.Values[:0]
			}
			return c.err
		}
		f.external = func(context.Context, *ExternalQuery) ([]ExternalValue, error) { return nil, c.err }
		for path, none := range map[string]string{
			customV1beta1 + "/namespaces/shop/pods/*/requests_per_second":     "no value of metric requests_per_second for pods * in namespace shop",
			customV1beta2 + "/namespaces/shop/pods/web-0/requests_per_second": "no value of metric requests_per_second for pods web-0 in namespace shop",
			externalV1beta1 + "/namespaces/shop/sales?labelSelector=a%3Db":    `no value of external metric sales in namespace shop with selector "a=b"`,
		} {
			want := c.message
			if c.err == nil {
				want = none
			}
			got := server.get(path, asJSON)
			if message := checkStatus(t, got); got.code != c.code || message != want {
				t.Errorf("%v: %d %q, want %d %q", c.err, got.code, message, c.code, want)
			}
			for _, accept := range []string{asHPA, "application/yaml", "application/json;as=Table;g=meta.k8s.io;v=v1"} {
				if got := server.get(path, accept); got.code != c.code {
					t.Errorf("%v as %s: %d", c.err, accept, got.code)
				}
			}
		}
	}
	f.custom = manyPods(2)
	if got := server.get(customV1beta2+"/namespaces/shop/pods/web-0/requests_per_second", asJSON); got.code != http.StatusInternalServerError {
		t.Errorf("two values of one pod: %d %s", got.code, got.body)
	}
}

// TestDeadline: a provider that takes too long is told so, and so is the client.
func TestDeadline(t *testing.T) {
	f := newFake()
	f.custom = func(ctx context.Context, _ *Query, _ *Answer) error {
		<-ctx.Done()
		return fmt.Errorf("wait for values: %w", context.Cause(ctx))
	}
	f.external = func(ctx context.Context, _ *ExternalQuery) ([]ExternalValue, error) {
		return nil, f.custom(ctx, nil, nil)
	}
	handler := newServer(t, f, f, nil).Handler
	synctest.Test(t, func(t *testing.T) {
		for _, path := range []string{customV1beta2 + "/nodes/*/load", externalV1beta1 + "/namespaces/shop/sales"} {
			began := time.Now()
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
			if recorder.Code != http.StatusServiceUnavailable || time.Since(began) != maxWait || recorder.Header().Get("Retry-After") != "" {
				t.Errorf("%s: %d after %s: %s", path, recorder.Code, time.Since(began), recorder.Body)
			}
		}
	})
}

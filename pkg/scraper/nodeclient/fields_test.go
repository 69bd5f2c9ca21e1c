// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"context"
	"net/http"
	"testing"
	"time"

	"k8s.io/client-go/transport"
	"k8s.io/klog/v2"
)

func TestFieldsAreSharedForASecond(t *testing.T) {
	f, err := newRequestFields(&transport.Config{BearerToken: "secret"}, http.Header{"Accept": {"text/plain"}})
	if err != nil {
		t.Fatal(err)
	}
	get := func(now time.Time) *encodedFields {
		t.Helper()
		fields, err := f.get(t.Context(), now)
		if err != nil {
			t.Fatal(err)
		}
		return fields
	}
	now := time.Now()
	first := get(now)
	if got, want := string(first.text), "User-Agent: Go-http-client/1.1\r\nAccept: text/plain\r\nAuthorization: Bearer secret\r\n\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if get(now.Add(fieldsLife-1)) != first {
		t.Error("the wrappers were asked again within the second")
	}
	second := get(now.Add(fieldsLife))
	if second == first {
		t.Error("the wrappers were not asked again after a second")
	}
	f.refused(first)
	if get(now.Add(fieldsLife)) != second {
		t.Error("the wrappers were asked again because of fields that are no longer sent")
	}
	f.refused(second)
	if get(now.Add(fieldsLife)) == second {
		t.Error("the wrappers were not asked again after a refusal")
	}
}

// TestFieldsAreNotWaitedFor: while one asks, as from a slow disk, the others
// send what there is.
func TestFieldsAreNotWaitedFor(t *testing.T) {
	f, err := newRequestFields(&transport.Config{}, http.Header{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	first, err := f.get(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if got, err := f.get(t.Context(), now.Add(time.Hour)); got != first || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestWhoSeesEachRequest(t *testing.T) {
	wrap := func(inner http.RoundTripper) http.RoundTripper { return inner }
	static := &transport.Config{BearerToken: "secret", UserAgent: "agent", Impersonate: transport.ImpersonationConfig{UserName: "someone"}}
	if wrappersSeeEach(static) {
		t.Error("client-go's own wrappers would be asked for each request")
	}
	if !wrappersSeeEach(&transport.Config{WrapTransport: wrap}) {
		t.Error("a foreign wrapper would not see each request")
	}
	var verbosity klog.Level
	if err := verbosity.Set("6"); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = verbosity.Set("0") }()
	if !wrappersSeeEach(static) {
		t.Error("requests would not be logged")
	}
}

// BenchmarkFields is what asking the wrappers once a second costs.
func BenchmarkFields(b *testing.B) {
	f, err := newRequestFields(&transport.Config{BearerToken: "secret", UserAgent: "metrics-apiserver/v0"}, http.Header{"Accept": {"text/plain"}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.ask(context.Background(), time.Time{}); err != nil {
			b.Fatal(err)
		}
	}
}

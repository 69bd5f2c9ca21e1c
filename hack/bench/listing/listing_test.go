// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package listing

import (
	"bytes"
	"compress/gzip"
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestRequests holds what a request says, and that a compressed answer comes
// back plain.
func TestRequests(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.ProtoMajor != 2 || r.Header.Get("X-Remote-User") != "someone" || !slices.Equal(r.Header["X-Remote-Group"], []string{"a", "b"}) {
			t.Errorf("%s with %v", r.Proto, r.Header)
		}
		if r.URL.Path == "/denied" {
			http.Error(w, "you may not", http.StatusForbidden)
			return
		}
		if r.Header.Get("Accept-Encoding") != "gzip" {
			_, _ = w.Write([]byte(r.Header.Get("Accept")))
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(bytes.Repeat([]byte("x"), 1000))
		_ = z.Close()
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	c := New(server.URL, Identity{}.As("someone", "a", "b"))
	defer c.Close()

	body, result, err := c.Fetch(t.Context(), Request{Path: "/", Encoding: JSON})
	if err != nil || string(body) != string(JSON) || result.Bytes != int64(len(body)) || result.Time() <= 0 {
		t.Errorf("%q, %+v, %v", body, result, err)
	}
	body, result, err = c.Fetch(t.Context(), Request{Path: "/", Encoding: JSON, Gzip: true})
	if err != nil || len(body) != 1000 || result.Bytes > 100 {
		t.Errorf("%q, %+v, %v", body, result, err)
	}
	if _, err := c.Do(t.Context(), Request{Path: "/denied"}); err == nil || !strings.Contains(err.Error(), "you may not") {
		t.Errorf("denied with %v", err)
	}
	asked.Store(0)
	times, size, err := OneByOne(t.Context(), c, Request{Path: "/", Encoding: JSON}, 7, time.Minute)
	if err != nil || len(times) != 7 || !slices.IsSorted(times) || size != int64(len(JSON)) || asked.Load() != 8 {
		t.Errorf("%v, %d, %v after %d", times, size, err, asked.Load())
	}
	if times, err = Together(t.Context(), []*Client{c, c, c}, Request{Path: "/"}, 2); err != nil || len(times) != 6 {
		t.Errorf("%v, %v", times, err)
	}
	if _, err = Together(t.Context(), []*Client{c}, Request{Path: "/denied"}, 2); err == nil {
		t.Error("no error for what is denied")
	}
	if rate, err := Rate(context.WithoutCancel(t.Context()), []*Client{c, c}, Request{Path: "/"}, 50*time.Millisecond); err != nil || rate <= 0 {
		t.Errorf("%v, %v", rate, err)
	}
}

// TestQuantile holds the ends.
func TestQuantile(t *testing.T) {
	times := []time.Duration{1, 2, 3, 4}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 3, 0.99: 4, 1: 4} {
		if got := Quantile(times, q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := Quantile(nil, 0.5); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

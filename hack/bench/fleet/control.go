// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/world"
)

// Counters is what was asked of the kubelets since the start.
type Counters struct {
	// Resource, Summary and Cadvisor are the requests, by document.
	Resource, Summary, Cadvisor int64
	// Bytes is the size of all answers before compression, Sent what was sent of them,
	// without headers.
	Bytes, Sent int64
	// Accepted is the number of connections that were made, Open of those that
	// are open now.
	Accepted, Open int64
}

// Replacement tells which pod comes in place of the one at its index.
type Replacement struct {
	Index, Generation int
	Started           time.Time
}

// Control is the handler of the control API: GET /counters, POST /replace.
func (f *Fleet) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /counters", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(Counters{
			Resource: f.counts.resource.Load(), Summary: f.counts.summary.Load(), Cadvisor: f.counts.cadvisor.Load(),
			Bytes: f.counts.bytes.Load(), Sent: f.counts.sent.Load(),
			Accepted: f.counts.accepted.Load(), Open: f.counts.open.Load(),
		})
	})
	mux.HandleFunc("POST /replace", func(w http.ResponseWriter, r *http.Request) {
		if err := f.replace(r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusOK)
	})
	return mux
}

// replace does what a request asks for.
func (f *Fleet) replace(r *http.Request) error {
	var next Replacement
	if err := json.NewDecoder(r.Body).Decode(&next); err != nil {
		return fmt.Errorf("read which pod to replace: %w", err)
	}
	pod := f.world.Pod(next.Index, next.Generation)
	pod.Started = next.Started
	return f.Replace(pod)
}

// Remote is the control API of a Fleet in another process. It is safe for
// concurrent use.
type Remote struct {
	// URL is where the control API is, without a path.
	URL string
}

// Counters returns what was asked of the kubelets since the start.
func (r Remote) Counters(ctx context.Context) (c Counters, err error) {
	resp, err := r.do(ctx, http.MethodGet, "/counters", nil)
	if err != nil {
		return c, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&c); err != nil {
		return c, fmt.Errorf("read the fleet's counters: %w", err)
	}
	return c, nil
}

// Replace ends a pod and starts another in its place.
func (r Remote) Replace(ctx context.Context, pod world.Pod) error {
	body, err := json.Marshal(Replacement{Index: pod.Index, Generation: pod.Generation, Started: pod.Started})
	if err != nil {
		return fmt.Errorf("replace pod %d: %w", pod.Index, err)
	}
	resp, err := r.do(ctx, http.MethodPost, "/replace", body)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func (r Remote) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask the fleet for %s: %w", path, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the fleet for %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("ask the fleet for %s: %s", path, resp.Status)
	}
	return resp, nil
}

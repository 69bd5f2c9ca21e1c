// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package counting

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/s2"
)

const (
	// CountsPath has the counts, by path, as JSON.
	CountsPath = "/counts"
	// HangPath is where requests are never answered.
	HangPath = "/hang"
	// maxBody is the largest body that is taken, in bytes.
	maxBody = 32 << 20
)

// Counts is what was taken on one path.
type Counts struct {
	// Requests is how many, V2 how many of them were of 2.0.
	Requests, V2 int64
	Samples      int64
	// Bytes is the size of the bodies as they were sent.
	Bytes int64
}

// A Receiver is an HTTP handler. Its zero value is ready, and it is safe for
// concurrent use.
type Receiver struct {
	buffers sync.Pool // of *buffers

	mu struct {
		sync.Mutex
		counts map[string]Counts
	}
}

// buffers are of one request.
type buffers struct {
	body  bytes.Buffer
	plain []byte
}

// ServeHTTP takes a request, or answers what was taken.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.URL.Path == CountsPath {
		_ = json.NewEncoder(w).Encode(r.Counts())
		return
	}
	b, ok := r.buffers.Get().(*buffers)
	if !ok {
		b = &buffers{}
	}
	defer r.buffers.Put(b)
	b.body.Reset()
	if _, err := b.body.ReadFrom(io.LimitReader(request.Body, maxBody)); err != nil {
		return // The sender has gone.
	}
	if strings.HasPrefix(request.URL.Path, HangPath) {
		<-request.Context().Done()
		return
	}
	v2 := strings.Contains(request.Header.Get("Content-Type"), "io.prometheus.write.v2.Request")
	samples, err := b.count(v2)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.add(request.URL.Path, Counts{Requests: 1, V2: oneIf(v2), Samples: int64(samples), Bytes: int64(b.body.Len())})
	// Without this, a request of 2.0 was not understood.
	w.Header().Set("X-Prometheus-Remote-Write-Samples-Written", strconv.Itoa(samples))
	w.WriteHeader(http.StatusNoContent)
}

func oneIf(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// count is how many samples the body has.
func (b *buffers) count(v2 bool) (int, error) {
	size, err := s2.DecodedLen(b.body.Bytes())
	if err != nil || size > maxBody {
		return 0, fmt.Errorf("a body of %d bytes: %w", size, err)
	}
	if cap(b.plain) < size {
		b.plain = make([]byte, size)
	}
	plain, err := s2.Decode(b.plain[:size], b.body.Bytes())
	if err != nil {
		return 0, fmt.Errorf("decompress a body: %w", err)
	}
	return samplesOf(plain, v2)
}

func (r *Receiver) add(path string, more Counts) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.counts == nil {
		r.mu.counts = map[string]Counts{}
	}
	c := r.mu.counts[path]
	c.Requests += more.Requests
	c.V2 += more.V2
	c.Samples += more.Samples
	c.Bytes += more.Bytes
	r.mu.counts[path] = c
}

// Counts is what was taken since the start, by path.
func (r *Receiver) Counts() map[string]Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.mu.counts)
}

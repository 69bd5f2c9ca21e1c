// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// piece is how much a kubelet writes at once.
const piece = 4 << 10

func newCompressor() *gzip.Writer { return gzip.NewWriter(io.Discard) }

// ServeHTTP answers as the kubelet whose address was dialed.
func (f *Fleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	node, ok := f.world.NodeAt(addressOf(local))
	if !ok {
		http.Error(w, "no kubelet has this address", http.StatusMisdirectedRequest)
		return
	}
	buffer := f.bodies.Get().(*[]byte)
	defer f.bodies.Put(buffer)
	body, err := (*buffer)[:0], error(nil)
	now := time.Now().UnixMilli()
	compress := false
	switch r.URL.Path {
	case "/metrics/resource":
		f.counts.resource.Add(1)
		var names []string
		if f.world.Selecting {
			names = r.URL.Query()["name[]"]
		}
		body = f.nodes[node].appendResource(body, now, names...)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores")
		// This handler is of the Prometheus library, which compresses.
		compress = strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
	case "/stats/summary":
		f.counts.summary.Add(1)
		if f.recording != nil && r.URL.Query().Get("only_cpu_and_memory") != "true" {
			body = f.nodes[node].appendWholeSummary(body, f.recording, now)
		} else {
			body, err = f.nodes[node].appendSummary(body, now)
		}
		w.Header().Set("Content-Type", "application/json")
	case "/metrics/cadvisor":
		if f.recording == nil {
			http.NotFound(w, r)
			return
		}
		f.counts.cadvisor.Add(1)
		body = f.nodes[node].appendCadvisor(body, f.recording, now)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores")
		compress = strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	*buffer = body
	f.counts.bytes.Add(int64(len(body)))
	sending := &sender{w: w}
	defer func() { f.counts.sent.Add(sending.sent) }()
	if compress {
		w.Header().Set("Content-Encoding", "gzip")
		f.compress(sending, body)
		return
	}
	write(sending, body)
}

// sender counts what is sent.
type sender struct {
	w    io.Writer
	sent int64
}

func (s *sender) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.sent += int64(n)
	return n, err
}

func (f *Fleet) compress(w io.Writer, body []byte) {
	z := f.compressors.Get().(*gzip.Writer)
	defer f.compressors.Put(z)
	z.Reset(w)
	write(z, body)
	_ = z.Close() // The client has gone.
}

func write(w io.Writer, body []byte) {
	for part := range slices.Chunk(body, piece) {
		if _, err := w.Write(part); err != nil {
			return // The client has gone.
		}
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelettest

import (
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// serve answers one request. Every path that ends in /metrics/resource is the
// node's, so that tests can use paths like /metrics/nodes/NAME/metrics/resource.
func (k *Kubelet) serve(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	k.mu.requests[r.URL.Path]++
	k.mu.last = r
	fault, usage := k.mu.fault, k.mu.usage
	switch {
	case fault.Path != "" && fault.Path != r.URL.Path:
		fault = Fault{Skew: fault.Skew}
	case fault.Times == 1:
		k.mu.fault = Fault{}
	case fault.Times > 1:
		k.mu.fault.Times--
	}
	k.mu.Unlock()

	now := time.Now()
	var body []byte
	status := fault.Status
	switch {
	case fault.Redirect != "":
		w.Header().Set("Location", fault.Redirect)
		status = http.StatusTemporaryRedirect
	case strings.HasSuffix(r.URL.Path, "/metrics/resource"):
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		if body = fault.Body; body == nil {
			body = usage.AppendResource(nil, now, fault.Skew)
		}
		body = selected(append(bytes.Clone(body), fault.Extra...), r.URL.Query()["name[]"])
	case r.URL.Path == "/stats/summary":
		w.Header().Set("Content-Type", "application/json")
		if fault.SummaryStatus != 0 {
			status = fault.SummaryStatus
		}
		if r.URL.Query().Get("only_cpu_and_memory") == "true" {
			body = usage.AppendSummary(nil, k.Name, now, fault.Skew)
		} else {
			body = usage.AppendWholeSummary(nil, k.Name, now, fault.Skew)
		}
	case r.URL.Path == "/metrics/cadvisor":
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		body = usage.AppendCadvisor(nil, now, fault.Skew)
	default:
		status = http.StatusNotFound
	}
	if status != 0 && status != http.StatusOK {
		body = []byte(http.StatusText(status))
	}
	k.answer(w, r, fault, status, body)
	k.mu.Lock()
	k.mu.answered[r.URL.Path] = time.Now()
	k.mu.Unlock()
}

// selected is what of a body is of the named families, all of it where none are
// named, as the handler of kubelets has it since Kubernetes 1.37.
func selected(body []byte, names []string) []byte {
	if len(names) == 0 {
		return body
	}
	var kept []byte
	for line := range bytes.Lines(body) {
		family := bytes.TrimPrefix(bytes.TrimPrefix(line, []byte("# HELP ")), []byte("# TYPE "))
		if end := bytes.IndexAny(family, "{ \n"); end >= 0 && slices.Contains(names, string(family[:end])) {
			kept = append(kept, line...)
		}
	}
	return kept
}

// answer sends an answer as the fault has it.
func (k *Kubelet) answer(w http.ResponseWriter, r *http.Request, fault Fault, status int, body []byte) {
	switch {
	case fault.Hang:
		<-r.Context().Done()
		return
	case fault.Delay > 0 && !pause(r, fault.Delay):
		return
	case fault.Reset:
		reset(w)
		return
	}
	w.Header().Set("Date", time.Now().Add(fault.Skew).UTC().Format(http.TimeFormat))
	if status != 0 {
		w.WriteHeader(status)
	}
	switch {
	case fault.Bomb > 0:
		bomb(w, r, fault)
	case fault.Drip > 0:
		drip(w, r, fault.Drip, body)
	case fault.CutAfter > 0:
		_, _ = w.Write(body[:min(len(body), fault.CutAfter)])
		_ = http.NewResponseController(w).Flush()
		reset(w)
	default:
		write(w, body)
	}
}

// write writes in pieces as a kubelet does, which makes TLS records of 4 KiB.
func write(w io.Writer, body []byte) {
	for piece := range slices.Chunk(body, 4<<10) {
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}

// pause waits and says whether the client is still there.
func pause(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

func drip(w http.ResponseWriter, r *http.Request, every time.Duration, body []byte) {
	flush := http.NewResponseController(w)
	for i := range body {
		if _, err := w.Write(body[i : i+1]); err != nil || flush.Flush() != nil {
			return
		}
		if !pause(r, every) {
			return
		}
	}
}

// reset ends the connection at once, with a TCP reset where there is TCP.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	raw := conn
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		raw = secured.NetConn()
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = raw.Close()
}

// bomb writes line feeds until all are written or the client has gone.
func bomb(w http.ResponseWriter, r *http.Request, fault Fault) {
	var out io.Writer = w
	if fault.BombGzip {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer func() { _ = z.Close() }()
		out = z
	}
	block := bytes.Repeat([]byte("\n"), 64<<10)
	for left := fault.Bomb; left > 0; left -= int64(len(block)) {
		if _, err := out.Write(block[:min(left, int64(len(block)))]); err != nil {
			return
		}
	}
	if fault.Stall && http.NewResponseController(w).Flush() == nil {
		<-r.Context().Done()
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// maxAnswer bounds the answer that a client can ask for, in bytes.
const maxAnswer = 64 << 20

// server answers HTTP and changes the loads on request.
type server struct {
	burn *burner
	hold *holder
}

// Run serves on the address until ctx is done.
func (s *server) Run(ctx context.Context, addr string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", s.answer)
	mux.HandleFunc("POST /load", s.load)
	srv := &http.Server{
		Addr:              addr,
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: %w", addr, err)
	}
	return ctx.Err()
}

// answer sends as many bytes as were asked for.
func (s *server) answer(w http.ResponseWriter, r *http.Request) {
	n := 64 << 10
	if text := r.URL.Query().Get("bytes"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 0 || n > maxAnswer {
			http.Error(w, "bytes is not a number within the limit", http.StatusBadRequest)
			return
		}
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(n))
	chunk := make([]byte, 16<<10)
	for n > 0 {
		part := chunk[:min(n, len(chunk))]
		if _, err := w.Write(part); err != nil {
			return // The client has gone; there is no one to tell.
		}
		n -= len(part)
	}
}

// load sets the CPU and memory that are named in the query.
func (s *server) load(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if query.Has("cpu") {
		var rate millicores
		if err := rate.Set(query.Get("cpu")); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.burn.SetRate(rate)
	}
	if query.Has("memory") {
		var size byteSize
		err := size.Set(query.Get("memory"))
		if err == nil {
			err = s.hold.Hold(size)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

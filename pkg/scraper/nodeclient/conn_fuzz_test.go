// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
)

// FuzzAnswer: whatever bytes come over a connection, a request ends with an
// answer within the bounds or with an error, and gives back what it borrowed.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nDate: Sat, 21 Nov 2026 00:00:00 GMT\r\n\r\na 1\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n0\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\na 1\n",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 307 Temporary Redirect\r\nLocation: https://elsewhere/\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 403 Forbidden\r\nContent-Length: 99999999999999999999\r\n\r\n\xff",
	} {
		f.Add([]byte(seed))
	}
	const maxBody = 1 << 10
	f.Fuzz(func(t *testing.T, data []byte) {
		client, err := nodeclient.New(nodeclient.Options{
			MaxHeaderBytes: 1 << 10, MaxBodyBytes: maxBody, MaxCompressedBytes: 1 << 10, MaxInFlightBytes: 4 << 20,
			Dial: func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				go func() {
					defer func() { _ = theirs.Close() }()
					go func() { _, _ = io.Copy(io.Discard, theirs) }()
					_, _ = theirs.Write(data)
				}()
				return ours, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		conn := client.Conn(nodeclient.Endpoint{Node: "node-1", Scheme: "http", Hosts: []string{"node-1"}, Port: 1})
		defer conn.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for range 2 {
			answer, err := conn.Get(ctx, path, "")
			switch {
			case err == nil && len(answer.Body) > maxBody:
				t.Fatalf("a body of %d bytes", len(answer.Body))
			case err == nil:
				answer.Release()
			case nodeclient.ReasonOf(err) == nodeclient.ReasonTimeout:
				t.Fatalf("%v", err)
			}
		}
		if got := client.Counts().InFlightBytes; got != 0 {
			t.Fatalf("%d bytes are still accounted for", got)
		}
	})
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
)

// BenchmarkServe asks for all of 30,000 pods over TLS and HTTP/2, as the VPA does
// by kube-apiserver, one list at a time and ten at once; and for a constant body
// of the same size, which is what writing and reading cost.
func BenchmarkServe(b *testing.B) {
	fast, _ := newServerAnd(b, scraped(b, newCrowd(b, 30_000, 100)), nil)
	for _, accept := range []string{asJSON, asProtobuf} {
		body := ask(b, fast, "v1beta1/pods", "Accept", accept).Body.Bytes()
		constant := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
		for name, handler := range map[string]http.Handler{"list": fast.Handler, "constant": constant} {
			server := httptest.NewUnstartedServer(handler)
			server.EnableHTTP2 = true
			server.StartTLS()
			b.Cleanup(server.Close)
			for _, together := range []int{1, 10} {
				clients := make([]*http.Client, together)
				for i := range clients {
					clients[i] = &http.Client{Transport: &http.Transport{
						TLSClientConfig:   &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs},
						ForceAttemptHTTP2: true, DisableCompression: true,
					}}
					b.Cleanup(clients[i].CloseIdleConnections)
				}
				b.Run(accept[len("application/"):]+"/"+strconv.Itoa(together)+"/"+name, func(b *testing.B) {
					for b.Loop() {
						var group sync.WaitGroup
						for _, client := range clients {
							group.Go(func() { read(b, client, server.URL+"/apis/metrics.k8s.io/v1beta1/pods", accept, len(body)) })
						}
						group.Wait()
					}
				})
			}
		}
	}
}

// read reads an answer of size bytes.
func read(b *testing.B, client *http.Client, url, accept string, size int) {
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		b.Error(err)
		return
	}
	request.Header.Set("Accept", accept)
	response, err := client.Do(request)
	if err != nil {
		b.Error(err)
		return
	}
	defer response.Body.Close()
	if n, err := io.Copy(io.Discard, response.Body); err != nil || int(n) < size*9/10 {
		b.Errorf("%d bytes, %v", n, err)
	}
}

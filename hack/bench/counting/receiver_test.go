// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package counting

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/message"
)

// TestReceiver counts what our encoder writes, of both versions.
func TestReceiver(t *testing.T) {
	r := &Receiver{}
	server := httptest.NewServer(r)
	defer server.Close()
	for path, protocol := range map[string]message.Protocol{"/one": message.V1, "/two": message.V2} {
		symbols := message.NewSymbols()
		encoder := message.NewEncoder(symbols)
		for samples := range 3 {
			encoder.Begin(protocol)
			one := message.NewSeries(symbols, []uint32{symbols.Use("__name__"), symbols.Use("m_total")}, message.Counter, "Help.", "")
			for i := range samples {
				encoder.Append(&one, float64(i), int64(i), 1)
			}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, bytes.NewReader(encoder.AppendBody(nil)))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", protocol.ContentType())
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if written := answer.Header.Get("X-Prometheus-Remote-Write-Samples-Written"); answer.StatusCode != http.StatusNoContent || written != string(rune('0'+samples)) {
				t.Errorf("%d samples: %s, %s written", samples, answer.Status, written)
			}
		}
		counts, err := Remote{URL: server.URL}.Counts(t.Context(), path)
		if err != nil || counts.Requests != 3 || counts.Samples != 3 || counts.V2 != 3*oneIf(protocol == message.V2) || counts.Bytes == 0 {
			t.Errorf("%s: %+v, %v", path, counts, err)
		}
	}
	answer, err := http.Post(server.URL+"/one", message.V2.ContentType(), bytes.NewReader([]byte("nonsense")))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusBadRequest {
		t.Errorf("nonsense is answered %s", answer.Status)
	}
}

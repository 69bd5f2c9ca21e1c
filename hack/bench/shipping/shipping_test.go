// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package shipping

import (
	"net/http/httptest"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/counting"
)

// TestRun ships some thousand samples and counts them.
func TestRun(t *testing.T) {
	receiver := &counting.Receiver{}
	server := httptest.NewServer(receiver)
	defer server.Close()
	const nodes, perNode = 2, 1771 + 2 // With up and scrape_duration_seconds.
	r, err := Run(t.Context(), Options{
		URL: server.URL + "/ours", Dir: t.TempDir(), Recording: "../../../pkg/scraper/kubelet/testdata/scrape-1",
		Nodes: nodes, Samples: 30_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	rounds := r.Samples / (nodes * perNode)
	if r.Series != nodes*perNode || r.Samples < 30_000 || r.Samples != rounds*nodes*perNode || r.Elapsed <= 0 || r.CPU <= 0 {
		t.Errorf("%+v", r)
	}
	got := receiver.Counts()["/ours"]
	if got.Samples != (rounds+1)*nodes*perNode || got.V2 != got.Requests {
		t.Errorf("the receiver has %+v, after %d rounds", got, rounds+1)
	}
}

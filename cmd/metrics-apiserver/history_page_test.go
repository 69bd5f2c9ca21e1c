// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// TestHistoryPage: the page says of each source what is kept, and how often what was
// looked for was there.
func TestHistoryPage(t *testing.T) {
	rig := newConfiguredRig(t, "history: {maxBytes: 32Mi, sources: [cadvisor]}\n")
	read := func() (page readableHistory) {
		response := httptest.NewRecorder()
		historyPage{rig.rules.history}.ServeHTTP(response, httptest.NewRequest(http.MethodGet, "/debug/history", http.NoBody))
		if err := json.Unmarshal(response.Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		return page
	}
	if page := read(); page.MaxBytes != 32<<20 || len(page.Sources) != 0 {
		t.Errorf("at first: %+v", page)
	}
	now := storage.MillisOf(time.Now())
	for k := range 60 {
		rig.answer(t, now+storage.Millis(k-60)*15_000)
	}
	page := read()
	if len(page.Sources) != 1 {
		t.Fatalf("%+v", page)
	}
	cadvisor := page.Sources[0]
	if cadvisor.Source != "cadvisor" || cadvisor.Nodes != 1 || cadvisor.Series == 0 || cadvisor.Blocks == 0 || cadvisor.ReachSeconds < 800 || cadvisor.HitRatio != nil {
		t.Errorf("%+v", cadvisor)
	}
	rig.rules.history.Select("", "container_network_receive_bytes_total", nil, now-900_000, now, func(series.Points) bool { return true })
	if c := read().Sources[0]; c.Hits == 0 || c.Misses != 0 || c.HitRatio == nil || *c.HitRatio != 1 {
		t.Errorf("once read: %+v", c)
	}
	rig.rules.history.Shed()
	if page := read(); !page.IsShed || page.Sheds != 1 || page.Bytes != 0 || page.MaxBytes != 32<<20 {
		t.Errorf("given up: %+v", page)
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/history"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// historyPage says what a history has, as JSON. Who may read it is up to whoever
// serves it.
type historyPage struct{ store *history.Store }

// readableHistory is what a history has, in words for people.
type readableHistory struct {
	MaxBytes      int64            `json:"maxBytes"`
	Bytes         int64            `json:"bytes"`
	OverheadBytes int64            `json:"overheadBytes"`
	IsShed        bool             `json:"isShed"`
	Sheds         uint64           `json:"sheds"`
	Sources       []readableSource `json:"sources"`
}

type readableSource struct {
	Source string `json:"source"`
	Nodes  int    `json:"nodes"`
	Series int    `json:"series"`
	Blocks int    `json:"blocks"`
	// ReachSeconds is how far back nine of ten nodes have everything.
	ReachSeconds float64 `json:"reachSeconds"`
	Hits         uint64  `json:"hits"`
	Misses       uint64  `json:"misses"`
	// HitRatio is not there where nothing was looked for.
	HitRatio *float64 `json:"hitRatio,omitempty"`
}

// ServeHTTP is http.Handler's.
func (p historyPage) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	// What cannot be written has no reader any more.
	_ = encoder.Encode(p.readable(storage.MillisOf(time.Now())))
}

func (p historyPage) readable(now storage.Millis) readableHistory {
	stats := p.store.Stats()
	page := readableHistory{
		MaxBytes: p.store.Room(), Bytes: stats.Bytes, OverheadBytes: stats.Overhead,
		IsShed: p.store.IsShed(), Sheds: stats.Sheds, Sources: []readableSource{},
	}
	for source := range series.Sources {
		s := &stats.BySource[source]
		if s.Targets == 0 && s.Hits+s.Misses == 0 {
			continue
		}
		one := readableSource{Source: source.String(), Nodes: s.Targets, Series: s.Series, Blocks: s.Blocks, Hits: s.Hits, Misses: s.Misses}
		if s.Since != 0 {
			one.ReachSeconds = max(0, (now - s.Since).Duration().Seconds())
		}
		if all := s.Hits + s.Misses; all > 0 {
			ratio := float64(s.Hits) / float64(all)
			one.HitRatio = &ratio
		}
		page.Sources = append(page.Sources, one)
	}
	return page
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"fmt"
	"slices"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// TestReader has a rule come after a while: what it looks back over is whole at
// once, each series comes once, and history is left alone when it is not needed.
func TestReader(t *testing.T) {
	const step = storage.Millis(15_000)
	start := storage.Millis(1_763_749_000_000)
	store := New(Options{})
	if err := store.Keep(Keep{MaxBytes: MinBytes, Sources: series.SourceSetOf(series.Cadvisor)}); err != nil {
		t.Fatal(err)
	}
	recent, err := series.NewRecent(series.RecentOptions{})
	if err != nil {
		t.Fatal(err)
	}
	reader := NewReader(recent, store)
	now := start
	round := 0
	// Each answer is given to both; series 0 goes before the rule comes, series 3 comes
	// after it.
	var receivers []series.Receiver
	handles := map[int][]series.Handle{}
	answer := func() {
		if receivers == nil {
			receivers = []series.Receiver{store.Receiver("n", series.Cadvisor), recent.Receiver("n", series.Cadvisor)}
		}
		gone := round == 10
		for k, receiver := range receivers {
			b := &series.Batch{Node: "n", Source: series.Cadvisor, Sent: now, Received: now}
			var closed []series.Handle
			if chooser, ok := receiver.(series.Chooser); ok {
				chooser.Generation()
			}
			for i := range 4 {
				labels := series.Labels{{Name: series.NameLabel, Value: "m"}, {Name: "i", Value: fmt.Sprint(i)}, {Name: "namespace", Value: "ns"}}
				for len(handles[k]) <= i {
					handles[k] = append(handles[k], 0)
				}
				lives := (i != 0 || round < 10) && (i != 3 || round > 25)
				if lives && handles[k][i] == 0 {
					handles[k][i] = receiver.Open(labels, nil)
				}
				if gone && i == 0 && handles[k][i] != 0 {
					closed = append(closed, handles[k][i])
					handles[k][i] = 0
				}
				if lives && handles[k][i] != 0 {
					b.Handles, b.Times, b.Values = append(b.Handles, handles[k][i]), append(b.Times, now), append(b.Values, float64(round*10+i))
				}
			}
			receiver.Commit(b, closed)
		}
		round++
		now += step
	}
	selected := func(from storage.Millis) map[string]int {
		got := map[string]int{}
		reader.Select("ns", "m", nil, from, now, func(p series.Points) bool {
			i := p.Labels.Get("i")
			if _, twice := got[i]; twice {
				t.Errorf("series %s comes twice", i)
			}
			got[i] = len(p.Times)
			if !slices.IsSorted(p.Times) || len(p.Values) != len(p.Times) {
				t.Errorf("series %s: times %v, values %v", i, p.Times, p.Values)
			}
			for k, at := range p.Times {
				if want := float64((at - start) / step * 10); !series.IsStaleMarker(p.Values[k]) && p.Values[k] != want+float64(i[0]-'0') {
					t.Errorf("series %s at %d: %v", i, at, p.Values[k])
				}
			}
			return true
		})
		return got
	}
	check := func(when string, from storage.Millis, want map[string]int) {
		t.Helper()
		if got := selected(from); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", when, got, want)
		}
	}
	for round < 20 {
		answer()
	}
	if got := selected(start); len(got) != 0 {
		t.Errorf("nothing is selected, and there is %v", got)
	}
	recent.Want([]series.Selector{{Name: "m", Range: 3_600_000}})
	reader.Began([]string{"m"}, now)
	clear(handles[1])
	check("just selected", start, map[string]int{"0": 11, "1": 20, "2": 20})
	check("a while of it", start+15*step, map[string]int{"1": 5, "2": 5})
	for round < 40 {
		answer()
	}
	hits := store.Stats().Hits
	check("later", start, map[string]int{"0": 11, "1": 40, "2": 40, "3": 14})
	if store.Stats().Hits == hits && store.Stats().Blocks > 0 {
		t.Error("history was not asked")
	}
	began := start + 20*step
	reader.Began([]string{"m", "other"}, now)
	hits = store.Stats().Hits
	check("of the rule's time", began+settle, map[string]int{"1": 12, "2": 12, "3": 12})
	if store.Stats().Hits != hits {
		t.Error("history was asked")
	}
	stopped := 0
	reader.Select("ns", "m", nil, start, now, func(series.Points) bool {
		stopped++
		return false
	})
	if stopped != 1 {
		t.Errorf("went on %d times", stopped)
	}
	store.Shed()
	check("without history", start, map[string]int{"1": 20, "2": 20, "3": 14})
	reader.Began(nil, now)
	if reader.needs("m", 0) || reader.needs("", 0) {
		t.Error("nothing is selected, and history is needed")
	}
}

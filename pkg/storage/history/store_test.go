// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/VictoriaMetrics/fastcache"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

func TestKeepRefuses(t *testing.T) {
	s := New(Options{})
	for _, bytes := range []int64{-1, 1, MinBytes - 1, 1 << 60} {
		if err := s.Keep(Keep{MaxBytes: bytes, Sources: 1}); err == nil {
			t.Errorf("%d bytes are taken", bytes)
		}
	}
	if s.Sources() != 0 || s.Receiver("a", series.Resource).Open(nil, nil) != 0 {
		t.Error("a new store wants something")
	}
}

func TestRoom(t *testing.T) {
	s := New(Options{})
	for bytes, want := range map[int64]int64{0: 0, MinBytes: MinBytes, 2*MinBytes - 1: MinBytes, 3*MinBytes + 5: 3 * MinBytes} {
		if err := s.Keep(Keep{MaxBytes: bytes, Sources: series.SourceSetOf(series.Resource)}); err != nil {
			t.Fatal(err)
		}
		if got := s.Room(); got != want || s.Stats().MaxBytes != want {
			t.Errorf("%d bytes: room for %d, %d in the cache, want %d", bytes, got, s.Stats().MaxBytes, want)
		}
	}
}

// TestRecorded holds that recorded answers are read back as they are.
func TestRecorded(t *testing.T) {
	for _, source := range []series.Source{series.Resource, series.Cadvisor} {
		store, f := newFeed(t, source)
		want := naive{}
		for range f.answers {
			b := f.next()
			f.receiver.Commit(b, nil)
			for _, l := range f.answers[f.count-1] {
				k := key(l.labels.AppendTarget(nil, series.TargetLabels("node", "", source)))
				if n := len(want[k]); n == 0 || want[k][n-1].at < l.at {
					want.add(k, l.at, l.value)
				}
			}
		}
		store.Select("", "", nil, 0, 1<<50, func(p series.Points) bool {
			samples := want[key(p.Labels)]
			delete(want, key(p.Labels))
			if len(samples) != len(p.Times) {
				t.Fatalf("%v: %d samples, want %d", p.Labels, len(p.Times), len(samples))
			}
			for i, s := range samples {
				if s.at != p.Times[i] || math.Float64bits(s.v) != math.Float64bits(p.Values[i]) {
					t.Fatalf("%v: %d %v, want %v", p.Labels, p.Times[i], p.Values[i], s)
				}
			}
			return true
		})
		if len(want) > 0 {
			t.Errorf("%d series lack", len(want))
		}
		if s := store.Stats(); s.Broken != 0 {
			t.Errorf("%+v", s)
		}
	}
}

// TestShed holds that shedding gives everything up, keeps nothing, and that keeping
// begins anew.
func TestShed(t *testing.T) {
	w := newWorld(t, 3, 2, Keep{MaxBytes: MinBytes, Sources: series.SourceSetOf(series.Resource, series.Cadvisor)})
	answers := func() {
		for range 30 {
			for _, n := range w.nodes {
				w.answer(n, 50)
			}
			w.now += 15_000
		}
	}
	answers()
	if pending := w.store.Pending(); pending <= 0 || pending > w.store.Stats().Overhead {
		t.Errorf("%d bytes are about to be taken", pending)
	}
	if released := w.store.Shed(); runtime.GOOS == "linux" && released == 0 {
		t.Error("no memory was given back")
	}
	if s := w.store.Stats(); s.Bytes != 0 || s.Series != 0 || s.Overhead != 0 || s.Sheds != 1 || !w.store.IsShed() || w.store.Sources() != 0 || w.store.Pending() != 0 {
		t.Errorf("after shedding: %+v", s)
	}
	w.naive = naive{}
	answers()
	w.compare("", "", 0, w.now)
	for _, n := range w.nodes {
		if n.chooser.Wants("any") {
			t.Error("something is wanted")
		}
	}
	w.store.Resume()
	began := w.now
	answers()
	w.compare("", "", began-5000, w.now)
	if s := w.store.Stats(); s.Blocks == 0 || s.Since < began-5000 {
		t.Errorf("after resuming: %+v", s)
	}
}

// TestManySeries holds that a target has lanes, and how long blocks are.
func TestManySeries(t *testing.T) {
	store := New(Options{})
	if err := store.Keep(Keep{MaxBytes: MinBytes, Sources: series.SourceSetOf(series.Cadvisor)}); err != nil {
		t.Fatal(err)
	}
	r := store.Receiver("big", series.Cadvisor)
	b := &series.Batch{}
	for i := range 10_000 {
		h := r.Open(series.Labels{{Name: series.NameLabel, Value: "m"}, {Name: "i", Value: fmt.Sprint(i)}}, nil)
		b.Handles, b.Times, b.Values = append(b.Handles, h), append(b.Times, 0), append(b.Values, 0)
	}
	for k := range 20 {
		for i := range b.Times {
			b.Times[i] = storage.Millis(k)*15_000 + storage.Millis(i)
			b.Values[i] = 1 / float64(i*k+3)
		}
		b.Received = storage.Millis(k+10) * 15_000
		r.Commit(b, nil)
	}
	lanes := store.all()[0].mu.lanes
	if want := (10_000 + laneSeries - 1) / laneSeries; len(lanes) != want {
		t.Errorf("%d lanes, want %d", len(lanes), want)
	}
	for _, l := range lanes {
		for _, ref := range l.blocks {
			if block, ok := store.get(nil, l.number, ref.seq); !ok || len(block) > maxBlockBytes {
				t.Errorf("lane %d block %d: %d bytes, %v", l.number, ref.seq, len(block), ok)
			}
		}
	}
	found := 0
	store.Select("kube-system", "m", nil, 0, 1<<40, func(p series.Points) bool {
		found += len(p.Times)
		return true
	})
	if found != 200_000 {
		t.Errorf("%d samples", found)
	}
}

// TestConcurrency has the race detector look at everything at once.
func TestConcurrency(t *testing.T) {
	w := newWorld(t, 4, 2, Keep{MaxBytes: MinBytes, Sources: series.SourceSetOf(series.Resource, series.Cadvisor)})
	var wait sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wait.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				w.store.Select("ns1", "", nil, 0, 1<<50, func(p series.Points) bool { return len(p.Times) > 0 })
				w.store.Stats()
			}
		})
	}
	for i := range 200 {
		for _, n := range w.nodes {
			w.answer(n, 40)
		}
		w.now += 15_000
		switch i % 50 {
		case 20:
			w.store.Shed()
		case 30:
			w.store.Resume()
		case 40:
			w.nodes[0].receiver.End(w.now)
			w.begin(w.nodes[0])
		}
	}
	close(stop)
	wait.Wait()
}

// TestRelease holds that memory is really given back: the cache's fields are what
// release takes them for.
func TestRelease(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("on Linux only")
	}
	cache := fastcache.New(4 * MinBytes)
	block := make([]byte, maxBlockBytes)
	for i := range 4000 {
		key := blockKey(1, uint32(i))
		cache.Set(key[:], block)
	}
	var s fastcache.Stats
	cache.UpdateStats(&s)
	full := resident(t)
	if released := release(cache); released != int64(s.BytesSize) || released < 2*MinBytes {
		t.Errorf("released %d of %d bytes", released, s.BytesSize)
	}
	if now := resident(t); full-now < MinBytes {
		t.Errorf("%d bytes were resident, %d are", full, now)
	}
	cache.Reset()
	if cache = fastcache.New(MinBytes); cache.Has([]byte("x")) {
		t.Error("a new cache has something")
	}
	cache.Set([]byte("x"), []byte("y"))
	if got := cache.Get(nil, []byte("x")); string(got) != "y" {
		t.Errorf("got %q", got)
	}
}

// resident is how much memory the process has.
func resident(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

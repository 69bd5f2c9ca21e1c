// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/phase"
)

// TestHeap holds the heap against a plain list, over random operations.
func TestHeap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var h heap
	plain := map[*loop]time.Duration{}
	for range 20_000 {
		at := time.Duration(random.IntN(100)) // So that there are equal ones.
		switch op := random.IntN(5); {
		case op <= 1 || len(h) == 0:
			l := &loop{}
			h.push(l, at)
			plain[l] = at
		case op == 2:
			first := h[0].at
			if l := h.pop(); plain[l] != first || l.place.index != held {
				t.Fatalf("took a loop due at %v, at place %d, want %v", plain[l], l.place.index, first)
			} else {
				delete(plain, l)
			}
		default:
			i := random.IntN(len(h))
			plain[h[i].loop] = at
			h.move(i, at)
		}
		if len(h) != len(plain) {
			t.Fatalf("%d loops, want %d", len(h), len(plain))
		}
		for i, w := range h {
			if w.loop.place.index != i || plain[w.loop] != w.at || i > 0 && h[(i-1)/2].at > w.at {
				t.Fatalf("at %d: a loop due at %v (%v), which takes itself to be at %d, behind %v", i, w.at, plain[w.loop], w.loop.place.index, h[max(0, i-1)/2].at)
			}
		}
	}
	var order []time.Duration
	for len(h) > 0 {
		order = append(order, h[0].at)
		h.pop()
	}
	if !slices.IsSorted(order) {
		t.Errorf("not in order: %v", order)
	}
}

func TestQueueHandsOutWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		epoch := time.Now()
		q := newQueue(epoch)
		ctx, cancel := context.WithCancel(t.Context())
		loops := []*loop{{name: "a"}, {name: "b"}, {name: "c"}}
		for i, l := range loops {
			l.place.index = held
			q.add(l, epoch.Add(time.Duration(10-i)*time.Second))
		}
		take := func(want string, at time.Duration) *loop {
			t.Helper()
			l, last := q.next(ctx, false)
			if l == nil || l.name != want || time.Since(epoch) != at || !last {
				t.Fatalf("at %v: took %+v, last %v; want %s at %v", time.Since(epoch), l, last, want, at)
			}
			return l
		}
		q.back(take("c", 8*time.Second), epoch.Add(20*time.Second))
		b := take("b", 9*time.Second)
		q.hurry(b) // In our hands: again at once.
		q.hurry(b)
		q.back(b, epoch.Add(time.Hour))
		q.back(take("b", 9*time.Second), epoch.Add(30*time.Second))

		go func() {
			time.Sleep(500 * time.Millisecond)
			q.hurry(loops[2]) // Somebody waits for a's time, and c comes before it.
		}()
		c := take("c", 9500*time.Millisecond)
		q.drop(c)
		q.hurry(c)
		q.back(take("a", 10*time.Second), epoch.Add(40*time.Second))
		q.drop(take("b", 30*time.Second))
		q.drop(take("a", 40*time.Second))

		time.AfterFunc(time.Hour, cancel)
		if l, last := q.next(ctx, false); l != nil || last || time.Since(epoch) != time.Hour+40*time.Second {
			t.Errorf("after %v: took %v", time.Since(epoch), l)
		}
		if l, _ := q.next(ctx, true); l != nil {
			t.Errorf("after the end: took %v", l)
		}
	})
}

// TestQueueWakesOneWorkerEach holds that each loop is taken by one worker, at the
// moment at which it is due, while workers wait, start and end.
func TestQueueWakesOneWorkerEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		epoch := time.Now()
		q := newQueue(epoch)
		ctx, cancel := context.WithCancel(t.Context())
		took := make(chan string, 1000)
		work := func() {
			for worked := false; ; worked = true {
				l, _ := q.next(ctx, worked)
				if l == nil {
					return
				}
				took <- fmt.Sprint(l.name, " ", time.Since(epoch))
				time.Sleep(50 * time.Millisecond)
				q.back(l, epoch.Add(time.Hour))
			}
		}
		for range 3 * spareWorkers {
			go work()
		}
		var want []string
		for i := range 40 {
			at := time.Duration(i/2) * time.Millisecond // Two each.
			q.add(&loop{name: fmt.Sprint(i)}, epoch.Add(at))
			want = append(want, fmt.Sprint(i, " ", at))
		}
		time.Sleep(time.Second)
		var got []string
		for len(took) > 0 {
			got = append(got, <-took)
		}
		slices.Sort(want)
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("took %v, want %v", got, want)
		}
		q.mu.Lock()
		if q.mu.idle != spareWorkers {
			t.Errorf("%d workers wait, want %d", q.mu.idle, spareWorkers)
		}
		q.mu.Unlock()
		cancel()
		synctest.Wait()
	})
}

// workers is how many workers there are.
func workers() int {
	stacks := make([]byte, 16<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "scraper.(*Manager).work(")
}

// TestBlackHolesStarveNoOther cuts off most nodes at one moment. The others are
// scraped as if nothing were, and what that took is given back.
func TestBlackHolesStarveNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const nodes, holes = 200, 180
		r := newRig(t, Options{})
		kubelets := r.nodes(nodes)
		r.run()
		time.Sleep(time.Minute)
		if got := workers(); got > spareWorkers+1 {
			t.Errorf("%d workers while all is well", got)
		}
		for i, k := range kubelets[:holes] {
			if i%3 == 0 {
				k.Stop() // Its connection is closed, and nobody answers a new one.
			}
			r.network.SetSilent(k.Address(), true)
			k.SetFault([]kubelettest.Fault{{Drip: time.Second}, {Hang: true}}[i%2])
		}
		most := 0
		for range 2 * 60 {
			time.Sleep(500 * time.Millisecond)
			most = max(most, workers())
		}
		if most < holes/4 || most > nodes+1 {
			t.Errorf("up to %d workers, want some for %d nodes that do not answer, and at most one a node and one more", most, holes)
		}
		for _, k := range kubelets[holes:] {
			for i, at := range r.times(k.Name)[1:] {
				// Times of answers are in whole milliseconds.
				late := (time.Duration(r.epoch.Add(at+time.Millisecond).UnixNano()) - phase.Of(k.Name, 15*time.Second, nodes)) % (15 * time.Second)
				if late > time.Millisecond {
					t.Errorf("%s: scrape %d was %v late", k.Name, i, late)
				}
			}
		}
		for _, k := range kubelets[:holes] {
			r.manager.Delete(k.Name)
		}
		synctest.Wait()
		if got := workers(); got > spareWorkers+1 {
			t.Errorf("%d workers when all is well again", got)
		}
	})
}

// BenchmarkQueue is what a turn costs beside what is done in it: a loop is taken,
// and put back a resolution later. There is one worker, as nearly always.
func BenchmarkQueue(b *testing.B) {
	for _, nodes := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(nodes), func(b *testing.B) {
			// All are due already, in the order of their phases.
			epoch := time.Now().Add(-24 * time.Hour)
			q := newQueue(epoch)
			for i := range nodes {
				l := &loop{name: fmt.Sprint("node-", i)}
				l.place.index = held
				q.add(l, epoch.Add(phase.Of(l.name, 15*time.Second, nodes)))
			}
			ctx := b.Context()
			b.ReportAllocs()
			at := epoch.Add(15 * time.Second)
			for b.Loop() {
				l, _ := q.next(ctx, true)
				q.back(l, at)
				at = at.Add(time.Nanosecond)
			}
		})
	}
}

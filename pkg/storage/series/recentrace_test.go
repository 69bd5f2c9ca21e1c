// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestRecentConcurrency reads while nodes answer and what is wanted changes. The race
// detector looks on.
func TestRecentConcurrency(t *testing.T) {
	r := newTestRecent(t, RecentOptions{MaxBytes: 60_000}, Selector{Name: "a", Range: 60_000})
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for n := range 4 {
		writers.Go(func() {
			f := newFeeder(t, r, fmt.Sprint(n), Cadvisor)
			for i := range storage.Millis(300) {
				var samples []sample
				for pod := range 10 {
					if (int(i)+pod)%17 > 0 {
						samples = append(samples, sample{"a", fmt.Sprint("ns", pod%3), fmt.Sprint(pod), i * 15_000, float64(i * 15_000)})
					}
				}
				f.answer(i*15_000, 0, samples...)
				if i%100 == 99 {
					f.receiver.End(i*15_000 + 1)
					f = newFeeder(t, r, fmt.Sprint(n), Cadvisor)
				}
			}
		})
	}
	writers.Go(func() {
		for i := range 50 {
			r.Want([]Selector{{Name: "a", Range: storage.Millis(i%3) * 60_000, Match: func(l Labels) bool { return i%4 > 0 || l.Get("pod") != "1" }}})
			runtime.Gosched()
		}
	})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				r.Select("", "a", nil, 0, 1<<40, func(p Points) bool {
					for i, at := range p.Times {
						if i > 0 && p.Times[i-1] >= at || !IsStaleMarker(p.Values[i]) && p.Values[i] != float64(at) {
							t.Errorf("%v %v", p.Times, p.Values)
							return false
						}
					}
					return true
				})
				r.Shortfall("ns1", "a")
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}

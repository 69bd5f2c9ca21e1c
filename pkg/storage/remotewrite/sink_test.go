// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package remotewrite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/queue"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/sender"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// start runs a sink until the function that it returns is called.
func start(t testing.TB, o Options, transport http.RoundTripper) (*Sink, func()) {
	t.Helper()
	o.Name, o.Sender.URL, o.Sender.Transport = "test", "http://receiver/write", transport
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	return s, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func now() storage.Millis { return storage.MillisOf(time.Now()) }

const cpu = "__name__=container_cpu_usage_seconds_total,container=app,namespace=shop,pod=web-1"

// TestSink follows a few series from the node to the receiver.
func TestSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		s, stop := start(t, Options{
			Target: func(node string, source series.Source) series.Labels {
				return series.TargetLabels(node, "10.0.0.1:10250", source)
			},
			External: series.Labels{{Name: "cluster", Value: "east"}, {Name: "node", Value: "never"}},
			Relabel: func(l series.Labels) (series.Labels, bool) {
				return l, l.Get(series.NameLabel) != "unwanted" && l.Get(series.NameLabel) != "scrape_duration_seconds"
			},
		}, db)
		f := newFeeder(s, "n1", series.Resource)
		began := now()
		f.answer(now(), sample{cpu, began - 5000, 1}, sample{"__name__=container_start_time_seconds,container=app,namespace=shop,pod=web-1", began, float64(began/1000 - 60)},
			sample{"__name__=unwanted", began, 1}, sample{"__name__=node_memory_working_set_bytes", began - 100, 0})
		time.Sleep(15 * time.Second)
		second := now()
		f.answer(now(), sample{cpu, began - 5000, 1}, sample{"__name__=node_memory_working_set_bytes", second, 7})
		time.Sleep(15 * time.Second)
		f.receiver.Failed(now())
		third := now()
		time.Sleep(15 * time.Second)
		f.receiver.End(now())
		last := now()
		time.Sleep(10 * time.Second)

		const target = "endpoint=https-metrics,instance=10.0.0.1:10250,job=kubelet,metrics_path=/metrics/resource"
		stale := point{v: staleBits}
		at := func(p point, t storage.Millis) point { p.t = int64(t); return p }
		counted := pointOf(began-5000, 1)
		counted.start = int64(began/1000-60) * 1000
		for name, want := range map[string][]point{
			"__name__=container_cpu_usage_seconds_total,cluster=east,container=app," + target + ",namespace=shop,node=n1,pod=web-1,service=kubelet": {
				counted, at(stale, last),
			},
			"__name__=node_memory_working_set_bytes,cluster=east," + target + ",namespace=kube-system,node=n1,service=kubelet": {
				pointOf(began-100, 0), pointOf(second, 7), at(stale, last),
			},
			"__name__=container_start_time_seconds,cluster=east,container=app," + target + ",namespace=shop,node=n1,pod=web-1,service=kubelet": {
				pointOf(began, float64(began/1000-60)), at(stale, second),
			},
			"__name__=up,cluster=east," + target + ",namespace=kube-system,node=n1,service=kubelet": {
				pointOf(began, 1), pointOf(second, 1), pointOf(third, 0), at(stale, last),
			},
		} {
			if got := db.points(name); !slices.Equal(got, want) {
				t.Errorf("%s:\n got %v\nwant %v", name, got, want)
			}
		}
		if all := db.all(); len(all) != 4 {
			t.Errorf("%d series: %v", len(all), all)
		}
		state := s.State()
		if state.Series != 0 || state.Symbols != 1 || state.Taken != 7 || state.Repeated != 1 || state.Accepted != 11 || state.Sender.Sent != 11 || state.Pending != 0 {
			t.Errorf("%+v", state)
		}
		stop()
	})
}

// TestOutage has receivers that hang, fail, and store what they say they did not;
// and restarts of ours. Every sample that was accepted is there, in order.
func TestOutage(t *testing.T) {
	for _, old := range []bool{false, true} {
		t.Run(fmt.Sprintf("old=%v", old), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, 1))
				db := newStore(t)
				db.old = old
				db.fail = func(n int) (int, bool) {
					r := rand.New(rand.NewPCG(uint64(n), 2))
					switch {
					case n > 40 && n < 60:
						return 503, false
					case r.IntN(4) == 0:
						return []int{500, 429, -1}[r.IntN(3)], r.IntN(2) == 0
					default:
						return 0, false
					}
				}
				o := Options{
					MaxSamples: 50, MinLanes: 3, Flush: time.Second,
					Target: func(node string, _ series.Source) series.Labels { return series.Labels{{Name: "node", Value: node}} },
					Queue:  queue.Options{Dir: t.TempDir(), SegmentBytes: 10_000}, Sender: sender.Options{Timeout: 2 * time.Second},
				}
				want := map[string][]point{}
				for range 4 {
					s, stop := start(t, o, db)
					var nodes []*feeder
					for i := range 5 {
						nodes = append(nodes, newFeeder(s, fmt.Sprint("n", i), series.Cadvisor))
					}
					for range 20 {
						for _, f := range nodes {
							var samples []sample
							for i := range 40 {
								if r.IntN(50) > 0 {
									name := fmt.Sprintf("__name__=m%02d_total,node=%s", i, f.node)
									samples = append(samples, sample{name, now() - storage.Millis(i), r.Float64()})
								}
							}
							f.answer(now(), samples...)
							for _, one := range samples {
								want[one.labels] = append(want[one.labels], pointOf(one.t, one.v))
							}
						}
						time.Sleep(15 * time.Second)
					}
					stop()
					if state := s.State(); state.Pending != 0 || state.Overrun != 0 || state.Unsaved != 0 ||
						state.Sender.Dropped != [sender.Reasons]int64{} || state.Queue.Dropped != [queue.Reasons]int64{} {
						t.Errorf("%+v", state)
					}
				}
				db.fail = nil
				s, stop := start(t, o, db)
				time.Sleep(time.Minute)
				stop()
				if state := s.State(); state.Queue.Records != 0 {
					t.Errorf("%+v", state)
				}
				for name, points := range want {
					var got []point
					for _, p := range db.points(name) {
						if p.v != staleBits {
							got = append(got, p)
						}
					}
					if !slices.Equal(got, points) {
						t.Fatalf("%s:\n got %v\nwant %v", name, got, points)
					}
				}
				if old != (len(db.families) > 0) {
					t.Errorf("metadata of 1.0: %v", db.families)
				}
			})
		})
	}
}

// TestOnce has a source that is read faster than bodies are made: none has two
// samples of a series, which the store checks.
func TestOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		s, stop := start(t, Options{}, db)
		f := newFeeder(s, "n1", series.Resource)
		for range 50 {
			f.answer(now(), sample{cpu, now(), 1}, sample{"__name__=b", now(), 1})
			time.Sleep(100 * time.Millisecond)
		}
		stop()
		if n := db.total(); n != 200 {
			t.Errorf("%d samples, want 200", n)
		}
	})
}

// TestOrder leaves out what is older than what there was.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		s, stop := start(t, Options{}, db)
		f := newFeeder(s, "n1", series.Resource)
		for _, back := range []storage.Millis{0, 60_000, 59_000, 0} {
			f.answer(now(), sample{cpu, now() - back, 1})
			time.Sleep(15 * time.Second)
		}
		// It ends, and comes back with a sample from before its end.
		f.answer(now())
		f.answer(now()+1, sample{cpu, now() - 5000, 1})
		f.answer(now()+2, sample{cpu, now() + 2, 1})
		stop()
		if state := s.State(); state.OutOfOrder != 3 {
			t.Errorf("%+v", state)
		}
	})
}

// TestRefs ends and opens series while others wait for their body, at random: every
// sample is stored under its own labels.
func TestRefs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(2, 2))
		db := newStore(t)
		s, stop := start(t, Options{MaxSamples: 30, MaxPending: 200, MinLanes: 2}, db)
		f := newFeeder(s, "n1", series.Resource)
		for range 500 {
			var samples []sample
			for i := range 60 {
				if r.IntN(3) > 0 {
					samples = append(samples, sample{fmt.Sprintf("__name__=m,i=%02d", i), now(), float64(i)})
				}
			}
			f.answer(now(), samples...)
			if r.IntN(2) == 0 {
				time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
			} else {
				time.Sleep(time.Millisecond)
			}
			if r.IntN(50) == 0 {
				s.Pause()
			}
			if r.IntN(20) == 0 {
				s.Lead(&Handover{})
			}
		}
		s.Lead(&Handover{})
		f.receiver.End(now())
		time.Sleep(10 * time.Second)
		for name, points := range db.all() {
			if !strings.HasPrefix(name, "__name__=m,i=") {
				continue
			}
			var i float64
			if _, err := fmt.Sscanf(name[len("__name__=m,i="):], "%f", &i); err != nil {
				t.Fatal(name, err)
			}
			for _, p := range points {
				if p.v != staleBits && p != pointOf(storage.Millis(p.t), i) {
					t.Fatalf("%s has %v", name, p)
				}
			}
		}
		if state := s.State(); state.Series != 0 || state.Symbols != 1 || state.Overrun == 0 {
			t.Errorf("%+v", state)
		}
		stop()
	})
}

// TestStandby keeps the last minute while another replica ships, and goes on where
// that one ended.
func TestStandby(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		s, stop := start(t, Options{}, db)
		s.Pause()
		f := newFeeder(s, "n1", series.Resource)
		var times []storage.Millis
		for range 20 {
			times = append(times, now())
			f.answer(now(), sample{cpu, now(), 1})
			time.Sleep(15 * time.Second)
		}
		if db.total() != 0 || s.State().Overrun != 0 {
			t.Errorf("a paused sink ships: %+v", s.State())
		}
		s.Lead(&Handover{Mark: Mark{Queue: "another", Delivered: times[17], Newest: times[17]}})
		time.Sleep(10 * time.Second)
		var got []storage.Millis
		for _, p := range db.points(cpu) {
			got = append(got, storage.Millis(p.t))
		}
		if !slices.Equal(got, times[18:]) {
			t.Errorf("shipped %v, want %v", got, times[18:])
		}
		s.Pause()
		f.answer(now(), sample{cpu, now(), 1})
		time.Sleep(10 * time.Second)
		s.Lead(&Handover{})
		stop()
		if n := len(db.points(cpu)); n != 3 {
			t.Errorf("%d samples, want 3", n)
		}
	})
}

// TestEnd is that of the process: what waits for a body is delivered, and no series
// gets a stale marker.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		s, stop := start(t, Options{}, db)
		f := newFeeder(s, "n1", series.Resource)
		f.answer(now(), sample{cpu, now(), 1})
		before := time.Now()
		stop()
		f.receiver.End(now())
		if got := db.points(cpu); len(got) != 1 || time.Since(before) > time.Second {
			t.Errorf("after %v: %v", time.Since(before), got)
		}
		// A receiver that is away does not keep the process.
		db.fail = func(int) (int, bool) { return -1, false }
		s, stop = start(t, Options{}, db)
		f = newFeeder(s, "n1", series.Resource)
		f.answer(now(), sample{cpu, now(), 1})
		before = time.Now()
		stop()
		if took := time.Since(before); took > 11*time.Second || s.State().Unsaved != 3 {
			t.Errorf("after %v: %+v", took, s.State())
		}
	})
}

// TestClock ships times by our clock where a node's is far off.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		s, stop := start(t, Options{}, db)
		r := s.Receiver("n1", series.Resource)
		h := r.Open(labelsOf(cpu), nil)
		var want []point
		for i, offset := range []storage.Millis{0, 1900, 50_000, 50_900, 100, 0} {
			shift := []storage.Millis{0, 0, 50_000, 50_000, 0, 0}[i]
			at := now() - 100
			r.Commit(&series.Batch{Sent: now(), Received: now(), Offset: offset, Handles: []series.Handle{h}, Times: []storage.Millis{at - shift}, Values: []float64{1}}, nil)
			want = append(want, pointOf(at, 1))
			time.Sleep(15 * time.Second)
		}
		stop()
		if got := db.points(cpu); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// TestLanes divides series by how many samples there are.
func TestLanes(t *testing.T) {
	o := Options{}.withDefaults()
	for samples, want := range map[float64]int{0: 1, 1: 1, 2000: 1, 2001: 2, 70_000: 35, 1e9: 50} {
		if got := lanesFor(samples, &o); got != want {
			t.Errorf("%v samples: %d lanes, want %d", samples, got, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		s, stop := start(t, Options{MaxSamples: 10}, db)
		f := newFeeder(s, "n1", series.Resource)
		for range 10 {
			var samples []sample
			for i := range 300 {
				samples = append(samples, sample{fmt.Sprintf("__name__=m,i=%02d", i), now(), 1})
			}
			f.answer(now(), samples...)
			time.Sleep(15 * time.Second)
		}
		if n := s.State().Lanes; n != 11 {
			t.Errorf("%d lanes for 302 samples in 15 s, 10 a body", n)
		}
		stop()
		if n := db.total(); n != 3020 {
			t.Errorf("%d samples", n)
		}
	})
}

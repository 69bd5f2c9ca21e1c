// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package remotewrite

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/queue"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/sender"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// A pair is two replicas that read the same nodes, some milliseconds apart, and
// one receiver.
type pair struct {
	t     *testing.T
	db    *store
	sinks [2]*Sink
	stop  [2]func()
	feeds [2][]*feeder
	// dead replicas are asked nothing, and reach nobody.
	dead [2]atomic.Bool
	// said is what the nodes have said, by series.
	said map[string][]point
	turn int
	// ahead is how far the clock of the second replica is ahead of the first one's.
	ahead storage.Millis
	// slow is how long one node takes for the answers that the first replica is to
	// have, and late those that are under way.
	slow time.Duration
	late []lateAnswer
}

// A lateAnswer is given at a time.
type lateAnswer struct {
	at   time.Time
	give func()
}

// slowNode is the one that pair.slow is about.
const slowNode = 2

const (
	pairNodes      = 5
	pairResolution = 15 * time.Second
)

func newPair(t *testing.T, o Options) *pair {
	t.Helper()
	p := &pair{t: t, db: newStore(t), said: map[string][]point{}, ahead: 300}
	o.Elected = true
	o.Target = func(node string, _ series.Source) series.Labels { return series.Labels{{Name: "node", Value: node}} }
	for i := range p.sinks {
		p.begin(i, o)
	}
	return p
}

func (p *pair) begin(i int, o Options) {
	p.t.Helper()
	p.sinks[i], p.stop[i] = start(p.t, o, away{p, i})
	p.feeds[i] = nil
	for n := range pairNodes {
		p.feeds[i] = append(p.feeds[i], newFeeder(p.sinks[i], fmt.Sprint("n", n), series.Resource))
	}
}

// away is the way of a replica to the receiver: there is none when it is dead.
type away struct {
	*pair
	i int
}

// RoundTrip is http.RoundTripper's.
func (a away) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.dead[a.i].Load() {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return a.db.RoundTrip(r)
}

// scrape asks all nodes for a resolution, each at a moment of its own, and both
// replicas one after the other. Every node has a series with times of its own,
// which are refreshed every 20 s, and one without times.
func (p *pair) scrape(turns int) {
	for range turns {
		p.turn++
		p.ask(0, pairNodes)
	}
}

// ask asks some nodes, as part of a turn.
func (p *pair) ask(from, to int) {
	for n := from; n < to; n++ {
		time.Sleep(pairResolution / pairNodes)
		// Which of them comes first is not always the same.
		for k := range 2 {
			i := (k + p.turn) % 2
			if p.dead[i].Load() {
				continue
			}
			text := fmt.Sprintf("__name__=m,node=n%d", n)
			one := sample{text, now() / 20_000 * 20_000, float64(now() / 20_000)}
			samples := []sample{one, {fmt.Sprintf("__name__=bare,node=n%d", n), now(), 1}}
			if p.turn%4 == 0 {
				samples = append(samples, sample{fmt.Sprintf("__name__=blinks,node=n%d", n), now(), 1})
			}
			p.answer(i, n, samples)
			if said := p.said[text]; len(said) == 0 || said[len(said)-1].t < int64(one.t) {
				p.said[text] = append(said, pointOf(one.t, one.v))
			}
			time.Sleep(7 * time.Millisecond)
		}
		p.settle()
	}
}

// answer gives a replica what a node says to it now, which may take a while.
func (p *pair) answer(i, n int, samples []sample) {
	feed, sent := p.feeds[i][n], now()+storage.Millis(i)*p.ahead
	if i != 0 || n != slowNode || p.slow == 0 {
		feed.answer(sent, samples...)
		return
	}
	p.late = append(p.late, lateAnswer{time.Now().Add(p.slow), func() { feed.answer(sent, samples...) }})
}

// settle gives the answers that have come by now.
func (p *pair) settle() {
	for len(p.late) > 0 && !time.Now().Before(p.late[0].at) {
		if !p.dead[0].Load() {
			p.late[0].give()
		}
		p.late = p.late[1:]
	}
}

// missing is how many samples of the series with times were said up to the given
// one and are not stored, and the time between the stored ones around the first of
// them.
func (p *pair) missing() (n int, gap time.Duration) {
	for name, said := range p.said {
		var got []int64
		for _, one := range p.db.points(name) {
			if one.v != staleBits {
				got = append(got, one.t)
			}
		}
		for _, one := range said {
			i, ok := slices.BinarySearch(got, one.t)
			if ok {
				continue
			}
			n++
			if i > 0 && i < len(got) {
				gap = max(gap, time.Duration(got[i]-got[i-1])*time.Millisecond)
			}
		}
	}
	return n, gap
}

// cutOf is what the replica i has delivered, for the other, as the set of sinks
// hands it over.
func (p *pair) cutOf(i int) func(string, series.Source) (storage.Millis, bool) {
	sent := map[string]storage.Millis{}
	p.sinks[i].Answers(func(node string, _ series.Source, at storage.Millis) { sent[node] = at })
	if len(sent) != pairNodes {
		p.t.Errorf("answers of %v", sent)
	}
	return func(node string, _ series.Source) (storage.Millis, bool) {
		at, ok := sent[node]
		return at + storage.MillisIn(pairResolution/2), ok
	}
}

// TestHandover ends one replica after the other, each cleanly: every sample is
// there, none twice, and all in order, which the store sees to.
func TestHandover(t *testing.T) {
	for _, anyOrder := range []bool{false, true} {
		t.Run(fmt.Sprintf("anyOrder=%v", anyOrder), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { handOver(t, anyOrder) })
		})
	}
}

func handOver(t *testing.T, anyOrder bool) {
	t.Helper()
	o := Options{OutOfOrder: anyOrder}
	p := newPair(t, o)
	p.sinks[0].Lead(&Handover{})
	for round := range 6 {
		p.scrape(5)
		from, to := round%2, 1-round%2
		// Somewhere within a round over all nodes.
		time.Sleep(time.Duration(round) * 1300 * time.Millisecond)
		p.stop[from]()
		mark := p.sinks[from].Mark()
		if !mark.Whole || mark.Delivered == 0 {
			t.Errorf("%+v", mark)
		}
		time.Sleep(time.Duration(round) * time.Second)
		p.sinks[to].Lead(&Handover{Mark: mark, Resolution: pairResolution, Cut: p.cutOf(from)})
		o.Elected, o.Target = true, p.sinks[from].o.Target
		p.begin(from, o)
		if state := p.sinks[to].State(); state.Handovers != 1 || state.Killed != 0 || state.Skipped != 0 || state.Overlap != 0 || state.Gap != 0 || state.Paused {
			t.Errorf("%+v", state)
		}
	}
	p.scrape(1)
	time.Sleep(10 * time.Second)
	if n, _ := p.missing(); n != 0 {
		t.Errorf("%d samples are missing", n)
	}
	for name, points := range p.db.all() {
		if name != "__name__=blinks,node=n1" {
			continue
		}
		// Each time that it was there it has ended.
		ends := 0
		for _, one := range points {
			if one.v == staleBits {
				ends++
			}
		}
		if ends == 0 || ends < len(points)/2 {
			t.Errorf("%s has %d ends: %v", name, ends, points)
		}
	}
	p.stop[0]()
	p.stop[1]()
}

// TestKilled ends replicas without a word: what is not known to be delivered is
// skipped, and counted, or sent again where the receiver takes any order.
func TestKilled(t *testing.T) {
	const lease = 15 * time.Second
	for _, anyOrder := range []bool{false, true} {
		t.Run(fmt.Sprintf("anyOrder=%v", anyOrder), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, Options{OutOfOrder: anyOrder})
				p.db.anyOrder = anyOrder
				p.sinks[0].Lead(&Handover{})
				p.scrape(8)
				mark, at := p.sinks[0].Mark(), time.Now()
				if behind := (now() - mark.Delivered).Duration(); behind > 9*time.Second || behind < 0 || mark.Whole {
					t.Errorf("%v behind: %+v", behind, mark)
				}
				time.Sleep(time.Second)
				p.dead[0].Store(true)
				for time.Since(at) < lease {
					p.scrape(1)
				}
				p.sinks[1].Lead(&Handover{Mark: mark, Fence: storage.MillisOf(at.Add(12 * time.Second)), Lease: lease, Resolution: pairResolution})
				p.scrape(4)
				time.Sleep(10 * time.Second)
				state := p.sinks[1].State()
				missing, gap := p.missing()
				if state.Killed != 1 || state.Handovers != 0 || (state.Skipped == 0) != anyOrder || (state.Overlap == 0) == anyOrder {
					t.Errorf("%+v", state)
				}
				// The time between two samples of a series is 20 s without a gap.
				if gap > 20*time.Second+lease+5*time.Second || anyOrder && missing > 0 || int64(missing) > state.Skipped {
					t.Errorf("%d samples are missing in %v: %+v", missing, gap, state)
				}
				if !anyOrder && state.Sender.Newest == 0 {
					t.Error("nothing was delivered")
				}
				p.stop[0]()
				p.stop[1]()
			})
		})
	}
}

// TestKilledAnywhere ends a replica without a word at many moments, with clocks that
// differ and a node that answers late: where the receiver takes any order nothing is
// missing, and elsewhere no more than is counted.
func TestKilledAnywhere(t *testing.T) {
	const lease, silence, shard = 15 * time.Second, 12 * time.Second, 4
	for _, anyOrder := range []bool{false, true} {
		for _, ahead := range []storage.Millis{-7000, -8, 0, 8, 7000} {
			for _, slow := range []time.Duration{0, pairResolution * 9 / 10} {
				t.Run(fmt.Sprintf("anyOrder=%v,ahead=%dms,slow=%v", anyOrder, ahead, slow), func(t *testing.T) {
					for moment := range 15 {
						synctest.Test(t, func(t *testing.T) {
							p := newPair(t, Options{OutOfOrder: anyOrder, Standby: time.Minute + 2*pairResolution})
							// What it may refuse where its order matters is not what this is about.
							p.db.anyOrder, p.ahead, p.slow = true, ahead, slow
							p.sinks[0].Lead(&Handover{})
							p.scrape(8)
							// Some nodes of a round have been asked, and others have not.
							p.turn++
							p.ask(0, moment%pairNodes)
							time.Sleep(time.Duration(moment) * 200 * time.Millisecond)
							mark, at := p.sinks[0].Mark(), time.Now()
							p.dead[0].Store(true)
							p.ask(moment%pairNodes, pairNodes)
							for time.Since(at) < lease {
								p.scrape(1)
							}
							fence := storage.MillisOf(at.Add(silence)) + p.ahead
							p.sinks[1].Lead(&Handover{Mark: mark, Fence: fence, Lease: lease, Resolution: pairResolution})
							p.scrape(4)
							time.Sleep(10 * time.Second)
							state := p.sinks[1].State()
							missing, _ := p.missing()
							if anyOrder && (missing > 0 || state.Skipped > 0) || int64(missing)*shard > state.Skipped || state.Gap != 0 {
								t.Errorf("moment %d: %d samples are missing, %d skipped, %v not kept", moment, missing, state.Skipped, state.Gap)
							}
							if twice := p.db.twice(); anyOrder && int64(twice) > state.Overlap {
								t.Errorf("moment %d: %d samples came twice, %d counted", moment, twice, state.Overlap)
							}
							p.stop[0]()
							p.stop[1]()
						})
					}
				})
			}
		}
	}
}

// TestEndedUnknown ends a replica that has delivered everything and cannot say up to
// which answers: as after a kill, nothing is missing that is not counted.
func TestEndedUnknown(t *testing.T) {
	for _, anyOrder := range []bool{false, true} {
		t.Run(fmt.Sprintf("anyOrder=%v", anyOrder), func(t *testing.T) {
			for part := range pairNodes {
				synctest.Test(t, func(t *testing.T) {
					p := newPair(t, Options{OutOfOrder: anyOrder, Standby: time.Minute + 2*pairResolution})
					p.db.anyOrder, p.ahead = true, -8
					p.sinks[0].Lead(&Handover{})
					p.scrape(6)
					p.turn++
					p.ask(0, part)
					p.stop[0]()
					p.dead[0].Store(true)
					mark := p.sinks[0].Mark()
					p.ask(part, pairNodes)
					p.sinks[1].Lead(&Handover{Mark: mark, Resolution: pairResolution})
					p.scrape(2)
					time.Sleep(10 * time.Second)
					state := p.sinks[1].State()
					missing, _ := p.missing()
					if !mark.Whole || state.Handovers != 1 || state.Gap != 0 || (state.Overlap == 0) == anyOrder {
						t.Errorf("%+v: %+v", mark, state)
					}
					if anyOrder && (missing > 0 || int64(p.db.twice()) > state.Overlap) || int64(missing)*4 > state.Skipped {
						t.Errorf("after %d nodes: %d samples are missing, %d skipped, %d twice", part, missing, state.Skipped, p.db.twice())
					}
					p.stop[1]()
				})
			}
		})
	}
}

// TestGap is what nobody kept when a replica was killed: its time is counted.
func TestGap(t *testing.T) {
	for name, o := range map[string]Options{"started late": {}, "has no room": {StandbyBytes: 4000}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o.Elected, o.OutOfOrder = true, true
				delivered := now()
				time.Sleep(30 * time.Second)
				s, stop := start(t, o, newStore(t))
				f := newFeeder(s, "n1", series.Resource)
				began := now()
				for range 200 {
					f.answer(now(), sample{cpu, now(), 1})
					time.Sleep(100 * time.Millisecond)
				}
				kept := s.State().StandbySince
				s.Lead(&Handover{Mark: Mark{Queue: "another", Delivered: delivered, Newest: delivered}, Fence: now() - 1, Resolution: 10 * time.Second})
				// What is certain to be delivered is what was asked for 15 s before.
				gap := s.State().Gap
				if least := (began - delivered).Duration() + 15*time.Second; gap < least || o.StandbyBytes == 0 && gap != least {
					t.Errorf("nothing was kept of %v before %v, and of %v it is counted", began.Time(), kept.Time(), gap)
				} else if o.StandbyBytes != 0 && gap < (kept-delivered).Duration()+14*time.Second {
					t.Errorf("what is kept begins at %v; counted are %v", kept.Time(), gap)
				}
				stop()
			})
		})
	}
}

// TestHeld is a replica that does not know whether it may ship: it goes on to take
// samples, and sends all of them when it turns out that nobody else did.
func TestHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, Options{})
		p.sinks[0].Lead(&Handover{})
		p.scrape(4)
		p.sinks[0].Hold()
		sent := p.db.total()
		time.Sleep(time.Second)
		mark := p.sinks[0].Mark()
		p.scrape(20)
		if n := p.db.total(); n != sent || !p.sinks[0].State().Held {
			t.Errorf("%d samples were sent while it was held: %+v", n-sent, p.sinks[0].State())
		}
		if later := p.sinks[0].Mark(); later.Delivered > mark.Delivered+5000 {
			t.Errorf("a mark goes on from %v to %v with nothing delivered", mark.Delivered.Time(), later.Delivered.Time())
		}
		p.sinks[0].Lead(&Handover{Mark: mark, Fence: now() - 1, Lease: time.Second})
		p.scrape(1)
		time.Sleep(10 * time.Second)
		if n, _ := p.missing(); n != 0 || p.sinks[0].State().Killed != 0 {
			t.Errorf("%d samples are missing: %+v", n, p.sinks[0].State())
		}
		p.stop[0]()
		p.stop[1]()
	})
}

// TestBacklog is what a replica could not deliver before another one shipped: it is
// sent only where the receiver takes it.
func TestBacklog(t *testing.T) {
	for _, anyOrder := range []bool{false, true} {
		t.Run(fmt.Sprintf("anyOrder=%v", anyOrder), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := newStore(t)
				db.anyOrder = anyOrder
				var broken atomic.Bool
				broken.Store(true)
				db.fail = func(int) (int, bool) {
					if broken.Load() {
						return http.StatusServiceUnavailable, false
					}
					return 0, false
				}
				s, stop := start(t, Options{Elected: true, OutOfOrder: anyOrder, Queue: queue.Options{Dir: t.TempDir()}}, db)
				s.Lead(&Handover{})
				f := newFeeder(s, "n1", series.Resource)
				first := now()
				for range 4 {
					f.answer(now(), sample{cpu, now(), 1})
					time.Sleep(15 * time.Second)
				}
				s.Pause()
				if !anyOrder {
					broken.Store(false)
				}
				time.Sleep(time.Minute)
				if anyOrder {
					broken.Store(false)
					time.Sleep(10 * time.Second)
				}
				s.Lead(&Handover{Mark: Mark{Queue: "another", Delivered: now(), Newest: now()}})
				time.Sleep(time.Second)
				f.answer(now(), sample{cpu, now(), 1})
				time.Sleep(15 * time.Second)
				got := db.points(cpu)
				state := s.State()
				if anyOrder {
					if len(got) != 5 || got[0].t != int64(first) || state.Sender.Dropped != [sender.Reasons]int64{} {
						t.Errorf("%v: %+v", got, state.Sender)
					}
				} else if len(got) != 1 || state.Sender.Dropped[sender.Superseded] != 12 || state.Queue.Records != 0 {
					t.Errorf("%v: %+v", got, state)
				}
				stop()
			})
		})
	}
}

// TestStandbyBytes bounds what a standby keeps, which costs it nothing but how far
// back it reaches.
func TestStandbyBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, stop := start(t, Options{Elected: true, StandbyBytes: 4000}, newStore(t))
		f := newFeeder(s, "n1", series.Resource)
		for range 20 {
			f.answer(now(), sample{cpu, now(), 1})
			time.Sleep(time.Second)
		}
		if state := s.State(); state.StandbyBytes > 4000 || state.StandbyBytes == 0 || state.Overrun != 0 || state.StandbySince < now()-20_000 {
			t.Errorf("%+v", state)
		}
		stop()
	})
}

// TestProgress holds what a sink says of itself against what it was told.
func TestProgress(t *testing.T) {
	var p progress
	for seq := range uint64(1000) {
		p.note(seq, storage.Millis(seq*10))
		if seq%3 == 0 {
			p.note(seq, storage.Millis(seq*10+5))
		}
	}
	if len(p.points) > maxPoints {
		t.Errorf("%d points", len(p.points))
	}
	last := storage.Millis(0)
	for done := range uint64(1000) {
		at := p.delivered(done)
		if at < last || at > storage.Millis(done*10+5) {
			t.Fatalf("up to %d: %d after %d", done, at, last)
		}
		last = at
	}
	if last != 9995 {
		t.Errorf("in the end %d", last)
	}
	p.raise(&Mark{Delivered: 10_000, Newest: 9})
	if at := p.delivered(1000); at != 10_000 || p.inheritedNewest() != 9 {
		t.Errorf("raised to %d", at)
	}
	p.inherit(&Mark{Delivered: 20_000, Newest: 7})
	if p.delivered(1000) != 20_000 || p.inheritedNewest() != 7 {
		t.Errorf("%+v", p.inherited)
	}
}

// TestGateOfSink sends nothing while it is shut, gives up what is in flight, and goes on.
func TestGateOfSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		var hangs atomic.Bool
		hangs.Store(true)
		db.fail = func(int) (int, bool) {
			if hangs.Load() {
				return -1, true
			}
			return 0, false
		}
		s, stop := start(t, Options{Elected: true}, db)
		s.Lead(&Handover{})
		f := newFeeder(s, "n1", series.Resource)
		f.answer(now(), sample{cpu, now(), 1})
		time.Sleep(10 * time.Second)
		if s.State().Sender.Flying != 1 {
			t.Errorf("%+v", s.State())
		}
		s.Hold()
		synctest.Wait()
		if state := s.State(); state.Sender.Unknown != 1 || state.Sender.Failure != "" {
			t.Errorf("%+v", state)
		}
		hangs.Store(false)
		time.Sleep(time.Hour)
		requests := s.State().Sender.Requests
		s.Lead(&Handover{})
		time.Sleep(time.Second)
		if state := s.State(); requests != 1 || state.Sender.Sent != 3 || state.Queue.Records != 0 {
			t.Errorf("%d requests while held; %+v", requests, state)
		}
		stop()
	})
}

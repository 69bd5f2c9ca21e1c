// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sinks

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/messagetest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// A sea is receivers of 1.0 at all addresses, which keep the times of the samples
// that they are sent.
type sea struct {
	t  *testing.T
	mu sync.Mutex
	// times is by path, in the order in which they came.
	times map[string][]int64
	down  atomic.Bool
}

// RoundTrip is http.RoundTripper's.
func (s *sea) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	message, err := s2.Decode(nil, body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := &http.Response{StatusCode: http.StatusNoContent, Status: "204", Header: http.Header{}, Body: http.NoBody}
	if s.down.Load() {
		answer.StatusCode, answer.Status = http.StatusServiceUnavailable, "503"
		return answer, nil
	}
	return answer, messagetest.Fields(message, func(field int, one []byte, _ uint64) error {
		if field != 1 || !strings.Contains(string(one), "counted") {
			return nil
		}
		return messagetest.Fields(one, func(field int, sample []byte, _ uint64) error {
			if field != 2 {
				return nil
			}
			return messagetest.Fields(sample, func(field int, _ []byte, v uint64) error {
				if field == 2 {
					s.times[r.URL.Path] = append(s.times[r.URL.Path], int64(v))
				}
				return nil
			})
		})
	})
}

// A reader reads a node for all consumers, as the scraper does.
type reader struct {
	receivers []series.Receiver
	handles   []series.Handle
	opened    []uint64
	said      []int64
}

func newReader(set *Set) *reader {
	r := &reader{}
	for _, c := range set.Consumers() {
		r.receivers = append(r.receivers, c.Receiver("n1", series.Resource))
	}
	r.handles, r.opened = make([]series.Handle, len(r.receivers)), make([]uint64, len(r.receivers))
	return r
}

func (r *reader) scrape() {
	at := storage.MillisOf(time.Now())
	r.said = append(r.said, int64(at))
	for i, receiver := range r.receivers {
		if g := receiver.(series.Chooser).Generation(); g != r.opened[i] {
			r.opened[i] = g
			r.handles[i] = receiver.Open(series.Labels{{Name: "__name__", Value: "counted"}}, &series.Metadata{})
		}
		if r.handles[i] != 0 {
			receiver.Commit(&series.Batch{Sent: at, Received: at, Handles: r.handles[i : i+1], Times: []storage.Millis{at}, Values: []float64{1}}, nil)
		}
	}
}

// runSet runs a set until stop, which waits for its end.
func runSet(t *testing.T, set *Set) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- set.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// scrapes reads the node n times, every 3 s.
func (r *reader) scrapes(n int) {
	for range n {
		r.scrape()
		time.Sleep(3 * time.Second)
	}
}

// TestReload adds, removes and changes sinks while nodes are read: a sink that did
// not change is the same one, and of one that did nothing is missing or out of
// order.
func TestReload(t *testing.T) {
	for _, queue := range []string{"", t.TempDir()} {
		synctest.Test(t, func(t *testing.T) {
			db := &sea{t: t, times: map[string][]int64{}}
			set := NewSet(Options{Slots: 3, Resolution: 15 * time.Second, transport: db})
			const kept = "- {url: 'http://r/kept', name: kept, protobuf_message: prometheus.WriteRequest}\n"
			changing := func(more string) string {
				if queue != "" {
					more += ", queue_directory: " + queue
				}
				return "- {url: 'http://r/changed', name: changed, protobuf_message: prometheus.WriteRequest" + more + "}\n"
			}
			apply := func(text string) {
				t.Helper()
				if err := set.Apply(nodes(t, text), nil); err != nil {
					t.Fatal(err)
				}
			}
			apply(kept + changing(""))
			stop := runSet(t, set)
			r := newReader(set)
			r.scrapes(10)
			first := set.mu.members[0].sink
			apply(changing(", queue_config: {max_shards: 3}") + kept)
			if set.mu.members[1].sink != first || set.mu.members[0].name != "changed" {
				t.Error("a sink that did not change was made again")
			}
			r.scrapes(10)
			// One follows the other while the receiver is away, and what is left is
			// more than there is time for.
			db.down.Store(true)
			r.scrapes(3)
			apply(kept + changing("") + "- {url: 'http://r/new', protobuf_message: prometheus.WriteRequest}\n")
			added := len(r.said)
			r.scrapes(2)
			if queue != "" {
				time.Sleep(20 * time.Second)
			}
			db.down.Store(false)
			r.scrapes(10)
			apply(changing("") + "- {url: 'http://r/new', protobuf_message: prometheus.WriteRequest, name: remote-write-3}\n")
			removed := len(r.said)
			r.scrapes(5)
			stop()
			if got := db.times["/changed"]; !slices.Equal(got, r.said) {
				t.Errorf("the sink that changed: %v, want %v", got, r.said)
			}
			if got := db.times["/kept"]; !slices.Equal(got, r.said[:removed]) {
				t.Errorf("the sink that did not change: %v, want %v", got, r.said[:removed])
			}
			if got := db.times["/new"]; !slices.Equal(got, r.said[added:]) {
				t.Errorf("the sink that was added: %v, want %v", got, r.said[added:])
			}
			if states := set.States(); len(states) != 2 || states[0].Name != "changed" {
				t.Errorf("%+v", states)
			}
		})
	}
}

// TestSetRoles hands over from one set to the other by the text of its mark.
func TestSetRoles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &sea{t: t, times: map[string][]int64{}}
		var sets [2]*Set
		var stops [2]func()
		for i := range sets {
			sets[i] = NewSet(Options{Slots: 2, Elected: true, Resolution: 15 * time.Second, transport: db})
			if err := sets[i].Apply(nodes(t, "- {url: 'http://r/a', name: a, protobuf_message: prometheus.WriteRequest}"), nil); err != nil {
				t.Fatal(err)
			}
			stops[i] = runSet(t, sets[i])
		}
		readers := []*reader{newReader(sets[0]), newReader(sets[1])}
		scrape := func(i int) {
			for range 4 {
				readers[0].scrape()
				if i == 1 {
					time.Sleep(5 * time.Millisecond)
					readers[1].scrape()
				}
				time.Sleep(15*time.Second - 5*time.Millisecond)
			}
		}
		sets[0].Lead("", time.Time{}, 0)
		scrape(1)
		stops[0]()
		mark := sets[0].Mark()
		if !strings.Contains(mark, `"whole":true`) || !strings.Contains(mark, `"answers":"`) {
			t.Errorf("the mark is %s", mark)
		}
		sets[1].Lead(mark, time.Time{}, 15*time.Second)
		time.Sleep(10 * time.Second)
		if got := db.times["/a"]; !slices.Equal(got, readers[0].said) {
			t.Errorf("after the handover %v, want %v", got, readers[0].said)
		}
		sets[1].Hold()
		if state := sets[1].States()[0]; !state.Held || state.Paused || state.Handovers != 1 {
			t.Errorf("%+v", state)
		}
		sets[1].Pause()
		if state := sets[1].States()[0]; state.Held || !state.Paused {
			t.Errorf("%+v", state)
		}
		stops[1]()
	})
}

// TestRulesSource ships what rules say to the sinks that want it, and asks kubelets
// for no more than is always shipped.
func TestRulesSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &sea{t: t, times: map[string][]int64{}}
		set := NewSet(Options{Slots: 2, transport: db})
		text := "- {url: 'http://r/rules', name: a, sources: [rules], protobuf_message: prometheus.WriteRequest}\n- {url: 'http://r/nodes', name: b, protobuf_message: prometheus.WriteRequest}\n"
		if err := set.Apply(nodes(t, text), nil); err != nil {
			t.Fatal(err)
		}
		if c := set.Consumers(); c[0].Sources() != series.SourceSetOf(series.Resource) || c[1].Sources() != series.SourceSetOf(series.Resource) || !set.WantsRules() {
			t.Errorf("kubelets are asked for %v and %v", c[0].Sources(), c[1].Sources())
		}
		stop := runSet(t, set)
		r := &reader{receivers: set.RuleReceivers(), handles: make([]series.Handle, 2), opened: make([]uint64, 2)}
		r.scrape()
		time.Sleep(15 * time.Second)
		r.scrape()
		time.Sleep(time.Second)
		stop()
		if got := db.times["/rules"]; !slices.Equal(got, r.said) || len(db.times) != 1 {
			t.Errorf("shipped %v, want %v", db.times, r.said)
		}
		if state := set.States()[0]; state.Accepted != 2 || state.Series != 1 {
			t.Errorf("%+v", state)
		}
	})
}

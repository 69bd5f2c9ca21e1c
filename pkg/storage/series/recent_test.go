// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import (
	"slices"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// feeder plays a decoder of one source of a node.
type feeder struct {
	receiver   Chooser
	generation uint64
	handles    map[string]Handle
}

func newFeeder(t testing.TB, r *Recent, node string, source Source) *feeder {
	t.Helper()
	c, ok := r.Receiver(node, source).(Chooser)
	if !ok {
		t.Fatal("the receiver is no Chooser")
	}
	return &feeder{receiver: c, handles: map[string]Handle{}}
}

// sample is one line of an answer, of series name in namespace with pod.
type sample struct {
	name, namespace, pod string
	time                 storage.Millis
	value                float64
}

func (s sample) labels() Labels {
	return Labels{{NameLabel, s.name}, {"namespace", s.namespace}, {"pod", s.pod}}
}

func (s sample) key() string { return s.name + "/" + s.namespace + "/" + s.pod }

// answer gives an answer, by a node's clock that is offset behind ours.
func (f *feeder) answer(at, offset storage.Millis, samples ...sample) {
	if g := f.receiver.Generation(); g != f.generation {
		f.generation = g
		clear(f.handles)
	}
	b := Batch{Sent: at, Received: at, Offset: offset}
	seen := map[string]bool{}
	for _, s := range samples {
		if !f.receiver.Wants(s.name) {
			continue
		}
		h, ok := f.handles[s.key()]
		if !ok {
			h = f.receiver.Open(s.labels(), &Metadata{})
			f.handles[s.key()] = h
		}
		seen[s.key()] = true
		if h != 0 {
			b.Handles, b.Times, b.Values = append(b.Handles, h), append(b.Times, s.time), append(b.Values, s.value)
		}
	}
	var gone []Handle
	for key, h := range f.handles {
		if !seen[key] {
			delete(f.handles, key)
			if h != 0 {
				gone = append(gone, h)
			}
		}
	}
	f.receiver.Commit(&b, gone)
}

// found is what Select gives, by pod.
func found(r *Recent, namespace, name string, from, to storage.Millis) map[string]Points {
	all := map[string]Points{}
	r.Select(namespace, name, nil, from, to, func(p Points) bool {
		p.Times, p.Values = slices.Clone(p.Times), slices.Clone(p.Values)
		all[p.Labels.Get("pod")] = p
		return true
	})
	return all
}

func newTestRecent(t testing.TB, options RecentOptions, selectors ...Selector) *Recent {
	t.Helper()
	r, err := NewRecent(options)
	if err != nil {
		t.Fatal(err)
	}
	r.Want(selectors)
	return r
}

func TestRecent(t *testing.T) {
	r := newTestRecent(t, RecentOptions{}, Selector{Name: "rx", Range: 60_000}, Selector{Name: "container_cpu_usage_seconds_total", Range: 1000})
	if got, want := r.Sources(), SourceSetOf(Cadvisor, Resource); got != want {
		t.Errorf("sources %b, want %b", got, want)
	}
	f := newFeeder(t, r, "n", Cadvisor)
	f.answer(100_000, 5, sample{"rx", "a", "p", 99_000, 1}, sample{"rx", "b", "q", 99_000, 2}, sample{"tx", "a", "p", 99_000, 3})
	f.answer(115_000, 5, sample{"rx", "a", "p", 99_000, 1}, sample{"rx", "b", "q", 114_000, 4}) // p is not new.
	f.answer(130_000, 5, sample{"rx", "a", "p", 129_000, 5})                                    // q is gone.

	got := found(r, "a", "rx", 0, 200_000)
	if p := got["p"]; len(got) != 1 || !slices.Equal(p.Times, []storage.Millis{99_005, 129_005}) || !slices.Equal(p.Values, []float64{1, 5}) {
		t.Errorf("in a: %v", got)
	} else if p.Labels.Get("node") != "n" || p.Labels.Get("metrics_path") != "/metrics/cadvisor" {
		t.Errorf("labels %v", p.Labels)
	}
	q := found(r, "", "rx", 100_000, 130_000)["q"]
	if !slices.Equal(q.Times, []storage.Millis{114_005, 130_000}) || q.Values[0] != 4 || !IsStaleMarker(q.Values[1]) {
		t.Errorf("q: %v", q)
	}
	if got := found(r, "", "tx", 0, 200_000); len(got) != 0 {
		t.Errorf("not selected: %v", got)
	}

	if got := r.Answered("n", Cadvisor); got != 130_000 || r.Answered("n", Resource) != 0 || r.Answered("m", Cadvisor) != 0 {
		t.Errorf("answered at %v", got)
	}
	if r.Offset("n") != 5 || r.Offset("m") != 0 {
		t.Errorf("the node's clock is %d ms behind", r.Offset("n"))
	}

	// It comes back, as the same series.
	f.answer(145_000, 5, sample{"rx", "a", "p", 129_000, 5}, sample{"rx", "b", "q", 144_000, 1})
	if back := found(r, "b", "rx", 0, 200_000); len(back) != 1 || back["q"].Series != q.Series || len(back["q"].Times) != 4 {
		t.Errorf("q, back: %v", back)
	}

	f.receiver.End(150_000)
	if got := r.Answered("n", Cadvisor); got != 0 {
		t.Errorf("answered at %v, after its end", got)
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// The semantics are tested by scripts: a script is a list of steps, in the
// order in which they happen to one node and one store. Times are seconds since
// epoch by our clock where a step happens, and by the node's clock where a
// sample was read or a container began.

// epoch is second 0 of every script.
const epoch storage.Millis = 1_700_000_000_000

// Names and sizes that scripts use where they do not matter.
const (
	scriptNode    = "node-a"
	scriptMemory  = 100 << 20
	scriptResolve = 15 * time.Second
)

// at is a moment of a script.
func at(seconds float64) storage.Millis { return epoch + millis(seconds) }

// millis is a length of time.
func millis(seconds float64) storage.Millis { return storage.Millis(math.Round(seconds * 1000)) }

// script is the store under test and what the cluster knows of its pods.
type script struct {
	t       *testing.T
	store   *storage.Store
	offset  storage.Millis
	usage   storage.Sample
	usageBy uint64
	status  map[string][]storage.ContainerStatus
	started map[string]storage.Millis
	last    storage.CommitResult
}

// step is one thing that happens in a script.
type step func(s *script)

// play runs a script at a resolution of 15 s, so with a staleness bound of 60 s.
func play(t *testing.T, steps ...step) {
	t.Helper()
	playAt(t, scriptResolve, steps...)
}

func playAt(t *testing.T, resolution time.Duration, steps ...step) {
	t.Helper()
	s := &script{t: t, status: map[string][]storage.ContainerStatus{}, started: map[string]storage.Millis{}}
	var err error
	s.store, err = storage.New(storage.Options{
		Resolution: resolution,
		FindPod: statusFunc(func(namespace, name string) ([]storage.ContainerStatus, bool) {
			if namespace != "shop" {
				return nil, false
			}
			statuses, known := s.status[name]
			return statuses, known
		}).findPod,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		step(s)
	}
}

// line is what one answer says of one container of a pod in namespace shop.
type line struct {
	pod, container string
	sample         storage.Sample
	estimate       uint64
}

// read is a container's sample: its CPU counter in seconds, and the script's
// memory. container is "pod/container".
func read(container string, when, cpuSeconds float64) line {
	pod, name, _ := strings.Cut(container, "/")
	return line{pod: pod, container: name, sample: storage.Sample{
		Time:   at(when),
		CPU:    uint64(math.Round(cpuSeconds * 1e9)),
		Memory: scriptMemory,
		Has:    storage.HasCPU | storage.HasMemory,
	}}
}

func (l line) started(when float64) line { l.sample.Start = at(when); return l }
func (l line) memory(bytes uint64) line  { l.sample.Memory = bytes; return l }
func (l line) estimated(milli uint64) line {
	l.estimate = milli * 1_000_000
	return l
}

func (l line) swap(bytes uint64) line {
	l.sample.Swap = bytes
	l.sample.Has |= storage.HasSwap
	return l
}

func (l line) without(fields storage.Fields) line {
	l.sample.Has &^= fields
	return l
}

// scrape commits an answer that was complete at a moment.
func scrape(when float64, lines ...line) step { return scrapeNode(when, scriptNode, lines...) }

func scrapeNode(when float64, node string, lines ...line) step {
	return func(s *script) {
		s.t.Helper()
		keys := make([]storage.ContainerKey, len(lines))
		for i, l := range lines {
			keys[i] = storage.ContainerKey{Namespace: "shop", Pod: l.pod, Container: l.container}
		}
		layout, rows := storage.NewLayout(keys)
		b := &storage.Batch{
			Node: node, Sent: at(when) - 20, Received: at(when), Offset: s.offset,
			Usage: s.usage, UsageEstimate: s.usageBy,
			Layout: layout, Samples: make([]storage.Sample, len(lines)), Estimates: make([]uint64, len(lines)),
		}
		for i, row := range rows {
			b.Samples[row], b.Estimates[row] = lines[i].sample, lines[i].estimate
		}
		var err error
		if s.last, err = s.store.Commit(b); err != nil {
			s.t.Fatalf("at %v: commit: %v", when, err)
		}
	}
}

// answers expects what a read of a pod gives, as show says it.
func answers(when float64, pod, want string) step { return answersFrom(when, scriptNode, pod, want) }

func answersFrom(when float64, node, pod, want string) step {
	return func(s *script) {
		s.t.Helper()
		usage, absence := s.store.Pod(nil, storage.PodQuery{
			Node: node, Namespace: "shop", Name: pod, Started: s.started[pod], Containers: s.status[pod],
		}, at(when))
		if got := show(usage, absence); got != want {
			s.t.Errorf("at %v: pod %s: got %q, want %q", when, pod, got, want)
		}
	}
}

// answersNode expects what a read of the node gives.
func answersNode(when float64, want string) step {
	return func(s *script) {
		s.t.Helper()
		u, absence := s.store.Node(scriptNode, at(when))
		got := word(absence)
		if absence == storage.Present {
			got = showTime(u.Time, u.Window) + " " + showUsage(u.CPU, u.Memory, u.Swap, u.HasSwap)
		}
		if got != want {
			s.t.Errorf("at %v: node: got %q, want %q", when, got, want)
		}
	}
}

// cluster sets what the cluster knows of a pod: each container is "name" where
// it runs and "-name" where it waits or has terminated.
func cluster(pod string, containers ...string) step {
	return func(s *script) {
		statuses := []storage.ContainerStatus{}
		for _, c := range containers {
			name, stopped := strings.CutPrefix(c, "-")
			statuses = append(statuses, storage.ContainerStatus{Name: name, Running: !stopped})
		}
		s.status[pod] = statuses
	}
}

// podStarted sets a pod's status.startTime, by the node's clock.
func podStarted(pod string, when float64) step {
	return func(s *script) { s.started[pod] = at(when) }
}

// clock sets how far our clock is ahead of the node's, in seconds.
func clock(seconds float64) step { return func(s *script) { s.offset = millis(seconds) } }

// offset expects how far the store says that our clock is ahead of a node's, in
// seconds.
func offset(node string, want float64) step {
	return func(s *script) {
		s.t.Helper()
		if got := s.store.Offset(node); got != millis(want) {
			s.t.Errorf("the offset of %s is %v, want %v s", node, got, want)
		}
	}
}

// nodeUsage sets the node's own sample for the scrapes that follow.
func nodeUsage(sample storage.Sample, estimate uint64) step {
	return func(s *script) { s.usage, s.usageBy = sample, estimate }
}

// refused expects what the last scrape refused; nothing else may be refused.
func refused(want map[storage.Refusal]int) step {
	return func(s *script) {
		s.t.Helper()
		for r, got := range s.last.Refused {
			if got != want[storage.Refusal(r)] {
				s.t.Errorf("refused as %v: got %d, want %d", storage.Refusal(r), got, want[storage.Refusal(r)])
			}
		}
	}
}

// unrated expects the counts of the last scrape.
func unrated(containers, without int) step {
	return func(s *script) {
		s.t.Helper()
		if s.last.Containers != containers || s.last.Unrated != without {
			s.t.Errorf("got %d containers of which %d unrated, want %d of which %d", s.last.Containers, s.last.Unrated, containers, without)
		}
	}
}

// show is "time/window name=cpu,..." in seconds since epoch and millicores, with
// what else is not as usual; or the absence in a word.
func show(u storage.PodUsage, absence storage.Absence) string {
	if absence != storage.Present {
		return word(absence)
	}
	out := showTime(u.Time, u.Window)
	for _, c := range u.Containers {
		out += " " + c.Name + "=" + showUsage(c.CPU, c.Memory, c.Swap, c.HasSwap)
	}
	return out
}

func showTime(t, window storage.Millis) string {
	return fmt.Sprintf("%v/%v", float64(t-epoch)/1000, float64(window)/1000)
}

func showUsage(cpu, memory, swap uint64, hasSwap bool) string {
	out := fmt.Sprintf("%dm", cpu/1_000_000)
	if rest := cpu % 1_000_000; rest != 0 {
		out = fmt.Sprintf("%dn", cpu)
	}
	if memory != scriptMemory {
		out += fmt.Sprintf(",memory=%d", memory)
	}
	if hasSwap {
		out += fmt.Sprintf(",swap=%d", swap)
	}
	return out
}

// word is an absence in a word or two.
func word(a storage.Absence) string {
	return cmp.Or(map[storage.Absence]string{
		storage.NotScraped:  "not scraped",
		storage.NotReported: "not reported",
		storage.NoRate:      "no rate",
		storage.Stale:       "stale",
		storage.Predates:    "predates",
		storage.Incomplete:  "incomplete",
	}[a], "unknown")
}

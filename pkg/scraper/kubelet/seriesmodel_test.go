// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// keeper is a receiver that remembers what it was told, as text.
type keeper struct {
	t testing.TB
	// open is what handles stand for.
	open map[series.Handle]string
	next series.Handle
	// samples is the last answer, gone what was gone in it, opened what was new.
	samples, gone, opened []string
	commits               int
	meta                  map[string]series.Metadata
	ended                 bool
}

func newKeeper(t testing.TB) *keeper {
	return &keeper{t: t, open: map[series.Handle]string{}, meta: map[string]series.Metadata{}}
}

func labelText(labels series.Labels) string {
	var b strings.Builder
	for i, l := range labels {
		if i > 0 && labels[i-1].Name >= l.Name {
			b.WriteString("UNSORTED ")
		}
		fmt.Fprintf(&b, "%s=%q,", l.Name, l.Value)
	}
	return b.String()
}

func (k *keeper) Open(labels series.Labels, meta *series.Metadata) series.Handle {
	k.next++
	text := labelText(labels)
	k.open[k.next] = text
	k.opened = append(k.opened, text)
	k.meta[strings.Clone(labels.Get(series.NameLabel))] = *meta
	return k.next
}

func (k *keeper) Commit(b *series.Batch, gone []series.Handle) {
	k.commits++
	k.samples, k.gone = nil, nil
	for i, h := range b.Handles {
		text, ok := k.open[h]
		if !ok {
			k.t.Fatalf("sample of handle %d, which is not open", h)
		}
		k.samples = append(k.samples, fmt.Sprintf("%s %d %v", text, b.Times[i], b.Values[i]))
	}
	for _, h := range gone {
		text, ok := k.open[h]
		if !ok {
			k.t.Fatalf("handle %d is gone, and was not open", h)
		}
		k.gone = append(k.gone, text)
		delete(k.open, h)
	}
	slices.Sort(k.samples)
	slices.Sort(k.gone)
	slices.Sort(k.opened)
}

func (k *keeper) Failed(storage.Millis) {}

func (k *keeper) End(storage.Millis) { k.ended = true }

// pickyKeeper wants only some names, and not all of their series.
type pickyKeeper struct {
	keeper
	generation uint64
	// unwanted is the first letter of names that it does not want.
	unwanted byte
}

func (k *pickyKeeper) Generation() uint64 { return k.generation }

func (k *pickyKeeper) Wants(name string) bool { return name[0] != k.unwanted }

// takes says whether a series, as labelText has it, gets a handle.
func (k *pickyKeeper) takes(text string) bool { return len(text)%5 != 0 }

func (k *pickyKeeper) Open(labels series.Labels, meta *series.Metadata) series.Handle {
	if !k.Wants(labels.Get(series.NameLabel)) {
		k.t.Fatalf("opened %v, which is not wanted", labels)
	}
	if !k.takes(labelText(labels)) {
		return 0
	}
	return k.keeper.Open(labels, meta)
}

func (k *pickyKeeper) turn(unwanted byte) {
	k.generation++
	k.unwanted = unwanted
	clear(k.open)
}

// plainSeries is one series of an answer: text identifies it, labels are as
// labelText has them, sample as keeper has them.
type plainSeries struct{ text, name, labels, sample string }

// plainRead reads an answer in the plainest way; ok is false where it cannot be
// used.
func plainRead(body []byte, sent storage.Millis) (all []plainSeries, ok bool) {
	lines := exposition.NewLines(body)
	seen := map[string]bool{}
	for line, more := lines.Next(); more; line, more = lines.Next() {
		var s exposition.Series
		if s.MaxLabels = 64; s.Parse(line) != nil {
			continue
		}
		labels := series.Labels{{Name: nameLabel, Value: string(s.Name)}}
		for _, label := range s.Labels {
			labels = append(labels, series.Label{Name: string(label.Name), Value: string(label.Value())})
		}
		slices.SortFunc(labels, func(a, b series.Label) int { return strings.Compare(a.Name, b.Name) })
		twice := false
		for i := range labels[1:] {
			twice = twice || labels[i].Name == labels[i+1].Name
		}
		v, err := exposition.ParseFloat(s.Sample.Value)
		t := sent
		if s.Sample.HasTimestamp {
			t = storage.Millis(s.Sample.Timestamp)
		}
		if err != nil || twice || t <= 0 || t > maxMillis {
			continue
		}
		ok = true
		if text := string(s.Text); !seen[text] {
			seen[text] = true
			all = append(all, plainSeries{text, string(s.Name), labelText(labels), fmt.Sprintf("%s %d %v", labelText(labels), t, v)})
		}
	}
	return all, ok && !lines.Truncated()
}

// modelFeed is what a feed must have seen.
type modelFeed struct {
	open map[string]string // Labels, by text.
	// all is set where the next answer is all new.
	all bool
}

// expect moves on by an answer, of which wants says what is given a handle.
func (m *modelFeed) expect(answer []plainSeries, wants func(plainSeries) bool) (samples, opened, gone []string) {
	if m.all {
		m.open, m.all = map[string]string{}, false
	}
	now := map[string]string{}
	for _, s := range answer {
		if !wants(s) {
			continue
		}
		now[s.text] = s.labels
		samples = append(samples, s.sample)
		if _, ok := m.open[s.text]; !ok {
			opened = append(opened, s.labels)
		}
	}
	for text, labels := range m.open {
		if _, ok := now[text]; !ok {
			gone = append(gone, labels)
		}
	}
	m.open = now
	slices.Sort(samples)
	slices.Sort(opened)
	slices.Sort(gone)
	return samples, opened, gone
}

// holdSeries reads answers one after the other by a stream with two receivers, and
// holds what they are told against the model. turns says before which answers the
// second of them changes its mind.
func holdSeries(t *testing.T, bodies [][]byte, turns uint64) {
	t.Helper()
	const sent = storage.Millis(5000)
	decoder := NewSeriesDecoder(Options{})
	stream := decoder.Stream("n", series.Cadvisor)
	all := newKeeper(t)
	picky := &pickyKeeper{keeper: *newKeeper(t), generation: 1, unwanted: 'c'}
	stream.Attach(all)
	stream.Attach(picky)
	allModel, pickyModel := modelFeed{all: true}, modelFeed{all: true}
	for i, body := range bodies {
		if turns>>i&1 != 0 {
			picky.turn("abcz"[i%4])
			pickyModel.all = true
		}
		// The decoder must keep no part of a body.
		copied := bytes.Clone(body)
		all.opened, picky.opened = nil, nil
		commits := all.commits
		_, err := stream.Decode(SeriesAnswer{Body: copied, Sent: sent + 7, Received: sent + 8, Offset: 7})
		for j := range copied {
			copied[j] = '!'
		}
		answer, ok := plainRead(body, sent)
		if (err == nil) != ok {
			t.Fatalf("answer %d, %q: %v, want %v", i, body, err, ok)
		}
		if !ok {
			if all.commits != commits {
				t.Fatalf("answer %d, %q: refused and committed", i, body)
			}
			continue
		}
		if receiver, err := stream.Broken(); err != nil {
			t.Fatalf("answer %d: %T: %v", i, receiver, err)
		}
		hold := func(name string, k *keeper, m *modelFeed, wants func(plainSeries) bool) {
			samples, opened, gone := m.expect(answer, wants)
			if !slices.Equal(k.samples, samples) || !slices.Equal(k.opened, opened) || !slices.Equal(k.gone, gone) {
				t.Fatalf("answer %d, %q, to the one who wants %s:\nsamples %q\n   want %q\nopened %q\n  want %q\ngone %q\nwant %q",
					i, body, name, k.samples, samples, k.opened, opened, k.gone, gone)
			}
		}
		hold("all", all, &allModel, func(plainSeries) bool { return true })
		hold("some", &picky.keeper, &pickyModel, func(s plainSeries) bool { return picky.Wants(s.name) && picky.takes(s.labels) })
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"bytes"
	"fmt"
	"hash/maphash"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// readText reads an answer in the text format.
func (r *seriesReading) readText() error {
	if n := len(r.body); n > 0 && r.body[n-1] != '\n' {
		return ErrTruncated
	}
	r.memory.parser.MaxLabels = r.stream.decoder.options.MaxLabels
	bound := r.stream.decoder.options.MaxSeries
	r.comments = -1
	for at := 0; at < len(r.body); {
		r.number++
		if r.body[at] == '#' {
			if !r.commenting {
				r.comments, r.commenting = at, true
			}
			at = r.lineEnd(at)
			continue
		}
		if r.count++; r.count > bound {
			return fmt.Errorf("line %d: %w: the bound is %d", r.number, ErrTooManySeries, bound)
		}
		next := r.expected(at)
		if next == 0 {
			next = r.unexpected(at)
		}
		r.commenting = false
		at = next
	}
	if !r.told && len(r.walk.times) == 0 {
		return ErrNoMetrics
	}
	return nil
}

// lineEnd is where the line after the one at a place begins.
func (r *seriesReading) lineEnd(at int) int { return at + bytes.IndexByte(r.body[at:], '\n') + 1 }

// expected reads the line at a place if it is one that nobody wants, or the next of
// the plan, which costs a hash, and gives where the next line begins; 0 is that it
// is neither.
func (r *seriesReading) expected(at int) (next int) {
	rest := r.body[at:]
	if r.wanted == 0 || r.reopening != 0 {
		// The metric has to be known.
		n := len(r.name)
		if n > 0 && len(rest) > n && (rest[n] == '{' || rest[n] == ' ') && bytes.Equal(rest[:n], r.name) {
			if r.wanted == 0 {
				return r.lineEnd(at)
			}
		} else if r.reopening != 0 {
			return 0
		}
		if r.wanted&r.reopening != 0 {
			return 0
		}
	}
	w := r.walk
	p := w.plan
	if w.at >= len(p.hashes) {
		return 0
	}
	// With a blank behind it, and a sample behind that, it is plain that the parser
	// would end the series there too.
	n := int(p.lengths[w.at])
	if n >= len(rest) || rest[n] != ' ' || maphash.Bytes(r.stream.decoder.seed, rest[:n]) != p.hashes[w.at] {
		return 0
	}
	bound := r.stream.decoder.options.MaxLineBytes
	if p.isIdle(w.at) { // Nobody asks for its number.
		if next = r.lineEnd(at + n); next-1-at > bound {
			return 0
		}
		w.matched(0, 0)
		return next
	}
	v, t, ok, length := exposition.ScanSample(rest[n:])
	if length == 0 || n+length-1 > bound {
		return 0
	}
	if !ok {
		t = int64(r.sent)
	} else if t <= 0 || t > maxMillis {
		return 0
	}
	w.matched(storage.Millis(t), v)
	return at + n + length
}

// unexpected reads the line at a place by the parser, and gives where the next line
// begins.
func (r *seriesReading) unexpected(at int) (next int) {
	next = r.lineEnd(at)
	line := bytes.TrimLeft(r.body[at:next-1], " \t")
	if len(line) == 0 || line[0] == '#' {
		r.count--
		return next
	}
	at = next - 1 - len(line)
	options := &r.stream.decoder.options
	name := exposition.Name(line)
	first := !bytes.Equal(name, r.name)
	if first {
		r.enter(name)
	}
	if r.wanted == 0 && !first && len(name) > 0 {
		return next
	}
	if len(line) > options.MaxLineBytes {
		r.refuse(RefusedTooLong, at)
		return next
	}
	parser := &r.memory.parser
	if err := parser.Parse(line); err != nil {
		r.refuse(syntaxReason(err), at)
		return next
	}
	if r.wanted == 0 {
		r.told = true // One line of each metric is looked at, to know that it is one.
		return next
	}
	for i, label := range parser.Labels {
		if len(label.Raw) > options.MaxLabelBytes || len(label.Name) > options.MaxLabelBytes {
			r.refuse(RefusedTooLong, at)
			return next
		}
		if string(label.Name) == nameLabel || hasLabel(parser.Labels[:i], label.Name) {
			r.refuse(RefusedLabels, at)
			return next
		}
	}
	v, err := exposition.ParseFloat(parser.Sample.Value)
	if err != nil {
		r.refuse(numberReason(err), at)
		return next
	}
	t := r.sent
	if parser.Sample.HasTimestamp {
		if t = storage.Millis(parser.Sample.Timestamp); t <= 0 || t > maxMillis {
			r.refuse(RefusedTimestamp, at)
			return next
		}
	}
	r.sample(pendingSeries{
		hash: maphash.Bytes(r.stream.decoder.seed, parser.Text), length: uint16(len(parser.Text)),
		family: r.family, wanted: r.wanted, origin: -1, line: int32(at), end: int32(next - 1), comments: int32(r.comments),
	}, t, v)
	return next
}

// enter begins a metric.
func (r *seriesReading) enter(name []byte) {
	r.name, r.entered = name, true
	r.family, r.wanted = 0, 0
	if len(name) > 0 {
		r.family = hash32(r.stream.decoder.seed, name)
		r.wanted = r.wantedOf(r.stream.decoder.names.of(name))
	}
}

// sample takes a sample of a series that was parsed: it may be a step of the plan
// further on, where others did not come.
func (r *seriesReading) sample(p pendingSeries, t storage.Millis, v float64) {
	w := r.walk
	step := w.plan.place(w.at, p.hash, int(p.length))
	if step < 0 && r.entered {
		if first := w.plan.family(w.at, p.family); first >= 0 {
			step = w.plan.place(first, p.hash, int(p.length))
		}
	}
	r.entered = false
	if step < 0 {
		w.pend(p, t, v)
		return
	}
	w.skipTo(step)
	if r.wanted&r.reopening != 0 {
		p.origin = int32(step)
		w.pend(p, t, v)
		w.at++
		return
	}
	w.matched(t, v)
}

// hasLabel says whether one of the labels has the name.
func hasLabel(labels []exposition.Label, name []byte) bool {
	for _, label := range labels {
		if bytes.Equal(label.Name, name) {
			return true
		}
	}
	return false
}

// refuse counts a line that is not taken.
func (r *seriesReading) refuse(reason Reason, at int) {
	r.stats.refuse(Refusal{Reason: reason, Line: r.number, Offset: at})
}

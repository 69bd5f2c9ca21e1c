// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"errors"
	"fmt"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// maxMillis is the end of the year 9999. It leaves room to shift a time by any
// clock offset without overflow.
const maxMillis = 253_402_300_799_999

// minStart is the beginning of the year 1990. A start before it is no moment
// but a length of time: kwok's sample configuration gives a container's age,
// which would look like a new start at every scrape.
const minStart = 631_152_000_000

// reading is one pass over an answer of /metrics/resource.
type reading struct {
	options Options
	sent    storage.Millis
	lines   exposition.Lines
	series  *exposition.Series
	plan    plan
	slots   slots
	node    slots // One slot, the node itself.
	// told is set when the kubelet says, in whatever way, how its scrape went.
	told  bool
	stats Stats
}

// run reads all lines. After an error nothing of the reading must be used.
func (r *reading) run() error {
	count := 0
	for {
		if !r.pass() {
			line, ok := r.lines.Next()
			if !ok {
				break
			}
			r.read(line)
		}
		if count++; count > r.options.MaxSeries {
			return fmt.Errorf("read resource metrics: line %d: %w: the bound is %d", r.lines.Number(), ErrTooManySeries, r.options.MaxSeries)
		}
		if r.slots.listed > r.options.MaxContainers {
			return fmt.Errorf("read resource metrics: line %d: %w: the bound is %d", r.lines.Number(), ErrTooManyContainers, r.options.MaxContainers)
		}
	}
	if r.lines.Truncated() {
		return fmt.Errorf("read resource metrics: line %d: %w", r.lines.Number(), ErrTruncated)
	}
	r.stats.Containers = r.slots.listed
	if r.slots.listed > 0 || r.node.listed > 0 || r.told && r.stats.ScrapeErrors == 0 {
		return nil
	}
	return fmt.Errorf("read resource metrics: %w", ErrNoMetrics)
}

// pass takes the next line where all of it is as expected: a series that stood here the
// last time, with a number and a time as kubelets write them. That is what nearly all
// lines are that are taken, so they are read in one pass that does not even look for
// their end. False is: nothing has happened, and read does it all (BenchmarkResource;
// FuzzResource holds that it makes no difference).
func (r *reading) pass() bool {
	rest := r.lines.Rest()
	s, ok := r.plan.match(rest)
	if !ok {
		return false
	}
	sample := exposition.ParsePlain(rest[s.length:], s.kind.places())
	size := int(s.length) + sample.Size
	if sample.Size == 0 || size > r.options.MaxLineBytes || s.kind == kindStart && !isStart(sample.Value) || r.slots.seen(s.slot, s.kind) {
		return false
	}
	time := r.sent
	if sample.Timestamp != 0 {
		time = storage.Millis(sample.Timestamp)
	}
	r.lines.Pass(size)
	r.slots.see(s.slot, s.kind)
	r.slots.set(s.slot, s.kind, sample.Value, time)
	r.stats.Series++
	r.plan.follow(s)
	return true
}

// read takes one line.
func (r *reading) read(line []byte) {
	if isPodSum(line) {
		return
	}
	if s, ok := r.plan.match(line); ok && len(line) <= r.options.MaxLineBytes {
		r.follow(s, line)
		return
	}
	name := exposition.Name(line)
	scope, kind := familyOf(name)
	if scope == scopeOther && len(name) > 0 {
		return
	}
	if len(line) > r.options.MaxLineBytes {
		r.refuse(RefusedTooLong)
		return
	}
	if err := r.series.Parse(line); err != nil {
		r.refuse(syntaxReason(err))
		return
	}
	switch scope {
	case scopeContainer:
		r.readContainer(kind)
	case scopeNode:
		r.take(&r.node, 0, kind, r.series.Sample)
	case scopeKubelet:
		r.readScrapeError()
	}
}

// follow takes a line whose series is known from the previous answer.
func (r *reading) follow(s step, line []byte) {
	sample, err := exposition.ParseSample(line[s.length:])
	if err != nil {
		// The step stays where it is: as far as the plan goes, the line is not
		// there, as it would not be if it had been parsed.
		r.refuse(syntaxReason(err))
		return
	}
	if r.take(&r.slots, s.slot, s.kind, sample) {
		r.plan.follow(s)
	} else {
		r.plan.drop()
	}
}

// readContainer takes the parsed series, which is one of a container.
func (r *reading) readContainer(k kind) {
	name, ok := containerOf(r.series.Labels)
	if !ok {
		r.refuse(RefusedLabels)
		return
	}
	if string(name.container) == "POD" {
		return
	}
	if bound := r.options.MaxNameBytes; len(name.namespace) > bound || len(name.pod) > bound || len(name.container) > bound {
		r.refuse(RefusedTooLong)
		return
	}
	slot := r.slots.find(name)
	if r.take(&r.slots, slot, k, r.series.Sample) {
		r.plan.add(r.series.Text, slot, k)
	}
}

// containerOf is the container that the labels name; ok is false where one of
// the three names is missing, empty, or there twice. Other labels may be there.
func containerOf(labels []exposition.Label) (name containerName, ok bool) {
	for _, label := range labels {
		var part *[]byte
		switch string(label.Name) {
		case "namespace":
			part = &name.namespace
		case "pod":
			part = &name.pod
		case "container":
			part = &name.container
		default:
			continue
		}
		if len(*part) > 0 || len(label.Raw) == 0 {
			return name, false
		}
		*part = label.Value()
	}
	return name, len(name.namespace) > 0 && len(name.pod) > 0 && len(name.container) > 0
}

// take puts one number into a slot, or refuses it. It says whether the series
// is the first of its kind for this slot, whatever its number is worth.
func (r *reading) take(to *slots, slot int32, k kind, sample exposition.Sample) (first bool) {
	if !to.see(slot, k) {
		r.refuse(RefusedDuplicate)
		return false
	}
	time := r.sent
	if sample.HasTimestamp {
		time = storage.Millis(sample.Timestamp)
		if time <= 0 || time > maxMillis {
			r.refuse(RefusedTimestamp)
			return true
		}
	}
	value, err := exposition.ParseUint(sample.Value, k.places())
	if err != nil {
		r.refuse(numberReason(err))
		return true
	}
	if k == kindStart && !isStart(value) {
		r.refuse(RefusedTimestamp)
		return true
	}
	to.set(slot, k, value, time)
	r.stats.Series++
	return true
}

// isStart is whether a container's start can be that, or 0, which is none.
func isStart(value uint64) bool { return value == 0 || value >= minStart && value <= maxMillis }

// readScrapeError takes the parsed series, which is the kubelet's word on how
// its own reading of the containers went.
func (r *reading) readScrapeError() {
	if r.told {
		r.refuse(RefusedDuplicate)
		return
	}
	failed, err := exposition.ParseUint(r.series.Sample.Value, 0)
	if err != nil {
		r.refuse(numberReason(err))
		return
	}
	r.told = true
	r.stats.Series++
	if failed != 0 {
		r.stats.ScrapeErrors = 1
	}
}

func (r *reading) refuse(reason Reason) {
	r.stats.refuse(Refusal{Reason: reason, Line: r.lines.Number(), Offset: r.lines.Offset()})
}

// syntaxReason is why a line that cannot be parsed is refused.
func syntaxReason(err error) Reason {
	var syntax exposition.SyntaxError
	if errors.As(err, &syntax) && (syntax.Fault == exposition.FaultTooLong || syntax.Fault == exposition.FaultTooManyLabels) {
		return RefusedTooLong
	}
	return RefusedSyntax
}

// numberReason is why a value is refused.
func numberReason(err error) Reason {
	var number exposition.NumberError
	if !errors.As(err, &number) {
		return RefusedSyntax
	}
	switch number {
	case exposition.ErrNaN:
		return RefusedNotANumber
	case exposition.ErrInfinite:
		return RefusedInfinite
	case exposition.ErrNegative:
		return RefusedNegative
	case exposition.ErrOverflow:
		return RefusedOverflow
	default:
		return RefusedSyntax
	}
}

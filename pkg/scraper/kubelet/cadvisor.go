// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"bytes"
	"fmt"
	"hash/maphash"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// cadvisor reads an answer of /metrics/cadvisor.
func (d *InputDecoder) cadvisor(body []byte, a *InputAnswer) (Stats, error) {
	a.series.MaxLabels = d.options.MaxLabels
	r := cadvisorReading{
		decoder: d, wanted: a.Batch.Inputs, sent: sentByNode(&a.Batch),
		lines: exposition.NewLines(body), series: &a.series, rows: &a.rows, sequences: &a.sequences,
	}
	for id := range r.wanted.Each() {
		r.listing = r.listing || d.table[id].Level == input.OfContainer
	}
	err := r.run()
	// The labels point into the body, which is not ours to keep.
	clear(a.series.Labels[:cap(a.series.Labels)])
	a.series = exposition.Series{Labels: a.series.Labels[:0]}
	for i := range a.sequences {
		a.sequences[i].end()
	}
	if err != nil {
		return r.stats, fmt.Errorf("read cadvisor metrics: line %d: %w", r.lines.Number(), err)
	}
	if r.wanted.Has(input.OOMEvents) && r.rows.zero(input.OOMEvents) {
		// Kubelets from 1.37 on have the series and never count. That cannot be
		// told from a node on which nothing was ever killed.
		r.rows.drop(input.OOMEvents)
	}
	return r.stats, nil
}

// cadvisorReading is one pass over an answer of /metrics/cadvisor.
type cadvisorReading struct {
	decoder *InputDecoder
	wanted  input.Set
	sent    storage.Millis
	// listing says that all containers are to be listed, those too that no
	// wanted series names.
	listing bool

	lines     exposition.Lines
	series    *exposition.Series
	rows      *inputRows
	sequences *[cadvisorShapes]sequence
	stats     Stats
	// told is set when the kubelet says how its reading went.
	told bool

	// name is the metric of the lines that are being read, family what is known
	// of it, and takes whether it matters.
	name   []byte
	family cadvisorFamily
	takes  bool
}

// run reads all lines.
func (r *cadvisorReading) run() error {
	options := &r.decoder.options
	for count := 1; ; count++ {
		line, ok := r.lines.Next()
		if !ok {
			break
		}
		if count > options.MaxSeries {
			return fmt.Errorf("%w: the bound is %d", ErrTooManySeries, options.MaxSeries)
		}
		if n := len(r.name); n == 0 || len(line) <= n || !bytes.Equal(line[:n], r.name) || line[n] != '{' {
			r.enter(exposition.Name(line))
		}
		if !r.takes {
			continue
		}
		r.read(line)
		if r.rows.pods.seen > options.MaxContainers || r.rows.containers.seen > options.MaxContainers {
			return fmt.Errorf("%w: the bound is %d", ErrTooManyContainers, options.MaxContainers)
		}
	}
	switch {
	case r.lines.Truncated():
		return ErrTruncated
	case r.rows.taken > 0, r.rows.pods.seen > 0, r.told && r.stats.ScrapeErrors == 0:
		return nil
	}
	return ErrNoMetrics
}

// enter begins the lines of a metric.
func (r *cadvisorReading) enter(name []byte) {
	r.name = name
	r.family, r.takes = cadvisorFamilyOf(name), true
	switch r.family.role {
	case roleInput:
		r.takes = r.wanted.Has(r.family.id)
	case roleListing:
		r.takes = r.listing
	case roleNone:
		// A line without a name is worth a refusal.
		r.takes = len(name) == 0
	}
	if r.takes && r.family.role != roleHealth && len(name) > 0 {
		r.sequences[r.family.shape].turn()
	}
}

// read takes one line.
func (r *cadvisorReading) read(line []byte) {
	if len(line) > r.decoder.options.MaxLineBytes {
		r.refuse(RefusedTooLong)
		return
	}
	sequence := &r.sequences[r.family.shape]
	if r.family.role == roleInput || r.family.role == roleListing {
		if place, ok := sequence.match(line[len(r.name):]); ok {
			sample, err := exposition.ParseSample(line[len(r.name)+len(place.text):])
			if err != nil {
				r.refuse(syntaxReason(err))
				return
			}
			r.take(place.target, sample)
			return
		}
	}
	if err := r.series.Parse(line); err != nil {
		r.refuse(syntaxReason(err))
		return
	}
	if r.family.role == roleHealth {
		r.readHealth()
		return
	}
	target, reason, ok := r.resolve()
	if !ok {
		r.refuse(reason)
		return
	}
	sequence.add(r.series.Text[len(r.name):], target)
	r.take(target, r.series.Sample)
}

// resolve finds what the parsed series is of.
func (r *cadvisorReading) resolve() (to target, reason Reason, ok bool) {
	labels, ok := cadvisorLabelsOf(r.series.Labels)
	if !ok {
		return target{}, RefusedLabels, false
	}
	if bound := r.decoder.options.MaxNameBytes; len(labels.namespace) > bound || len(labels.pod) > bound || len(labels.container) > bound {
		return target{}, RefusedTooLong, false
	}
	to.source = maphash.Bytes(r.decoder.seed, labels.id)
	sandbox := len(labels.container) == 0 || string(labels.container) == "POD"
	switch {
	case len(labels.pod) == 0 && len(labels.namespace) == 0:
		// A slice of the system, or the node as a whole.
		if string(labels.id) != "/" || virtualInterface(labels.device) {
			return target{}, 0, true
		}
		to.of = ofNode
	case len(labels.pod) == 0 || len(labels.namespace) == 0:
		return target{}, RefusedLabels, false
	case sandbox:
		// A pod's cgroup as a whole, or the sandbox, which has its network.
		if string(labels.device) == "lo" {
			return target{}, 0, true
		}
		to.of, to.slot = ofPod, r.rows.pod(labels.namespace, labels.pod)
	default:
		to.of, to.slot = ofContainer, r.rows.container(r.rows.pod(labels.namespace, labels.pod), labels.container)
	}
	return to, 0, true
}

// take puts a number where it belongs, or refuses it.
func (r *cadvisorReading) take(to target, sample exposition.Sample) {
	if r.family.role == roleListing || to.of == ofNothing {
		return
	}
	info := &r.decoder.table[r.family.id]
	switch {
	case to.of == ofNode && !info.Node,
		to.of == ofPod && info.Level != input.OfPod,
		to.of == ofContainer && info.Level != input.OfContainer:
		return
	}
	n := slotReading{source: to.source}
	n.Time = r.sent
	if sample.HasTimestamp {
		if n.Time = storage.Millis(sample.Timestamp); n.Time <= 0 || n.Time > maxMillis {
			r.refuse(RefusedTimestamp)
			return
		}
	}
	var err error
	if n.Value, err = exposition.ParseUint(sample.Value, r.family.places); err != nil {
		r.refuse(numberReason(err))
		return
	}
	var reason Reason
	var ok bool
	if to.of == ofNode {
		reason, ok = r.rows.putOwn(r.family.id, n, r.family.sums)
	} else {
		reason, ok = r.rows.put(r.family.id, to.slot, n, r.family.sums)
	}
	if !ok {
		r.refuse(reason)
	}
}

// readHealth takes the parsed series, which is the kubelet's word on how its own
// reading of the containers went.
func (r *cadvisorReading) readHealth() {
	failed, err := exposition.ParseUint(r.series.Sample.Value, 0)
	if err != nil {
		r.refuse(numberReason(err))
		return
	}
	r.told = true
	if failed != 0 {
		r.stats.ScrapeErrors = 1
	}
}

func (r *cadvisorReading) refuse(reason Reason) {
	r.stats.refuse(Refusal{Reason: reason, Line: r.lines.Number(), Offset: r.lines.Offset()})
}

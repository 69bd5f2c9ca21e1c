// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"errors"
	"hash/maphash"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// The reasons for refusing an answer as a whole. The errors that a Decoder
// returns wrap them.
var (
	// ErrTooManySeries: the answer has more series than Options.MaxSeries.
	ErrTooManySeries = errors.New("too many series")
	// ErrTooManyContainers: the answer has more containers than
	// Options.MaxContainers.
	ErrTooManyContainers = errors.New("too many containers")
	// ErrTruncated: the answer does not end where a line ends.
	ErrTruncated = errors.New("answer is cut short")
	// ErrNoMetrics: the answer has no series of a container or the node, and
	// does not say that its scrape went well. An error page with status 200 is
	// such an answer, and so is what a kubelet gives that cannot read its
	// containers: resource_scrape_error 1 and nothing else.
	ErrNoMetrics = errors.New("no resource metrics in the answer")
	// ErrMalformed: the answer is not JSON, or not of the form of a summary.
	ErrMalformed = errors.New("malformed summary")
)

// Decoder reads the answers of one node. It must not be used concurrently.
//
// Between answers it keeps, beside the layout, about 64 bytes a container: the
// plan by which the next answer is read. There is one for every node, so whatever
// is added here is paid thousands of times.
type Decoder struct {
	options Options

	// What the previous answer left. Invariant: the slots of steps are rows of
	// layout.
	layout *storage.Layout
	steps  []step

	// scratch has the last batch's samples; nil once they are released.
	scratch *scratch

	// The node itself, while an answer is read.
	node     [1]storage.Sample
	nodeMark [1]mark

	seed maphash.Seed
}

// NewDecoder is a decoder for one node. The zero Options are the defaults;
// invalid ones, see Options.Validate, are a bug of the caller and panic.
func NewDecoder(options Options) *Decoder {
	if err := options.Validate(); err != nil {
		panic("BUG: " + err.Error())
	}
	options = options.withDefaults()
	return &Decoder{options: options, seed: maphash.MakeSeed()}
}

// Resource reads an answer of /metrics/resource and sets Usage, Layout and
// Samples of the batch. Usage and Samples hold times by the node's clock; sent
// is when the request was sent, by that same clock, and stands in for the
// timestamps that the answer does not give. Estimates and UsageEstimate of the
// batch are cleared.
//
// Layout is the same pointer as before as long as the answers list the same
// containers, in whatever order. Samples are valid until the next call, or until
// Release. After an error the batch is as it was; the decoder can go on with the
// next answer.
func (d *Decoder) Resource(body []byte, sent storage.Millis, batch *storage.Batch) (Stats, error) {
	if d.scratch == nil {
		d.scratch = d.options.Scratch.get()
	}
	d.scratch.resize(d.listed())
	d.scratch.series.MaxLabels = d.options.MaxLabels
	r := reading{
		options: d.options,
		sent:    sent,
		lines:   exposition.NewLines(body),
		series:  &d.scratch.series,
		plan:    plan{seed: d.seed, steps: d.steps, next: d.scratch.next},
		slots:   newSlots(d.layout, d.scratch.samples, d.scratch.marks),
		node:    newSlots(nil, d.node[:], d.nodeMark[:]),
	}
	err := r.run()
	// The labels point into the body, which is not ours to keep.
	labels := d.scratch.series.Labels
	clear(labels[:cap(labels)])
	d.scratch.series = exposition.Series{Labels: labels[:0]}
	if err != nil {
		return r.stats, err
	}

	r.slots.settle(sent)
	r.node.settle(sent)
	samples, steps := r.slots.samples, d.steps
	if next, changed := r.plan.finish(); changed {
		d.scratch.next, steps = next, keptSteps(d.steps, next)
	}
	if r.slots.changed() {
		d.layout, d.scratch.rows = r.slots.finish(d.scratch.rows)
		samples = d.scratch.move(samples, d.listed())
		for i := range steps {
			steps[i].slot = d.scratch.rows[steps[i].slot]
		}
	}
	d.scratch.samples, d.scratch.marks, d.steps = samples, r.slots.marks, steps
	batch.Usage, batch.Layout, batch.Samples = r.node.samples[0], d.layout, samples
	batch.Estimates, batch.UsageEstimate = nil, 0
	return r.stats, nil
}

// listed is how many containers the previous answer has listed.
func (d *Decoder) listed() int {
	if d.layout == nil {
		return 0
	}
	return len(d.layout.Containers)
}

// Release gives back what the samples of the last batch are in, to be used by the
// decoders of other nodes. It may be called at any time; without it, the decoder
// keeps them for itself.
func (d *Decoder) Release() {
	if d.scratch != nil {
		d.options.Scratch.put(d.scratch)
		d.scratch = nil
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"fmt"
	"hash/maphash"
	"sync"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// InputDecoder reads the answers from which inputs are taken, of any number of
// nodes. It is safe for concurrent use. Between two answers it keeps nothing of
// a node: what of an answer makes the next one cheaper to read is its layout,
// which the caller gives back.
type InputDecoder struct {
	options Options
	table   [input.IDs]input.Info
	seed    maphash.Seed
	answers sync.Pool // of *InputAnswer
}

// NewInputDecoder is a decoder with bounds. Invalid options are a bug of the
// caller and panic.
func NewInputDecoder(options Options) *InputDecoder {
	if err := options.Validate(); err != nil {
		panic("BUG: " + err.Error())
	}
	d := &InputDecoder{options: options.withDefaults(), table: input.Table(), seed: maphash.MakeSeed()}
	d.answers.New = func() any { return new(InputAnswer) }
	return d
}

// InputAnswer is a batch and the memory that an answer is read into. It is used
// by one goroutine at a time.
type InputAnswer struct {
	// Batch is what is read. The caller sets Node, Sent, Received, Offset,
	// Inputs, which is what to look for, and Layout, which is that of the
	// previous answer of the same source of the node, or nil; the decoder
	// replaces Layout where the answer's is another, and sets the rest.
	Batch input.Batch
	// Names is nil, or a layout of the same node whose strings are taken for the
	// names that it has, so that they are held once.
	Names *storage.Layout

	rows      inputRows
	series    exposition.Series
	sequences [cadvisorShapes]sequence
	pod       summaryPod
}

// Answer is a fresh answer. Release gives it back.
func (d *InputDecoder) Answer() *InputAnswer {
	a, _ := d.answers.Get().(*InputAnswer) // Nothing else is in the pool.
	return a
}

// Release gives an answer back, with all that its batch points to but the
// Layout.
func (d *InputDecoder) Release(a *InputAnswer) {
	a.Batch, a.Names = input.Batch{}, nil
	d.answers.Put(a)
}

// Decode reads an answer of the batch's source. After an error the batch must
// not be used.
func (d *InputDecoder) Decode(body []byte, a *InputAnswer) (Stats, error) {
	a.rows.begin(&a.Batch, a.Names, &d.table)
	defer a.rows.end()
	var stats Stats
	var err error
	switch a.Batch.Source {
	case input.Cadvisor:
		stats, err = d.cadvisor(body, a)
	case input.Summary:
		stats, err = d.summary(body, a)
	default:
		err = fmt.Errorf("BUG: no source %v", a.Batch.Source)
	}
	if err != nil {
		return stats, err
	}
	a.rows.finish(&a.Batch)
	stats.Series = a.rows.taken
	stats.Containers = a.rows.containers.seen
	return stats, nil
}

// sentByNode is when the request was sent, by the node's clock. It stands in for
// times that an answer does not give, and is never 0, which would be none.
func sentByNode(b *input.Batch) storage.Millis { return max(1, b.Sent-b.Offset) }

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// feed is a receiver, and the handles that it gave to the series of the plan.
type feed struct {
	receiver series.Receiver
	// chooser is the receiver, if it is one.
	chooser    series.Chooser
	generation uint64
	// handles has one for each series of the plan; all of them are wanted where
	// full is set.
	handles []series.Handle
	full    bool
	// opened is that it has seen an answer; until then all is new to it.
	opened bool
	// reopens is that every series of this answer is to be opened, as far as wanted,
	// and next is the generation of that.
	reopens bool
	next    uint64
	// failed is what it panicked with. A receiver that did is in no good state, and
	// is not called again.
	failed error
}

func newFeed(receiver series.Receiver) *feed {
	chooser, _ := receiver.(series.Chooser)
	return &feed{receiver: receiver, chooser: chooser}
}

// guard keeps a receiver's panic from the others, and from the scrape.
func (f *feed) guard() {
	if p := recover(); p != nil {
		f.failed = fmt.Errorf("BUG: receiver of series panicked: %v\n%s", p, debug.Stack())
	}
}

// begin asks whether series are to be opened again.
func (f *feed) begin() {
	defer f.guard()
	f.reopens = !f.opened
	if f.chooser != nil {
		f.next = f.chooser.Generation()
		f.reopens = f.reopens || f.next != f.generation
	}
}

// wants says whether series of the name are to be opened.
func (f *feed) wants(name string) (ok bool) {
	defer f.guard()
	return f.chooser == nil || f.chooser.Wants(name)
}

// open opens a series.
func (f *feed) open(labels series.Labels, meta *series.Metadata) (h series.Handle) {
	defer f.guard()
	return f.receiver.Open(labels, meta)
}

// commit hands over an answer, and says how many samples of it the receiver wants;
// memory is for the batch, if it needs some.
func (f *feed) commit(b series.Batch, gone []series.Handle, memory *seriesMemory) (samples int) {
	defer f.guard()
	if !f.full {
		handles, times, values := memory.handles[:0], memory.times[:0], memory.values[:0]
		for i, h := range f.handles {
			if h != 0 {
				handles, times, values = append(handles, h), append(times, b.Times[i]), append(values, b.Values[i])
			}
		}
		memory.handles, memory.times, memory.values = handles, times, values
		b.Handles, b.Times, b.Values = handles, times, values
	} else {
		b.Handles = f.handles
	}
	samples = len(b.Handles)
	f.receiver.Commit(&b, gone)
	return samples
}

// take replaces the handles by those of a new plan, which are copied.
func (f *feed) take(handles []series.Handle) {
	f.full = !slices.Contains(handles, 0)
	f.handles = slices.Clone(handles)
}

// fail says that the source did not answer.
func (f *feed) fail(at storage.Millis) {
	defer f.guard()
	f.receiver.Failed(at)
}

// end says that nothing follows, unless it failed before.
func (f *feed) end(at storage.Millis) (failed error) {
	if f.failed == nil {
		f.endNow(at)
		failed = f.failed
	}
	return failed
}

func (f *feed) endNow(at storage.Millis) {
	defer f.guard()
	f.receiver.End(at)
}

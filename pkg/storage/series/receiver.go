// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import "github.com/metrics-apiserver/metrics-apiserver/pkg/storage"

// A Type is what kind of metric a series belongs to.
type Type uint8

// The types. A kubelet's histograms and summaries are series of counters and
// gauges by then.
const (
	Untyped Type = iota
	Counter
	Gauge
)

// Metadata is what an answer says of a metric family.
type Metadata struct {
	// Family is the name that the answer gives the family.
	Family string
	Type   Type
	// Help and Unit may be empty.
	Help, Unit string
}

// A Handle is a receiver's own name of a series of one node's source. 0 says that
// it does not want the series.
type Handle uint32

// A Batch is the samples of one complete answer.
type Batch struct {
	Node   string
	Source Source
	// Sent and Received are when the request went out and the answer was
	// complete, by our clock.
	Sent, Received storage.Millis
	// Offset is what has to be added to the node's times to make them ours.
	Offset storage.Millis

	// Handles, Times and Values are parallel, in the order of the answer, without
	// the series that the receiver does not want. Times are by the node's clock;
	// where the answer has none, Sent less Offset. Values are as the answer says:
	// they may be NaN or infinite.
	Handles []Handle
	Times   []storage.Millis
	Values  []float64
}

// A Receiver takes what one source of one node says. Calls of one receiver never
// overlap; those of different ones do. None of them waits for anything outside of
// the process: a scrape waits for them. A receiver that does not want everything,
// or not always the same, is a [Chooser], too.
type Receiver interface {
	// Open is called where a series appears: one that the answer before did not
	// have. The handle stays the series' until it is gone. labels and meta are the
	// caller's again when Open returns, with the memory that their strings are in.
	//
	// Labels that the answer writes with an empty value are among labels: they
	// mean what absence does, but keep a label of the target away
	// ([Labels.AppendTarget] leaves them out). An answer that writes the same
	// labels in two ways opens them twice.
	Open(labels Labels, meta *Metadata) Handle
	// Commit takes in one answer, and closes the handles of the series that were
	// in the answer before and are not in this one. Neither is kept.
	Commit(batch *Batch, gone []Handle)
	// Failed says that the source was asked at the given time, by our clock, and
	// gave no answer that could be used. The series stay open.
	Failed(at storage.Millis)
	// End says that the node is gone, or that the source is no longer read. All
	// handles are closed, and nothing follows.
	End(at storage.Millis)
}

// A Consumer wants labelled samples.
type Consumer interface {
	// Sources is what it needs at the moment.
	Sources() SourceSet
	// Receiver is for a source of a node that begins to be read.
	Receiver(node string, source Source) Receiver
}

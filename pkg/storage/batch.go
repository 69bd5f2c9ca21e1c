// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

// Fields says which numbers of a Sample are readings. A number whose bit is
// not set is unknown; a zero whose bit is set is data.
type Fields uint8

// The readings of a Sample.
const (
	HasCPU Fields = 1 << iota
	HasMemory
	HasSwap
)

// Sample is what a node says of one container, or of itself, at one moment. Its
// times are by the node's clock.
type Sample struct {
	// Start is when this run of the container began; 0 is unknown. A node's own
	// sample has none.
	Start Millis
	// Time is when CPU was read.
	Time Millis
	// CPU is the CPU time used since Start, in nanoseconds.
	CPU uint64
	// Memory is the working set, in bytes.
	Memory uint64
	// Swap is the swap in use, in bytes.
	Swap uint64
	// Has says which of CPU, Memory and Swap were read.
	Has Fields
}

// Batch is one complete answer of one node: what Store.Commit takes. A batch
// that was cut short must not be committed, because a container that it does
// not list counts as gone from the node.
type Batch struct {
	// Node is the name of the node that answered.
	Node string
	// Sent and Received are when the request was sent and the answer was
	// complete, by our clock.
	Sent, Received Millis
	// Offset is our clock less the node's; it is added to every time of the
	// node. A change of it begins a new time base: no rate is taken across it.
	Offset Millis

	// Usage is the node's own sample.
	Usage Sample
	// UsageEstimate is the node's own CPU rate in nanocores as the node
	// estimates it at Usage.Time; 0 is unknown.
	UsageEstimate uint64

	// Layout names the rows of Samples; nil is no container.
	Layout *Layout
	// Samples has one sample for each row of Layout.
	Samples []Sample
	// Estimates is nil, or has for each row the CPU rate in nanocores that the
	// node itself gives for that very sample; 0 is unknown, not idle. An
	// estimate only serves until a rate can be taken from two samples.
	Estimates []uint64
}

// Refusal is a reason for which a sample was not taken.
type Refusal uint8

// The reasons for refusing a sample.
const (
	// RefusedFuture: the sample is more than FutureTolerance ahead of us.
	RefusedFuture Refusal = iota
	// RefusedBeforeStart: the sample is older than its container's start.
	RefusedBeforeStart
	// RefusedOutOfOrder: the sample is older than the one held, or belongs to
	// an earlier run of the container.
	RefusedOutOfOrder
	// RefusedOverflow: the rate would be beyond what can be served.
	RefusedOverflow
	// Refusals is the number of reasons.
	Refusals
)

// String is the reason as a metric's label.
func (r Refusal) String() string {
	switch r {
	case RefusedFuture:
		return "future"
	case RefusedBeforeStart:
		return "before_start"
	case RefusedOutOfOrder:
		return "out_of_order"
	case RefusedOverflow:
		return "overflow"
	default:
		return "unknown"
	}
}

// CommitResult says what became of a batch.
type CommitResult struct {
	// Containers is how many containers the batch lists.
	Containers int
	// Unrated is how many of them have no CPU rate yet; the node itself counts
	// as one more where its usage was read and has no rate.
	Unrated int
	// Refused counts the refused samples by reason.
	Refused [Refusals]int
}

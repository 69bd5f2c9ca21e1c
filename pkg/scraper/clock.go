// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

const (
	// offsetTolerance is how far apart two clocks may be before it matters: the
	// store accepts samples up to so far in the future.
	offsetTolerance = 2 * storage.Millis(1000)
	// dateUnit is the unit of a Date header, which is rounded down.
	dateUnit = storage.Millis(1000)
)

// bounds is what one answer tells of an offset, our clock less the node's: it
// lies between least and most.
type bounds struct {
	least, most storage.Millis
}

// offsetBounds reads the offset off an answer. The node wrote the Date at some
// moment between our sending the request and the header's arrival, and within
// the second that it names. ok is false where the answer has no Date.
func offsetBounds(answer *nodeclient.Answer) (b bounds, ok bool) {
	if answer.Date.IsZero() {
		return bounds{}, false
	}
	date := storage.MillisOf(answer.Date)
	return bounds{
		least: storage.MillisOf(answer.Sent) - (date + dateUnit),
		most:  storage.MillisOf(answer.Answered) - date,
	}, true
}

// nextOffset is the offset to use from now on. A change of it begins a new time
// base, across which no rate can be taken, so current stays as long as it is
// near what the newest answer tells; then clocks that agree within the
// tolerance are taken to agree.
func nextOffset(current storage.Millis, b bounds) storage.Millis {
	// Half a unit on both sides is the unit's own doubt, which bounds has.
	const near = offsetTolerance - dateUnit/2
	within := func(offset storage.Millis) bool { return b.least-near <= offset && offset <= b.most+near }
	switch {
	case within(current):
		return current
	case within(0):
		return 0
	default:
		return b.least + (b.most-b.least)/2
	}
}

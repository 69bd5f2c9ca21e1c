// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"errors"

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
	// ErrNoMetrics: the answer has no series that a kubelet gives, as an error
	// page with status 200 has none.
	ErrNoMetrics = errors.New("no resource metrics in the answer")
	// ErrMalformed: the answer is not JSON, or not of the form of a summary.
	ErrMalformed = errors.New("malformed summary")
)

// Decoder reads the answers of one node. It must not be used concurrently.
type Decoder struct {
	options Options
}

// NewDecoder is a decoder for one node. The zero Options are the defaults;
// invalid ones, see Options.Validate, are a bug of the caller and panic.
func NewDecoder(options Options) *Decoder {
	if err := options.Validate(); err != nil {
		panic("BUG: " + err.Error())
	}
	return &Decoder{options: options.withDefaults()}
}

// Resource reads an answer of /metrics/resource and sets Usage, Layout and
// Samples of the batch. Usage and Samples hold times by the node's clock; sent
// is when the request was sent, by that same clock, and stands in for the
// timestamps that the answer does not give. Estimates and UsageEstimate of the
// batch are cleared.
//
// Layout is the same pointer as before as long as the answers list the same
// containers, in whatever order. Samples are valid until the next call. After
// an error the batch is as it was; the decoder can go on with the next answer.
func (d *Decoder) Resource(body []byte, sent storage.Millis, batch *storage.Batch) (Stats, error) {
	return Stats{}, errors.ErrUnsupported
}

// Summary reads an answer of /stats/summary and sets Estimates and
// UsageEstimate of the batch, which Resource filled before: an estimate is
// taken where the summary's cumulative CPU equals that of the batch's sample.
// An estimate of 0 is what the kubelet says where it has none, and is left
// unknown. After an error the batch has no estimates.
func (d *Decoder) Summary(body []byte, batch *storage.Batch) (Stats, error) {
	return Stats{}, errors.ErrUnsupported
}

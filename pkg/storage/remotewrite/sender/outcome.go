// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"net/http"
	"strconv"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/message"
)

// An outcome is what an answer means for a body.
type outcome uint8

const (
	// taken: the receiver has it.
	taken outcome = iota
	// refused: it must not be posted again.
	refused
	// again: it has to be posted again later.
	again
	// older: it has to be posted again, as 1.0.
	older
)

// The headers with which a receiver of 2.0 says what it has stored.
const (
	samplesWritten    = "X-Prometheus-Remote-Write-Samples-Written"
	histogramsWritten = "X-Prometheus-Remote-Write-Histograms-Written"
	exemplarsWritten  = "X-Prometheus-Remote-Write-Exemplars-Written"
)

// judge says what an answer means. confirmed says that this receiver has taken a
// body of 2.0 before.
func judge(protocol message.Protocol, confirmed bool, status int, header http.Header) outcome {
	_, counted := written(header)
	switch {
	case status/100 == 2 && (protocol == message.V1 || counted):
		return taken
	case status/100 == 2:
		// A receiver of 1.0 finds nothing that it knows in a body of 2.0, and is
		// content. Nothing was stored.
		return older
	case status == http.StatusUnsupportedMediaType && protocol == message.V2:
		return older
	case status == http.StatusBadRequest && protocol == message.V2 && !counted && !confirmed:
		// One that cannot read it. A receiver of 2.0 says what it has written.
		return older
	case status == http.StatusTooManyRequests || status/100 == 5:
		return again
	case status/100 == 4:
		return refused
	default:
		// A redirect to somewhere else: it is not the samples that are wrong.
		return again
	}
}

// written is how many samples a receiver of 2.0 says that it has stored; ok where
// it says anything.
func written(header http.Header) (samples int64, ok bool) {
	for _, name := range []string{samplesWritten, histogramsWritten, exemplarsWritten} {
		if header.Get(name) != "" {
			ok = true
		}
	}
	samples, err := strconv.ParseInt(header.Get(samplesWritten), 10, 64)
	if err != nil || samples < 0 {
		samples = 0
	}
	return samples, ok
}

// maxRetryAfter is the longest wait that a receiver may ask for: what it asks for
// beyond that is a mistake, and would hold up what can be sent.
const maxRetryAfter = 10 * time.Minute

// retryAfter is how long an answer asks to wait.
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := header.Get("Retry-After")
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, min(at.Sub(now), maxRetryAfter))
	}
	return 0
}

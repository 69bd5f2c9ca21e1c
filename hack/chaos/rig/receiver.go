// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/s2"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/messagetest"
)

// Receiver takes remote-write of 1.0 and keeps every sample. It is safe for
// concurrent use.
type Receiver struct {
	// URL is where it takes requests.
	URL string

	mu struct {
		sync.Mutex
		behave   func(n int) Behaviour
		requests int
		faults   []error
		series   map[string]*received
		samples  int
		twice    int
		late     int
		other    int
	}
}

// received is what there is of a series.
type received struct {
	values map[int64]float64 // by time
	newest int64
}

// Behaviour is what a receiver does with a request. Its zero value is to keep the
// samples and to say so.
type Behaviour struct {
	// Hang is to keep nothing and to answer nothing.
	Hang bool
	// Status is the answer's, 0 is 204. Samples are kept with 204 alone, or where
	// Kept is set.
	Status int
	Kept   bool
}

// NewReceiver is a receiver that ends with the test.
func NewReceiver(t testing.TB) *Receiver {
	t.Helper()
	r := &Receiver{}
	r.mu.series = map[string]*received{}
	server := httptest.NewServer(r)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	r.URL = server.URL
	return r
}

// Behave sets what is done with requests from now on: the n-th since then, from 0.
// nil is to keep all.
func (r *Receiver) Behave(how func(n int) Behaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.behave, r.mu.requests = how, 0
}

// ServeHTTP takes a request.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // The sender has gone.
	}
	r.mu.Lock()
	var how Behaviour
	if r.mu.behave != nil {
		how = r.mu.behave(r.mu.requests)
	}
	r.mu.requests++
	if !how.Hang && (how.Status == 0 || how.Kept) {
		if err := r.keepLocked(body); err != nil {
			r.mu.faults = append(r.mu.faults, err)
			how.Status = http.StatusBadRequest
		}
	}
	r.mu.Unlock()
	switch {
	case how.Hang:
		<-request.Context().Done()
	case how.Status != 0:
		w.WriteHeader(how.Status)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// keepLocked keeps the samples of a body.
func (r *Receiver) keepLocked(body []byte) error {
	message, err := s2.Decode(nil, body)
	if err != nil {
		return fmt.Errorf("decompress a body: %w", err)
	}
	return messagetest.Fields(message, func(field int, b []byte, _ uint64) error {
		if field != 1 {
			return nil // Metadata.
		}
		return r.keepSeriesLocked(b)
	})
}

func (r *Receiver) keepSeriesLocked(message []byte) error {
	var name strings.Builder
	var at int64
	var value float64
	err := messagetest.Fields(message, func(field int, b []byte, _ uint64) error {
		if field == 1 {
			return messagetest.Fields(b, func(_ int, text []byte, _ uint64) error {
				name.Write(text)
				name.WriteByte('\x00')
				return nil
			})
		}
		return messagetest.Fields(b, func(field int, _ []byte, v uint64) error {
			if field == 1 {
				value = math.Float64frombits(v)
			} else {
				at = int64(v)
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	s := r.mu.series[name.String()]
	if s == nil {
		s = &received{values: map[int64]float64{}}
		r.mu.series[name.String()] = s
	}
	if had, ok := s.values[at]; ok {
		r.mu.twice++
		// How long a scrape took is each server's own affair.
		if math.Float64bits(had) != math.Float64bits(value) && !strings.Contains(name.String(), "\x00scrape_duration_seconds\x00") {
			r.mu.other++
		}
		return nil
	}
	if at < s.newest {
		r.mu.late++
	}
	s.values[at], s.newest = value, max(s.newest, at)
	r.mu.samples++
	return nil
}

// Kept is what a receiver has.
type Kept struct {
	// Samples are distinct: of a series and a time. Twice came again, Other of these
	// with another value. Late is those of Samples that came behind a newer one of
	// their series.
	Samples, Twice, Other, Late int
	// Faults are requests that could not be read.
	Faults []error
}

// Kept is what the receiver has now.
func (r *Receiver) Kept() Kept {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Kept{Samples: r.mu.samples, Twice: r.mu.twice, Other: r.mu.other, Late: r.mu.late, Faults: r.mu.faults}
}

// Each calls do with the samples of each series whose labels contain the text; these
// are names and values with a zero byte behind each. do must not keep the samples.
func (r *Receiver) Each(text string, do func(labels string, values map[int64]float64)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for labels, s := range r.mu.series {
		if strings.Contains(labels, text) {
			do(labels, s.values)
		}
	}
}

// Lacks counts the samples of another receiver that this one does not have, or has
// with another value, and names the first.
func (r *Receiver) Lacks(other *Receiver) (lacks int, first string) {
	other.Each("", func(labels string, values map[int64]float64) {
		r.mu.Lock()
		defer r.mu.Unlock()
		mine := r.mu.series[labels]
		for at, value := range values {
			if mine != nil {
				if got, ok := mine.values[at]; ok && math.Float64bits(got) == math.Float64bits(value) {
					continue
				}
			}
			if lacks++; lacks == 1 {
				first = fmt.Sprintf("%q at %d", labels, at)
			}
		}
	})
	return lacks, first
}

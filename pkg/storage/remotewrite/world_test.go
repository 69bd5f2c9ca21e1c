// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package remotewrite

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/s2"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/messagetest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// A point is one sample as a receiver has it.
type point struct {
	t, start int64
	v        uint64 // The bits.
}

// A store is a receiver of remote-write in memory. It is strict: a series that
// comes twice in a request, or goes back in time, is a fault.
type store struct {
	t testing.TB
	// fail, where it is set, is asked before a request is stored, with its number.
	// A status other than 0 is the answer; stored says whether it is stored all
	// the same.
	fail func(n int) (status int, stored bool)
	// old receivers know 1.0 alone, and say nothing of it.
	old bool
	// anyOrder receivers take samples in any order.
	anyOrder bool

	mu       sync.Mutex
	requests int
	samples  int
	again    int
	series   map[string][]point
	families map[string]string
	types    map[string]uint64
}

func newStore(t testing.TB) *store {
	return &store{t: t, series: map[string][]point{}, families: map[string]string{}, types: map[string]uint64{}}
}

// RoundTrip is http.RoundTripper's.
func (s *store) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	n := s.requests
	s.requests++
	s.mu.Unlock()
	status, stored := 0, true
	if s.fail != nil {
		status, stored = s.fail(n)
		if stored = stored || status == 0; status < 0 {
			<-request.Context().Done() // Hangs.
		}
	}
	header := http.Header{}
	v2 := strings.Contains(request.Header.Get("Content-Type"), "v2.Request")
	if stored && !(v2 && s.old) {
		count := s.take(body, v2)
		if v2 {
			header.Set("X-Prometheus-Remote-Write-Samples-Written", fmt.Sprint(count))
		}
	}
	if status < 0 {
		return nil, request.Context().Err()
	}
	if status == 0 {
		status = http.StatusNoContent
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: header, Body: http.NoBody}, nil
}

// each is messagetest.Fields of a message that must be right.
func each(t testing.TB, message []byte, take func(field int, b []byte, v uint64)) {
	t.Helper()
	if err := messagetest.Fields(message, func(field int, b []byte, v uint64) error {
		take(field, b, v)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// take stores a request.
func (s *store) take(body []byte, v2 bool) (samples int) {
	message, err := s2.Decode(nil, body)
	if err != nil {
		s.t.Errorf("a body that is no snappy: %v", err)
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var symbols []string
	seen := map[string]bool{}
	each(s.t, message, func(field int, b []byte, _ uint64) {
		switch {
		case v2 && field == 4:
			symbols = append(symbols, string(b))
		case v2 && field == 5 || !v2 && field == 1:
			s.takeSeries(b, symbols, v2, seen)
			samples++
		case !v2 && field == 3:
			var name, help string
			each(s.t, b, func(field int, b []byte, _ uint64) {
				switch field {
				case 2:
					name = string(b)
				case 4:
					help = string(b)
				}
			})
			s.families[name] = help
		}
	})
	s.samples += samples
	return samples
}

func (s *store) takeSeries(message []byte, symbols []string, v2 bool, seen map[string]bool) {
	var pairs []string
	var p point
	var kind uint64
	each(s.t, message, func(field int, b []byte, _ uint64) {
		switch {
		case field == 1 && v2:
			var texts []string
			for len(b) > 0 {
				ref, n := protowire.ConsumeVarint(b)
				texts = append(texts, symbols[ref])
				b = b[n:]
			}
			for i := 0; i < len(texts); i += 2 {
				pairs = append(pairs, texts[i]+"="+texts[i+1])
			}
		case field == 1:
			var texts [2]string
			each(s.t, b, func(field int, b []byte, _ uint64) { texts[field-1] = string(b) })
			pairs = append(pairs, texts[0]+"="+texts[1])
		case field == 2:
			each(s.t, b, func(field int, _ []byte, v uint64) {
				switch field {
				case 1:
					p.v = v
				case 2:
					p.t = int64(v)
				case 3:
					p.start = int64(v)
				}
			})
		case field == 5:
			each(s.t, b, func(field int, _ []byte, v uint64) {
				if field == 1 {
					kind = v
				}
			})
		}
	})
	if !slices.IsSorted(pairs) {
		s.t.Errorf("labels are not sorted: %q", pairs)
	}
	name := strings.Join(pairs, ",")
	if seen[name] {
		s.t.Errorf("%s comes twice in a request", name)
	}
	seen[name] = true
	s.types[name] = kind
	points := s.series[name]
	if n := len(points); n > 0 && points[n-1].t >= p.t {
		if i, ok := slices.BinarySearchFunc(points, p.t, func(p point, t int64) int { return cmp.Compare(p.t, t) }); !ok || points[i].v != p.v || i != n-1 {
			if s.anyOrder {
				if ok {
					s.again++
				} else {
					s.series[name] = slices.Insert(points, i, p)
				}
				return
			}
			s.t.Errorf("%s goes back from %d to %d", name, points[n-1].t, p.t)
		}
		s.again++
		return
	}
	s.series[name] = append(points, p)
}

// all is every series.
func (s *store) all() map[string][]point {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := maps.Clone(s.series)
	for name, points := range out {
		out[name] = slices.Clone(points)
	}
	return out
}

// points are those of a series, stale markers included.
func (s *store) points(name string) []point {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.series[name])
}

// twice is how many samples came again.
func (s *store) twice() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.again
}

func (s *store) total() (samples int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, points := range s.series {
		samples += len(points)
	}
	return samples
}

// A feeder is a node as its scraper sees it: it opens what is new, and closes what
// is gone.
type feeder struct {
	node     string
	source   series.Source
	receiver series.Receiver
	handles  map[string]series.Handle
}

func newFeeder(consumer series.Consumer, node string, source series.Source) *feeder {
	return &feeder{node: node, source: source, receiver: consumer.Receiver(node, source), handles: map[string]series.Handle{}}
}

// A sample is what the node says of one series, whose labels are written
// name=value,name=value.
type sample struct {
	labels string
	t      storage.Millis
	v      float64
}

func labelsOf(text string) series.Labels {
	var labels series.Labels
	for pair := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(pair, "=")
		labels = append(labels, series.Label{Name: name, Value: value})
	}
	return labels
}

// answer is one answer of the node.
func (f *feeder) answer(at storage.Millis, samples ...sample) {
	batch := series.Batch{Node: f.node, Source: f.source, Sent: at, Received: at + 20}
	there := map[string]bool{}
	for _, one := range samples {
		there[one.labels] = true
		h, ok := f.handles[one.labels]
		if !ok {
			labels := labelsOf(one.labels)
			name := labels.Get(series.NameLabel)
			meta := &series.Metadata{Family: name, Type: series.Gauge, Help: "Help of " + name}
			if strings.HasSuffix(name, "_total") {
				meta.Type = series.Counter
			}
			h = f.receiver.Open(labels, meta)
			f.handles[one.labels] = h
		}
		if h != 0 {
			batch.Handles, batch.Times, batch.Values = append(batch.Handles, h), append(batch.Times, one.t), append(batch.Values, one.v)
		}
	}
	var gone []series.Handle
	for text, h := range f.handles {
		if !there[text] {
			delete(f.handles, text)
			if h != 0 {
				gone = append(gone, h)
			}
		}
	}
	f.receiver.Commit(&batch, gone)
}

// pointOf is a sample as it ought to be stored.
func pointOf(t storage.Millis, v float64) point { return point{t: int64(t), v: math.Float64bits(v)} }

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package receivers

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/message"
)

// A sample is one sample with all that is said of its series.
type sample struct {
	labels      []string
	kind        message.Type
	help, unit  string
	value       float64
	time, start int64
}

// randomSamples makes up samples, with what lies at the ends of what can be said.
func randomSamples(r *rand.Rand, n int) []sample {
	words := []string{"a", "é", "container_cpu_usage_seconds_total", "x\x00y", "kube-system", "\"", string(bytes.Repeat([]byte("long"), 100))}
	values := []float64{0, math.Copysign(0, -1), 1, -1.5, math.Inf(1), math.NaN(), math.Float64frombits(0x7ff0000000000002), math.MaxFloat64}
	times := []int64{0, 1, -1, 1_700_000_000_000, math.MaxInt64, math.MinInt64}
	all := make([]sample, n)
	for i := range all {
		s := &all[i]
		for j := range r.IntN(6) {
			s.labels = append(s.labels, fmt.Sprintf("%c%d", 'a'+j, r.IntN(10)), words[r.IntN(len(words))])
		}
		s.kind = message.Type(r.IntN(3))
		s.help, s.unit = words[r.IntN(len(words))], []string{"", "seconds"}[r.IntN(2)]
		s.value, s.time, s.start = values[r.IntN(len(values))], times[r.IntN(len(times))], times[r.IntN(len(times))]
	}
	return all
}

// encode is what our encoder makes of samples.
func encode(t *testing.T, samples []sample, protocol message.Protocol) []byte {
	t.Helper()
	symbols := message.NewSymbols()
	e := message.NewEncoder(symbols)
	e.Begin(protocol)
	for _, s := range samples {
		var labels []uint32
		for _, text := range s.labels {
			labels = append(labels, symbols.Use(text))
		}
		one := message.NewSeries(symbols, labels, s.kind, s.help, s.unit)
		e.Append(&one, s.value, s.time, s.start)
	}
	return e.AppendBody(nil)
}

func decode(t *testing.T, body []byte) []byte {
	t.Helper()
	plain, err := s2.Decode(nil, body)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// TestV2 reads what we write of 2.0 with Prometheus' own code, and looks at every
// sample.
func TestV2(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		samples := randomSamples(r, r.IntN(40))
		var request writev2.Request
		if err := request.Unmarshal(decode(t, encode(t, samples, message.V2))); err != nil {
			t.Fatal(err)
		}
		if len(request.Timeseries) != len(samples) || request.Symbols[0] != "" {
			t.Fatalf("%d series, symbols %q; want %d series", len(request.Timeseries), request.Symbols, len(samples))
		}
		sorted := slices.Clone(request.Symbols)
		slices.Sort(sorted)
		if len(slices.Compact(sorted)) != len(request.Symbols) {
			t.Errorf("symbols come twice: %q", request.Symbols)
		}
		for i, want := range samples {
			got := request.Timeseries[i]
			var labels []string
			for _, ref := range got.LabelsRefs {
				labels = append(labels, request.Symbols[ref])
			}
			if len(got.Samples) != 1 || len(got.Histograms) != 0 || len(got.Exemplars) != 0 {
				t.Fatalf("series %d: %v", i, got)
			}
			one := got.Samples[0]
			if !slices.Equal(labels, want.labels) || math.Float64bits(one.Value) != math.Float64bits(want.value) ||
				one.Timestamp != want.time || one.StartTimestamp != want.start ||
				int(got.Metadata.Type) != int(want.kind) ||
				request.Symbols[got.Metadata.HelpRef] != want.help || request.Symbols[got.Metadata.UnitRef] != want.unit {
				t.Fatalf("series %d is %v %q, want %+v", i, got, labels, want)
			}
		}
	}
}

// TestV1 does so for 1.0, and for what is made 1.0 from 2.0.
func TestV1(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 200 {
		samples := randomSamples(r, r.IntN(40))
		down, err := message.Downgrade(nil, encode(t, samples, message.V2))
		if err != nil {
			t.Fatal(err)
		}
		for name, body := range map[string][]byte{"written": encode(t, samples, message.V1), "downgraded": down} {
			var request prompb.WriteRequest
			if err := request.Unmarshal(decode(t, body)); err != nil {
				t.Fatal(err)
			}
			if len(request.Timeseries) != len(samples) {
				t.Fatalf("%s: %d series, want %d", name, len(request.Timeseries), len(samples))
			}
			for i, want := range samples {
				got := request.Timeseries[i]
				var labels []string
				for _, label := range got.Labels {
					labels = append(labels, label.Name, label.Value)
				}
				one := got.Samples[0]
				if len(got.Samples) != 1 || !slices.Equal(labels, want.labels) ||
					math.Float64bits(one.Value) != math.Float64bits(want.value) || one.Timestamp != want.time {
					t.Fatalf("%s: series %d is %v, want %+v", name, i, got, want)
				}
			}
		}
	}
}

// TestMetadata reads a request of metadata alone.
func TestMetadata(t *testing.T) {
	body := message.AppendMetadata(nil, []message.Metadata{
		{Family: "a_total", Type: message.Counter, Help: "What a is.", Unit: "seconds"},
		{Family: "b", Type: message.Gauge},
	})
	var request prompb.WriteRequest
	if err := request.Unmarshal(decode(t, body)); err != nil {
		t.Fatal(err)
	}
	want := []prompb.MetricMetadata{
		{Type: prompb.MetricMetadata_COUNTER, MetricFamilyName: "a_total", Help: "What a is.", Unit: "seconds"},
		{Type: prompb.MetricMetadata_GAUGE, MetricFamilyName: "b"},
	}
	if fmt.Sprint(request.Metadata) != fmt.Sprint(want) {
		t.Errorf("metadata is %v, want %v", request.Metadata, want)
	}
}

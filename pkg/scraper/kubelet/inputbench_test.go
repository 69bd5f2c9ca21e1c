// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// largeCadvisor is the recorded answer with ten times as many pods: five
// megabytes, which is what a node of a hundred pods has.
func largeCadvisor(tb testing.TB) []byte {
	var out bytes.Buffer
	var family []string
	name := ""
	flush := func() {
		for copies := range 10 {
			for _, line := range family {
				if copies > 0 && !strings.Contains(line, `pod="`) {
					continue
				}
				line = strings.Replace(line, `pod="`, fmt.Sprintf(`pod="%d-`, copies), 1)
				out.WriteString(strings.Replace(line, "/pod", fmt.Sprintf("/pod%d", copies), 1))
			}
		}
		family = family[:0]
	}
	for line := range strings.Lines(string(recordedInputs(tb, 1, input.Cadvisor))) {
		if strings.HasPrefix(line, "#") {
			flush()
			out.WriteString(line)
			continue
		}
		if this, _, _ := strings.Cut(line, "{"); this != name {
			flush()
			name = this
		}
		family = append(family, line)
	}
	flush()
	return bytes.ReplaceAll(out.Bytes(), []byte(`pod="0-"`), []byte(`pod=""`))
}

// BenchmarkInputs reads answers as they come all the time: of a node whose pods
// are what they were.
func BenchmarkInputs(b *testing.B) {
	cadvisor, summary := largeCadvisor(b), recordedInputs(b, 1, input.Summary)
	for _, bench := range []struct {
		name   string
		source input.Source
		body   []byte
		wanted input.Set
	}{
		{"cadvisor/nothing", input.Cadvisor, cadvisor, 0},
		{"cadvisor/one", input.Cadvisor, cadvisor, input.SetOf(input.NetworkReceivePackets)},
		{"cadvisor/throttling", input.Cadvisor, cadvisor, input.SetOf(input.CPUPeriods, input.CPUThrottledPeriods)},
		{"cadvisor/all", input.Cadvisor, cadvisor, input.Cadvisor.Of()},
		{"summary/one", input.Summary, summary, input.SetOf(input.NetworkReceiveBytes)},
		{"summary/all", input.Summary, summary, input.Summary.Of()},
	} {
		b.Run(bench.name, func(b *testing.B) {
			decoder := NewInputDecoder(Options{})
			var layout *storage.Layout
			b.SetBytes(int64(len(bench.body)))
			b.ReportAllocs()
			for b.Loop() {
				a := decoder.Answer()
				a.Batch.Source, a.Batch.Inputs, a.Batch.Sent, a.Batch.Layout = bench.source, bench.wanted, 1, layout
				if _, err := decoder.Decode(bench.body, a); err != nil {
					b.Fatal(err)
				}
				layout = a.Batch.Layout
				decoder.Release(a)
			}
		})
	}
}

// BenchmarkLinesAlone is the floor of BenchmarkInputs: to find the lines' ends.
func BenchmarkLinesAlone(b *testing.B) {
	body := largeCadvisor(b)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		for rest := body; ; {
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				break
			}
			rest = rest[end+1:]
		}
	}
}

// BenchmarkLabels reads the labels of a series that stood at the same place of
// the metric before: parsed again, and by sequence.
func BenchmarkLabels(b *testing.B) {
	const labels = `{container="web",id="/kubepods/burstable/pod2827da3b-bc07-4e5e-a07a-52cc38b4fdc8/39f78291be8604b6e99cbfca6f64efd7bb9891499fba670c850633507229ab2a",image="registry.k8s.io/e2e-test-images/resource-consumer:1.9",name="39f78291be8604b6e99cbfca6f64efd7bb9891499fba670c850633507229ab2a",namespace="shop",pod="web-8566b69bb8-7c68l"}`
	line := []byte("container_threads" + labels + " 4 1795221790653")
	b.Run("parsed", func(b *testing.B) {
		var series exposition.Series
		for b.Loop() {
			if err := series.Parse(line); err != nil {
				b.Fatal(err)
			}
			if picked, ok := cadvisorLabelsOf(series.Labels); !ok || len(picked.pod) == 0 {
				b.Fatal(picked)
			}
		}
	})
	b.Run("matched", func(b *testing.B) {
		var s sequence
		s.add([]byte(labels), target{of: ofContainer})
		for b.Loop() {
			s.turn()
			if p, ok := s.match(line[len("container_threads"):]); !ok || p.target.of != ofContainer {
				b.Fatal(p)
			}
		}
	})
}

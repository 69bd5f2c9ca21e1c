// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package textparse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// answer is a kubelet's answer for pods 0 to pods-1 with one container each,
// less the one that is gone, in the form and order in which a kubelet writes it;
// 110 pods are 1,000 series and 119 KB.
func answer(pods, gone int) []byte {
	var b strings.Builder
	family := func(name, kind, value string, container bool) {
		fmt.Fprintf(&b, "# HELP %s [STABLE] What it is\n# TYPE %s %s\n", name, name, kind)
		for pod := range pods {
			if pod == gone {
				continue
			}
			b.WriteString(name + "{")
			if container {
				b.WriteString(`container="server",`)
			}
			fmt.Fprintf(&b, `namespace="team-%02d",pod="workload-%d-7c9d8b6f5-x%04d"} %s`, pod/10, pod%10, pod, value)
			if name != "container_start_time_seconds" {
				fmt.Fprintf(&b, " %d", 1795221790000+pod*137)
			}
			b.WriteByte('\n')
		}
	}
	family("container_cpu_usage_seconds_total", "counter", "1523.560578632", true)
	family("container_memory_working_set_bytes", "gauge", "6.201344e+07", true)
	family("container_start_time_seconds", "gauge", "1.7952217499303172e+09", true)
	family("container_swap_limit_bytes", "gauge", "6.7108864e+07", true)
	family("container_swap_usage_bytes", "gauge", "0", true)
	b.WriteString("node_cpu_usage_seconds_total 4092.039938476 1795221788672\nnode_memory_working_set_bytes 4.678836224e+09 1795221788672\nnode_swap_usage_bytes 0 1795221788672\n")
	family("pod_cpu_usage_seconds_total", "counter", "1524.069033872", false)
	family("pod_memory_working_set_bytes", "gauge", "7.491584e+07", false)
	family("pod_swap_usage_bytes", "gauge", "0", false)
	b.WriteString("resource_scrape_error 0\n")
	return []byte(b.String())
}

// BenchmarkAnswer reads one answer of a node with 110 pods.
func BenchmarkAnswer(b *testing.B) {
	body := answer(110, -1)
	bench := func(name string, read func() error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	bench("newlines", func() error {
		if bytes.Count(body, []byte("\n")) == 0 {
			return io.EOF
		}
		return nil
	})
	bench("textparse", func() error {
		parser := textparse.NewPromParser(body, labels.NewSymbolTable(), false)
		var l labels.Labels
		for {
			entry, err := parser.Next()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if entry == textparse.EntrySeries {
				parser.Labels(&l)
			}
		}
	})
	bench("exposition", func() error {
		lines := exposition.NewLines(body)
		var series exposition.Series
		for line, ok := lines.Next(); ok; line, ok = lines.Next() {
			if err := series.Parse(line); err != nil {
				return err
			}
		}
		return nil
	})
	var batch storage.Batch
	known := kubelet.NewDecoder(kubelet.Options{})
	bench("kubelet-as-before", func() error {
		_, err := known.Resource(body, 1, &batch)
		return err
	})
	bench("kubelet-first", func() error {
		_, err := kubelet.NewDecoder(kubelet.Options{}).Resource(body, 1, &batch)
		return err
	})
	bodies := [][]byte{answer(110, 30), answer(110, 31)}
	changing, i := kubelet.NewDecoder(kubelet.Options{}), 0
	bench("kubelet-pod-replaced", func() error {
		i++
		_, err := changing.Resource(bodies[i%2], 1, &batch)
		return err
	})
}

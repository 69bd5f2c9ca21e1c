// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestGolden reads the recorded answers one after the other, as a scraper does.
func TestGolden(t *testing.T) {
	update := flag.Lookup("update").Value.String() == "true"
	decoder := NewDecoder(Options{})
	var layouts []*storage.Layout
	for scrape := 1; scrape <= scrapes; scrape++ {
		var batch storage.Batch
		resource, err := decoder.Resource(recorded(t, scrape, "metrics-resource.txt"), 1, &batch)
		if err != nil || resource.RefusedTotal() != 0 || resource.ScrapeErrors != 0 {
			t.Fatalf("scrape %d: %+v, %v", scrape, resource, err)
		}
		summary, err := decoder.Summary(recorded(t, scrape, "stats-summary.json"), &batch)
		if err != nil || summary.RefusedTotal() != 0 {
			t.Fatalf("scrape %d: %+v, %v", scrape, summary, err)
		}
		layouts = append(layouts, batch.Layout)

		got := fmt.Sprintf("resource: %d series, %d containers\nsummary: %d estimates, %d containers\n%s",
			resource.Series, resource.Containers, summary.Series, summary.Containers, describe(&batch))
		path := filepath.Join(scrapeDir(scrape), "golden.txt")
		if update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want := string(recorded(t, scrape, "golden.txt")); got != want {
			t.Errorf("scrape %d:\n%s\nwant:\n%s", scrape, got, want)
		}
	}
	// The crashing container is there in the first and the fifth only.
	for i, same := range []bool{false, true, true, false, false} {
		if (layouts[i] == layouts[i+1]) != same {
			t.Errorf("scrapes %d and %d have the same layout: %v, want %v", i+1, i+2, !same, same)
		}
	}
}

// scrapes is how many recorded answers there are.
const scrapes = 6

func scrapeDir(scrape int) string { return filepath.Join("testdata", fmt.Sprintf("scrape-%d", scrape)) }

// recorded is a file of a recorded scrape, counted from 1.
func recorded(t testing.TB, scrape int, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(scrapeDir(scrape), name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// describe writes a batch as a person would want to read it.
func describe(batch *storage.Batch) string {
	var b strings.Builder
	write := func(name string, sample storage.Sample, estimate uint64) {
		fmt.Fprintf(&b, "%s: time=%d", name, sample.Time)
		for _, reading := range []struct {
			name  string
			there bool
			value uint64
		}{
			{"start", sample.Start != 0, uint64(sample.Start)},
			{"cpu", sample.Has&storage.HasCPU != 0, sample.CPU},
			{"memory", sample.Has&storage.HasMemory != 0, sample.Memory},
			{"swap", sample.Has&storage.HasSwap != 0, sample.Swap},
			{"estimate", estimate != 0, estimate},
		} {
			if reading.there {
				fmt.Fprintf(&b, " %s=%d", reading.name, reading.value)
			}
		}
		b.WriteByte('\n')
	}
	write("node", batch.Usage, batch.UsageEstimate)
	if batch.Layout == nil {
		return b.String()
	}
	for _, pod := range batch.Layout.Pods {
		for row := pod.First; row < pod.End; row++ {
			var estimate uint64
			if batch.Estimates != nil {
				estimate = batch.Estimates[row]
			}
			write(pod.Namespace+"/"+pod.Name+"/"+batch.Layout.Containers[row], batch.Samples[row], estimate)
		}
	}
	return b.String()
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the golden files")
	os.Exit(m.Run())
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// TestGoldenInputs reads the recorded answers one after the other, as a scraper
// does, and holds what is read of them, and that it is what the references read.
func TestGoldenInputs(t *testing.T) {
	update := flag.Lookup("update").Value.String() == "true"
	decoder := NewInputDecoder(Options{})
	var layouts [input.Sources][]*storage.Layout
	for scrape := 1; scrape <= scrapes; scrape++ {
		var got strings.Builder
		for source := range input.Sources {
			body := recordedInputs(t, scrape, source)
			answer := decoder.Answer()
			answer.Batch.Source, answer.Batch.Inputs, answer.Batch.Sent = source, source.Of(), 1
			if n := len(layouts[source]); n > 0 {
				answer.Batch.Layout = layouts[source][n-1]
			}
			stats, err := decoder.Decode(body, answer)
			if err != nil || stats.RefusedTotal() != 0 || stats.ScrapeErrors != 0 {
				t.Fatalf("scrape %d: %v: %+v, %v", scrape, source, stats, err)
			}
			layouts[source] = append(layouts[source], answer.Batch.Layout)
			read := describeInputs(&answer.Batch)
			fmt.Fprintf(&got, "%v: %d readings, %d containers\n%s", source, stats.Series, stats.Containers, read)
			if want := reference(source, body, source.Of(), 1, Options{}); read != want {
				t.Errorf("scrape %d: %v: got\n%s\nwant, by the reference,\n%s", scrape, source, read, want)
			}
			decoder.Release(answer)
		}
		path := filepath.Join(scrapeDir(scrape), "golden-inputs.txt")
		if update {
			if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want := string(recorded(t, scrape, "golden-inputs.txt")); got.String() != want {
			t.Errorf("scrape %d:\n%s\nwant:\n%s", scrape, got.String(), want)
		}
	}
	// The crashing container is there in the first and the fifth only.
	for source := range input.Sources {
		for i, same := range []bool{false, true, true, false, false} {
			if (layouts[source][i] == layouts[source][i+1]) != same {
				t.Errorf("%v: scrapes %d and %d have the same layout: %v, want %v", source, i+1, i+2, !same, same)
			}
		}
	}
}

// recordedInputs is a recorded answer, counted from 1.
func recordedInputs(t testing.TB, scrape int, source input.Source) []byte {
	t.Helper()
	name := map[input.Source]string{input.Cadvisor: "metrics-cadvisor.txt.gz", input.Summary: "stats-summary-whole.json.gz"}[source]
	z, err := gzip.NewReader(bytes.NewReader(recorded(t, scrape, name)))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// describeInputs writes what a batch says in the order of its names.
func describeInputs(b *input.Batch) string {
	table := input.Table()
	var out strings.Builder
	line := func(name string, level input.Level, row int32) {
		var parts []string
		for id := range b.Inputs.Each() {
			column := &b.Columns[id]
			switch {
			case level == input.OfNode && b.Own[id].Time != 0:
				parts = append(parts, fmt.Sprintf(" %s=%d@%d", table[id].Name, b.Own[id].Value, b.Own[id].Time))
			case level != input.OfNode && level == table[id].Level && len(column.Times) > 0 && column.Times[row] != 0:
				parts = append(parts, fmt.Sprintf(" %s=%d@%d", table[id].Name, column.Values[row], column.Times[row]))
			}
		}
		fmt.Fprintf(&out, "%s:%s\n", name, strings.Join(parts, ""))
	}
	line("node", input.OfNode, 0)
	if b.Layout != nil {
		for p, pod := range b.Layout.Pods {
			line(pod.Namespace+"/"+pod.Name, input.OfPod, int32(p))
			for row := pod.First; row < pod.End; row++ {
				if name := b.Layout.Containers[row]; name != "" {
					line(pod.Namespace+"/"+pod.Name+"/"+name, input.OfContainer, row)
				}
			}
		}
	}
	return out.String()
}

// reading of a naive reader.
type naiveReading struct {
	value  uint64
	time   storage.Millis
	source string
}

// naiveAnswer is what a naive reader has found: by the row's name, "" being the
// node, and by input.
type naiveAnswer map[string]map[input.ID]naiveReading

func (a naiveAnswer) list(name string) {
	if a[name] == nil {
		a[name] = map[input.ID]naiveReading{}
	}
}

// describe writes it as describeInputs does.
func (a naiveAnswer) describe(wanted input.Set) string {
	table := input.Table()
	a.list("")
	var names []string
	for name := range a {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return slices.Compare(strings.Split(a, "\x00"), strings.Split(b, "\x00")) })
	var out strings.Builder
	for _, name := range names {
		shown := strings.ReplaceAll(name, "\x00", "/")
		if name == "" {
			shown = "node"
		}
		out.WriteString(shown + ":")
		for id := range wanted.Each() {
			if r, ok := a[name][id]; ok {
				fmt.Fprintf(&out, " %s=%d@%d", table[id].Name, r.value, r.time)
			}
		}
		out.WriteString("\n")
	}
	return out.String()
}

// zero says whether all readings of some inputs are 0.
func (a naiveAnswer) zero(ids input.Set) bool {
	for _, readings := range a {
		for id, r := range readings {
			if ids.Has(id) && r.value != 0 {
				return false
			}
		}
	}
	return true
}

// drop takes readings away.
func (a naiveAnswer) drop(ids input.Set) {
	for _, readings := range a {
		for id := range ids.Each() {
			delete(readings, id)
		}
	}
}

// reference is what describeInputs must say of an answer, or an error's text.
func reference(source input.Source, body []byte, wanted input.Set, sent storage.Millis, options Options) string {
	var a naiveAnswer
	var err error
	if source == input.Cadvisor {
		a, err = naiveCadvisor(string(body), wanted, sent, options.withDefaults())
	} else {
		a, err = naiveSummary(string(body), wanted, sent, options.withDefaults())
	}
	if err != nil {
		return err.Error()
	}
	return a.describe(wanted)
}

// decodeInputs is what the decoder says in the same form, and the layout.
func decodeInputs(d *InputDecoder, source input.Source, body []byte, wanted input.Set, sent storage.Millis, layout *storage.Layout) (string, *storage.Layout) {
	a := d.Answer()
	defer d.Release(a)
	a.Batch.Source, a.Batch.Inputs, a.Batch.Sent, a.Batch.Layout = source, wanted, sent, layout
	if _, err := d.Decode(body, a); err != nil {
		for _, reason := range []error{ErrTooManyContainers, ErrTooManySeries, ErrTruncated, ErrNoMetrics, ErrMalformed} {
			if errors.Is(err, reason) {
				return reason.Error(), layout
			}
		}
		return "unknown error: " + err.Error(), layout
	}
	return describeInputs(&a.Batch), a.Batch.Layout
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// referenceResource says what an answer comes to, in the way that is easiest to
// believe: every line parsed, everything in maps, nothing remembered. Package
// exposition's own tests answer for the syntax.
func referenceResource(body string, sent storage.Millis, options Options) (string, error) {
	options = options.withDefaults()
	var (
		stats      Stats
		node       = referenceSample{}
		containers = make(map[storage.ContainerKey]referenceSample)
		told       bool
		count      int
	)
	parts := strings.Split(body, "\n")
	offset := 0
	for i, part := range parts[:len(parts)-1] {
		refuse := func(reason Reason) {
			stats.refuse(Refusal{Reason: reason, Line: i + 1, Offset: offset})
		}
		referenceLine := func() error {
			line := strings.TrimLeft(part, " \t")
			if line == "" || line[0] == '#' {
				return nil
			}
			if count++; count > options.MaxSeries {
				return ErrTooManySeries
			}
			scope, k := familyOf(exposition.Name([]byte(line)))
			if scope == scopeOther && len(exposition.Name([]byte(line))) > 0 {
				return nil
			}
			series := exposition.Series{MaxLabels: options.MaxLabels}
			if len(line) > options.MaxLineBytes {
				refuse(RefusedTooLong)
				return nil
			}
			if err := series.Parse([]byte(line)); err != nil {
				refuse(syntaxReason(err))
				return nil
			}
			sample := node
			var key storage.ContainerKey
			switch scope {
			case scopeKubelet:
				failed, err := exposition.ParseUint(series.Sample.Value, 0)
				switch {
				case told:
					refuse(RefusedDuplicate)
				case err != nil:
					refuse(numberReason(err))
				default:
					told = true
					stats.Series++
					stats.ScrapeErrors = int(min(failed, 1))
				}
				return nil
			case scopeContainer:
				values := make(map[string][]string)
				for _, label := range series.Labels {
					values[string(label.Name)] = append(values[string(label.Name)], string(label.Value()))
				}
				parts := []*string{&key.Namespace, &key.Pod, &key.Container}
				for n, name := range []string{"namespace", "pod", "container"} {
					if len(values[name]) != 1 || values[name][0] == "" {
						refuse(RefusedLabels)
						return nil
					}
					*parts[n] = values[name][0]
				}
				if key.Container == "POD" {
					return nil
				}
				if max(len(key.Namespace), len(key.Pod), len(key.Container)) > options.MaxNameBytes {
					refuse(RefusedTooLong)
					return nil
				}
				sample = containers[key]
				if sample == nil {
					sample = make(referenceSample)
				}
				containers[key] = sample
				if len(containers) > options.MaxContainers {
					return ErrTooManyContainers
				}
			}
			if _, ok := sample[k]; ok {
				refuse(RefusedDuplicate)
				return nil
			}
			reading := referenceReading{time: sent}
			if reason, ok := reading.read(k, series.Sample); ok {
				reading.taken = true
				stats.Series++
			} else {
				refuse(reason)
			}
			sample[k] = reading
			return nil
		}
		if err := referenceLine(); err != nil {
			return "", err
		}
		offset += len(part) + 1
	}
	if parts[len(parts)-1] != "" {
		return "", ErrTruncated
	}
	if len(containers) == 0 && len(node) == 0 && (!told || stats.ScrapeErrors > 0) {
		return "", ErrNoMetrics
	}
	stats.Containers = len(containers)

	batch := storage.Batch{Usage: node.sample(sent)}
	keys := slices.SortedFunc(maps.Keys(containers), storage.ContainerKey.Compare)
	if len(keys) > 0 {
		batch.Layout, _ = storage.NewLayout(keys)
	}
	for _, key := range keys {
		batch.Samples = append(batch.Samples, containers[key].sample(sent))
	}
	return fmt.Sprintf("%+v\n%s", stats, describe(&batch)), nil
}

// referenceSample has what was read of each kind.
type referenceSample map[kind]referenceReading

type referenceReading struct {
	value uint64
	time  storage.Millis
	taken bool
}

func (r *referenceReading) read(k kind, sample exposition.Sample) (Reason, bool) {
	if sample.HasTimestamp {
		if sample.Timestamp <= 0 || sample.Timestamp > maxMillis {
			return RefusedTimestamp, false
		}
		r.time = storage.Millis(sample.Timestamp)
	}
	places := map[kind]int{kindCPU: 9, kindStart: 3}[k]
	value, err := exposition.ParseUint(sample.Value, places)
	if err != nil {
		return numberReason(err), false
	}
	if k == kindStart && value != 0 && (value < 631152000000 || value > 253402300799999) {
		return RefusedTimestamp, false
	}
	r.value = value
	return 0, true
}

func (r referenceSample) sample(sent storage.Millis) storage.Sample {
	s := storage.Sample{
		Start: storage.Millis(r[kindStart].value), Time: sent,
		CPU: r[kindCPU].value, Memory: r[kindMemory].value, Swap: r[kindSwap].value,
	}
	has := map[kind]storage.Fields{kindCPU: storage.HasCPU, kindMemory: storage.HasMemory, kindSwap: storage.HasSwap}
	for _, k := range []kind{kindSwap, kindMemory, kindCPU} {
		if r[k].taken {
			s.Has |= has[k]
			s.Time = r[k].time
		}
	}
	return s
}

// compareResource decodes the answers one after the other by one decoder and
// compares each with the reference.
func compareResource(t *testing.T, options Options, bodies ...string) {
	t.Helper()
	decoder := NewDecoder(options)
	var layout *storage.Layout
	var names string
	for i, body := range bodies {
		sent := storage.Millis(1000 + i)
		want, wantErr := referenceResource(body, sent, options)
		var batch storage.Batch
		owned := []byte(body)
		stats, err := decoder.Resource(owned, sent, &batch)
		// Nobody may still look at the body.
		copy(owned, bytes.Repeat([]byte("x"), len(owned)))
		checkDecoder(t, decoder)
		if wantErr != nil {
			if !errors.Is(err, wantErr) {
				t.Fatalf("answer %d: got error %v, want %v", i, err, wantErr)
			}
			continue
		}
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		if got := fmt.Sprintf("%+v\n%s", stats, describe(&batch)); got != want {
			t.Fatalf("answer %d:\n%s\nwant:\n%s", i, got, want)
		}
		now := ""
		if batch.Layout != nil {
			now = fmt.Sprintf("%q", *batch.Layout)
		}
		if (now == names) != (batch.Layout == layout) {
			t.Fatalf("answer %d: the layout is the same: %v; its names were\n%s\nand are\n%s", i, batch.Layout == layout, names, now)
		}
		layout, names = batch.Layout, now
	}
}

// tightOptions are bounds that small inputs run into.
func tightOptions(tight bool) Options {
	if !tight {
		return Options{}
	}
	return Options{MaxSeries: 60, MaxContainers: 12, MaxLineBytes: 130, MaxLabels: 3, MaxNameBytes: 20}
}

// excerpt is a part of a recorded answer of /metrics/resource.
func excerpt(t testing.TB, scrape int) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(string(recorded(t, scrape, "metrics-resource.txt"))) {
		if line[0] != '#' && (strings.Contains(line, "crasher") || !strings.Contains(line, "{")) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// FuzzResource compares with the reference, the second answer read against the
// first and the third against the second.
func FuzzResource(f *testing.F) {
	// Of each answer the lines about two containers and the node: the fuzzer is
	// lost in long inputs.
	for scrape := 1; scrape < scrapes; scrape++ {
		f.Add(excerpt(f, scrape), excerpt(f, scrape+1), scrape > 3)
	}
	f.Add("node_cpu_usage_seconds_total 1\n", "", true)
	f.Add("container_swap_usage_bytes{namespace=\"n\",pod=\"p\\\\\",container=\"c\"} NaN 1\n", "%\nscrape_error 0\n", false)
	f.Fuzz(func(t *testing.T, first, second string, tight bool) {
		compareResource(t, tightOptions(tight), first, second, first)
	})
}

// FuzzResourceEdits does the same with a recorded answer whose lines are
// edited, as pods coming and going, a shuffled order and garbage edit it.
func FuzzResourceEdits(f *testing.F) {
	var recordings [2][]string
	for i := range recordings {
		body := string(recorded(f, i+1, "metrics-resource.txt"))
		recordings[i] = strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	}
	f.Add([]byte("delete\x00\x05\x00insert\x01\x09\x05swap\x02\x01\x14"), false)
	f.Add([]byte{0, 2, 0, 0, 2, 0, 0, 2, 0, 0, 18, 0}, true)
	f.Add([]byte{3, 2, 0, 3, 2, 0, 4, 7, 9, 5, 30, 60, 6, 1, 1}, false)
	f.Fuzz(func(t *testing.T, edits []byte, tight bool) {
		lines := slices.Clone(recordings[0])
		bodies := []string{strings.Join(lines, "\n") + "\n"}
		for ; len(edits) >= 3 && len(lines) > 0 && len(bodies) < 6; edits = edits[3:] {
			at, to := int(edits[1])%len(lines), int(edits[2])%len(lines)
			switch edits[0] % 8 {
			case 0:
				lines = slices.Delete(lines, at, at+1)
			case 1:
				lines = slices.Insert(lines, at, recordings[1][int(edits[2])%len(recordings[1])])
			case 2:
				lines[at], lines[to] = lines[to], lines[at]
			case 3:
				lines = slices.Insert(lines, to, lines[at])
			case 4:
				garbled := []byte(lines[at])
				if len(garbled) > 0 {
					garbled[int(edits[2])%len(garbled)] ^= 1 << (edits[2] % 8)
				}
				lines[at] = string(garbled)
			case 5:
				lines = slices.Delete(lines, min(at, to), max(at, to))
			case 6:
				lines[at] = strings.ReplaceAll(lines[at], "web", fmt.Sprintf("web-%d", edits[2]))
			case 7: // The answer as it is so far is scraped.
				bodies = append(bodies, strings.Join(lines, "\n")+"\n")
			}
		}
		last := strings.Join(lines, "\n") + "\n"
		compareResource(t, tightOptions(tight), append(bodies, last, last, bodies[0])...)
	})
}

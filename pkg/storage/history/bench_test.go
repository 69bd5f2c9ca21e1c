// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// line is a series of a recorded answer.
type line struct {
	text   string
	labels series.Labels
	at     storage.Millis
	value  float64
}

// recorded are the recorded answers of one source of a kubelet, read plainly.
func recorded(tb testing.TB, source series.Source) [][]line {
	tb.Helper()
	var answers [][]line
	for i := range 6 {
		name := fmt.Sprintf("../../scraper/kubelet/testdata/scrape-%d/metrics-%s.txt", i+1, source)
		if source == series.Cadvisor {
			name += ".gz"
		}
		file, err := os.Open(name)
		if err != nil {
			tb.Fatal(err)
		}
		lines := bufio.NewScanner(file)
		if source == series.Cadvisor {
			plain, err := gzip.NewReader(file)
			if err != nil {
				tb.Fatal(err)
			}
			lines = bufio.NewScanner(plain)
		}
		lines.Buffer(nil, 1<<20)
		sent := storage.Millis(1_763_749_000_000 + i*11_000)
		var answer []line
		for lines.Scan() {
			if text := lines.Text(); !strings.HasPrefix(text, "#") {
				answer = append(answer, lineOf(tb, text, sent))
			}
		}
		if err := lines.Err(); err != nil {
			tb.Fatal(err)
		}
		file.Close()
		answers = append(answers, answer)
	}
	return answers
}

func lineOf(tb testing.TB, text string, sent storage.Millis) line {
	tb.Helper()
	end := strings.LastIndex(text, "}") + 1
	if end == 0 {
		end = strings.Index(text, " ")
	}
	name, rest, _ := strings.Cut(text[:end], "{")
	l := line{text: text[:end], labels: series.Labels{{Name: series.NameLabel, Value: name}}, at: sent}
	for pair := range strings.SplitSeq(strings.TrimSuffix(rest, "}"), "\",") {
		if label, value, ok := strings.Cut(pair, "=\""); ok {
			l.labels = append(l.labels, series.Label{Name: label, Value: strings.TrimSuffix(value, "\"")})
		}
	}
	fields := strings.Fields(text[end:])
	var err error
	if l.value, err = strconv.ParseFloat(fields[0], 64); err != nil {
		tb.Fatal(err)
	}
	if len(fields) > 1 {
		at, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			tb.Fatal(err)
		}
		l.at = storage.Millis(at)
	}
	return l
}

// feed gives recorded answers to a receiver, in rounds: each later one says the same
// of a later time, with counters that have gone on.
type feed struct {
	receiver series.Receiver
	answers  [][]line
	handles  map[string]series.Handle
	batch    series.Batch
	count    int
}

// batches are the recorded answers as batches, without calling the receiver but for
// Open. Series that go are left open.
func (f *feed) next() *series.Batch {
	answer := f.answers[f.count%len(f.answers)]
	later := storage.Millis(f.count / len(f.answers) * len(f.answers) * 11_000)
	b := &f.batch
	b.Handles, b.Times, b.Values = b.Handles[:0], b.Times[:0], b.Values[:0]
	b.Received = 1 << 50
	for i := range answer {
		l := &answer[i]
		h, ok := f.handles[l.text]
		if !ok {
			h = f.receiver.Open(l.labels, nil)
			f.handles[l.text] = h
		}
		b.Handles, b.Times, b.Values = append(b.Handles, h), append(b.Times, l.at+later), append(b.Values, l.value)
	}
	f.count++
	return b
}

func newFeed(tb testing.TB, source series.Source) (*Store, *feed) {
	tb.Helper()
	store := New(Options{})
	if err := store.Keep(Keep{MaxBytes: MinBytes, Sources: series.SourceSetOf(source)}); err != nil {
		tb.Fatal(err)
	}
	return store, &feed{receiver: store.Receiver("node", source), answers: recorded(tb, source), handles: map[string]series.Handle{}}
}

// BenchmarkCommit is a recorded answer written, and how many bytes a sample takes in
// blocks, and on the heap.
func BenchmarkCommit(b *testing.B) {
	for _, source := range []series.Source{series.Resource, series.Cadvisor} {
		b.Run(source.String(), func(b *testing.B) {
			store, f := newFeed(b, source)
			f.receiver.Commit(f.next(), nil)
			b.ReportAllocs()
			b.StopTimer()
			for range b.N {
				batch := f.next()
				b.StartTimer()
				f.receiver.Commit(batch, nil)
				b.StopTimer()
			}
			s := store.Stats()
			written := 0
			for _, t := range store.all() {
				for _, l := range t.mu.lanes {
					written += len(l.stream.buf)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(s.Samples), "ns/sample")
			b.ReportMetric((float64(s.Written)+float64(written))/float64(s.Samples), "B/sample")
			b.ReportMetric(float64(s.Overhead)/float64(s.Series), "heap-B/series")
			b.ReportMetric(float64(s.Series), "series")
		})
	}
}

// BenchmarkSelect reads one metric of ten minutes, by which all of the blocks' are
// read.
func BenchmarkSelect(b *testing.B) {
	store, f := newFeed(b, series.Cadvisor)
	for range 54 {
		f.receiver.Commit(f.next(), nil)
	}
	all := store.Stats().Samples
	found := 0
	b.ReportAllocs()
	for b.Loop() {
		store.Select("", "container_cpu_usage_seconds_total", nil, 0, 1<<50, func(p series.Points) bool {
			found += len(p.Times)
			return true
		})
	}
	if found == 0 {
		b.Fatal("nothing")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(all)/float64(b.N), "ns/sample-read")
}

// BenchmarkAppend is one sample into a block, by kinds of values.
func BenchmarkAppend(b *testing.B) {
	for name, next := range map[string]func(i int) float64{
		"same":   func(int) float64 { return 4096 },
		"memory": func(i int) float64 { return float64(1<<28 + i%7*4096) },
		"cpu":    func(i int) float64 { return float64(1e9+int64(i)*123_456) / 1e6 },
		"raw":    func(i int) float64 { return 1 / float64(i+3) },
	} {
		b.Run(name, func(b *testing.B) {
			s := &stream{}
			s.reset()
			var st state
			fresh, bytes := true, 0
			for i := 0; b.Loop(); i++ {
				s.append(7, &st, fresh, storage.Millis(i)*15_000, next(i))
				fresh = false
				if len(s.buf) > maxBlockBytes {
					bytes += len(s.buf)
					s.reset()
					fresh = true
				}
			}
			b.ReportMetric(float64(bytes+len(s.buf))/float64(b.N), "B/sample")
		})
	}
}

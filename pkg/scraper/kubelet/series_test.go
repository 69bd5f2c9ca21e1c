// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

func TestSeriesRecordings(t *testing.T) {
	var resource, cadvisor [][]byte
	for i := range 6 {
		resource = append(resource, recorded(t, i+1, "metrics-resource.txt"))
		cadvisor = append(cadvisor, recordedInputs(t, i+1, input.Cadvisor))
	}
	holdSeries(t, resource, 0)
	holdSeries(t, cadvisor, 0)
	holdSeries(t, cadvisor, 0b11010)
}

// TestSeriesRandom reads answers whose series come, go and move.
func TestSeriesRandom(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		var bodies [][]byte
		names := []string{"a", "b", "c", "d"}
		pods := r.IntN(200)
		for range 8 {
			switch r.IntN(4) {
			case 0:
				pods = max(0, pods+r.IntN(100)-50)
			case 1:
				r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
			}
			var b bytes.Buffer
			rate := r.IntN(3) * r.IntN(30)
			for _, name := range names {
				if r.IntN(8) == 0 {
					continue
				}
				fmt.Fprintf(&b, "# HELP %s of it\n# TYPE %s gauge\n", name, name)
				for pod := range pods {
					switch {
					case r.IntN(1000) >= rate:
					case r.IntN(2) == 0:
						continue
					case r.IntN(5) == 0:
						b.WriteString("{bad\n")
						continue
					default:
						pod = r.IntN(pods) // It may come twice.
					}
					fmt.Fprintf(&b, "%s{pod=\"%d\"} %d %d\n", name, pod, r.IntN(10), r.IntN(3)+1000)
				}
				fmt.Fprintf(&b, "%s %d\n", name, r.IntN(10))
			}
			bodies = append(bodies, b.Bytes())
		}
		holdSeries(t, bodies, r.Uint64()&r.Uint64())
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestSeriesMetadata(t *testing.T) {
	stream := NewSeriesDecoder(Options{}).Stream("n", series.Resource)
	k := newKeeper(t)
	stream.Attach(k)
	body := `# HELP c A counter with a \\ and\na line.
# TYPE c counter
c 1
c{a="1"} 1
# TYPE g gauge
g 1
# a comment
# HELP u Nobody says what.
u 1
v 1
# HELP h A histogram.
# TYPE h histogram
h_bucket{le="1"} 1
h_sum 1
h_other 1
`
	if _, err := stream.Decode(SeriesAnswer{Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]series.Metadata{
		"c": {Family: "c", Type: series.Counter, Help: "A counter with a \\ and\na line."}, "g": {Family: "g", Type: series.Gauge},
		"u": {Family: "u", Help: "Nobody says what."}, "v": {Family: "v"},
		"h_bucket": {Family: "h", Type: series.Counter, Help: "A histogram."}, "h_sum": {Family: "h", Type: series.Counter, Help: "A histogram."},
		"h_other": {Family: "h_other"},
	} {
		if k.meta[name] != want {
			t.Errorf("%s: %+v, want %+v", name, k.meta[name], want)
		}
	}
}

// explosive panics at a call.
type explosive struct {
	keeper
	at string
}

func (e *explosive) Open(labels series.Labels, meta *series.Metadata) series.Handle {
	if e.at == "open" {
		panic("open")
	}
	return e.keeper.Open(labels, meta)
}

func (e *explosive) Commit(b *series.Batch, gone []series.Handle) {
	if e.at == "commit" {
		panic("commit")
	}
	e.keeper.Commit(b, gone)
}

func TestSeriesPanic(t *testing.T) {
	for _, at := range []string{"open", "commit"} {
		stream := NewSeriesDecoder(Options{}).Stream("n", series.Resource)
		bad, good := &explosive{keeper: *newKeeper(t), at: at}, newKeeper(t)
		stream.Attach(bad)
		stream.Attach(good)
		for range 2 {
			if _, err := stream.Decode(SeriesAnswer{Body: []byte("a 1\nb 2\n")}); err != nil {
				t.Fatal(err)
			}
		}
		if receiver, err := stream.Broken(); receiver != series.Receiver(bad) || !strings.Contains(err.Error(), at) {
			t.Errorf("broken is %v: %v", receiver, err)
		}
		if receiver, _ := stream.Broken(); receiver != nil || good.commits != 2 || len(good.samples) != 2 {
			t.Errorf("the other got %v", good.samples)
		}
	}
}

func TestSeriesBounds(t *testing.T) {
	stream := NewSeriesDecoder(Options{MaxSeries: 3, MaxLabels: 1, MaxLabelBytes: 4, MaxLineBytes: 20}).Stream("n", series.Resource)
	k := newKeeper(t)
	stream.Attach(k)
	if _, err := stream.Decode(SeriesAnswer{Body: []byte("a 1\nb 1\nc 1\nd 1\n")}); err == nil || k.commits > 0 {
		t.Errorf("four series are taken")
	}
	stats, err := stream.Decode(SeriesAnswer{Body: []byte("a{x=\"12345\"} 1\na{x=\"1\",y=\"2\"} 1\na 1\n")})
	if err != nil || stats.Refused[RefusedTooLong] != 2 || len(k.samples) != 1 {
		t.Errorf("%+v, %v: %v", stats, err, k.samples)
	}
	if stats, err = stream.Decode(SeriesAnswer{Body: []byte("a 1.0000000000000000000000\na 2 0\nb 1\n")}); err != nil || stats.Refused[RefusedTooLong] != 1 || stats.Refused[RefusedTimestamp] != 1 {
		t.Errorf("%+v, %v", stats, err)
	}
}

func FuzzSeries(f *testing.F) {
	f.Add([]byte("# TYPE a counter\na{b=\"c\"} 1 2\na 3\n"), []byte("a 3\na{b=\"c\"} 1 2\n"), []byte("a{b=\"d\"} 1\na{b=\"c\"} NaN\n"), uint8(0))
	f.Add([]byte("a 1\na 2\nc 1\n"), []byte("b 1\na 1\nb 2\n"), []byte("a {b=\"c\"} 1\na{b=\"c\"} 1\n"), uint8(2))
	f.Fuzz(func(t *testing.T, a, b, c []byte, turns uint8) {
		holdSeries(t, [][]byte{a, b, a, c, b}, uint64(turns))
	})
}

// silent takes everything, or what begins with a prefix, and keeps nothing.
type silent struct {
	next   series.Handle
	prefix string
}

func (s *silent) Open(series.Labels, *series.Metadata) series.Handle { s.next++; return s.next }
func (s *silent) Commit(*series.Batch, []series.Handle)              {}
func (s *silent) Failed(storage.Millis)                              {}
func (s *silent) End(storage.Millis)                                 {}
func (s *silent) Generation() uint64                                 { return 1 }
func (s *silent) Wants(name string) bool                             { return strings.HasPrefix(name, s.prefix) }

func BenchmarkSeries(b *testing.B) {
	cadvisor, resource := largeCadvisor(b), recorded(b, 1, "metrics-resource.txt")
	for _, bench := range []struct {
		name, prefix string
		body         []byte
		cold         bool
	}{
		{"cadvisor/all", "", cadvisor, false},
		{"cadvisor/network", "container_network_receive", cadvisor, false},
		{"cadvisor/nothing", "none", cadvisor, false},
		{"cadvisor/first", "", cadvisor, true},
		{"resource/all", "", resource, false},
	} {
		b.Run(bench.name, func(b *testing.B) {
			decoder := NewSeriesDecoder(Options{})
			stream := decoder.Stream("n", series.Cadvisor)
			stream.Attach(&silent{prefix: bench.prefix})
			b.SetBytes(int64(len(bench.body)))
			b.ReportAllocs()
			var stats SeriesStats
			for b.Loop() {
				var err error
				if stats, err = stream.Decode(SeriesAnswer{Body: bench.body, Sent: 1}); err != nil {
					b.Fatal(err)
				}
				if bench.cold {
					stream = decoder.Stream("n", series.Cadvisor)
					stream.Attach(&silent{prefix: bench.prefix})
				}
			}
			b.ReportMetric(float64(stats.Series), "series")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(max(1, stats.Series)), "ns/series")
		})
	}
}

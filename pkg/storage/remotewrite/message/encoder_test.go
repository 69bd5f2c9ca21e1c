// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package message

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/s2"
	"google.golang.org/protobuf/encoding/protowire"
)

// A row is a sample with all that is said of its series.
type row struct {
	labels      []string // names and values by turns
	kind        Type
	help, unit  string
	value       float64
	time, start int64
}

// world is some series of one set of symbols, and what they are called.
type world struct {
	symbols *Symbols
	series  []Series
	rows    []row
}

// newWorld makes up n series, with labels as pods have them.
func newWorld(r *rand.Rand, n int) *world {
	w := &world{symbols: NewSymbols()}
	for i := range n {
		w.add(row{
			labels: []string{
				"__name__", fmt.Sprintf("container_metric_%d_total", i%40),
				"container", fmt.Sprintf("app-%d", r.IntN(5)),
				"id", fmt.Sprintf("/kubepods/burstable/pod%032x/%064x", i/40, i/20),
				"instance", "10.0.0.1:10250",
				"job", "kubelet",
				"namespace", fmt.Sprintf("team-%d", r.IntN(7)),
				"pod", fmt.Sprintf("web-%010d", i/40),
			},
			kind: Type(r.IntN(3)), help: fmt.Sprintf("Help of %d.", i%40), unit: []string{"", "seconds"}[i%2],
			value: r.NormFloat64(), time: 1_700_000_000_000 + int64(i), start: int64(i%3) * 1_600_000_000_000,
		})
	}
	return w
}

func (w *world) add(r row) {
	var labels []uint32
	for _, text := range r.labels {
		labels = append(labels, w.symbols.Use(text))
	}
	w.series = append(w.series, NewSeries(w.symbols, labels, r.kind, r.help, r.unit))
	w.rows = append(w.rows, r)
}

// body is what an encoder makes of all series.
func (w *world) body(e *Encoder, protocol Protocol) []byte {
	e.Begin(protocol)
	for i := range w.series {
		e.Append(&w.series[i], w.rows[i].value, w.rows[i].time, w.rows[i].start)
	}
	return e.AppendBody(nil)
}

// plainV1 and plainV2 are the messages by the book.
func plainV1(rows []row) []byte {
	var out []byte
	for _, r := range rows {
		var series []byte
		for i := 0; i < len(r.labels); i += 2 {
			var label []byte
			label = plainString(label, 1, r.labels[i])
			label = plainString(label, 2, r.labels[i+1])
			series = protowire.AppendBytes(protowire.AppendTag(series, 1, protowire.BytesType), label)
		}
		series = protowire.AppendBytes(protowire.AppendTag(series, 2, protowire.BytesType), plainSample(r.value, r.time, 0))
		out = protowire.AppendBytes(protowire.AppendTag(out, 1, protowire.BytesType), series)
	}
	return out
}

func plainV2(rows []row) []byte {
	numbers, order := map[string]uint64{"": 0}, []string{""}
	number := func(text string) uint64 {
		if _, ok := numbers[text]; !ok {
			numbers[text] = uint64(len(order))
			order = append(order, text)
		}
		return numbers[text]
	}
	var all []byte
	for _, r := range rows {
		var series, refs, metadata []byte
		for _, text := range r.labels {
			refs = protowire.AppendVarint(refs, number(text))
		}
		if len(refs) > 0 {
			series = protowire.AppendBytes(protowire.AppendTag(series, 1, protowire.BytesType), refs)
		}
		series = protowire.AppendBytes(protowire.AppendTag(series, 2, protowire.BytesType), plainSample(r.value, r.time, r.start))
		metadata = plainInt(metadata, 1, uint64(r.kind))
		metadata = plainInt(metadata, 3, number(r.help))
		metadata = plainInt(metadata, 4, number(r.unit))
		series = protowire.AppendBytes(protowire.AppendTag(series, 5, protowire.BytesType), metadata)
		all = protowire.AppendBytes(protowire.AppendTag(all, 5, protowire.BytesType), series)
	}
	var out []byte
	for _, text := range order {
		out = protowire.AppendString(protowire.AppendTag(out, 4, protowire.BytesType), text)
	}
	return append(out, all...)
}

func plainSample(value float64, time, start int64) []byte {
	var out []byte
	if math.Float64bits(value) != 0 {
		out = protowire.AppendFixed64(protowire.AppendTag(out, 1, protowire.Fixed64Type), math.Float64bits(value))
	}
	return plainInt(plainInt(out, 2, uint64(time)), 3, uint64(start))
}

func plainInt(dst []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, field, protowire.VarintType), v)
}

func plainString(dst []byte, field protowire.Number, text string) []byte {
	if text == "" {
		return dst
	}
	return protowire.AppendString(protowire.AppendTag(dst, field, protowire.BytesType), text)
}

func unpack(t testing.TB, body []byte) []byte {
	t.Helper()
	message, err := s2.Decode(nil, body)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// TestEncoder holds both messages against those by the book, request after
// request of one encoder, while series come and go.
func TestEncoder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	w := newWorld(r, 500)
	// What is at the ends of what a message can say.
	stale := math.Float64frombits(0x7ff0000000000002)
	w.add(row{labels: []string{"__name__", "zero"}, value: 0, time: 0})
	w.add(row{labels: []string{"__name__", "stale"}, kind: Counter, value: stale, time: -1, start: -1})
	w.add(row{labels: []string{"__name__", "minus_zero"}, value: math.Copysign(0, -1), time: math.MaxInt64})
	w.add(row{labels: []string{"__name__", "infinite"}, value: math.Inf(1), time: math.MinInt64, start: math.MinInt64})
	w.add(row{})
	e := NewEncoder(w.symbols)
	for range 20 {
		if got, want := unpack(t, w.body(e, V2)), plainV2(w.rows); !bytes.Equal(got, want) {
			t.Fatalf("2.0 is %x, by the book %x", got, want)
		}
		v1 := w.body(e, V1)
		if got, want := unpack(t, v1), plainV1(w.rows); !bytes.Equal(got, want) {
			t.Fatalf("1.0 is %x, by the book %x", got, want)
		}
		down, err := Downgrade(nil, w.body(e, V2))
		if err != nil || !bytes.Equal(unpack(t, down), unpack(t, v1)) {
			t.Fatalf("downgraded: %x, %v; want what 1.0 is", down, err)
		}
		for range 50 {
			i := r.IntN(len(w.series))
			w.series[i].Release(w.symbols)
			w.series = append(w.series[:i], w.series[i+1:]...)
			w.rows = append(w.rows[:i], w.rows[i+1:]...)
		}
		for _, other := range newWorld(r, 40).rows {
			w.add(other)
		}
	}
	for i := range w.series {
		w.series[i].Release(w.symbols)
	}
	if w.symbols.Len() != 1 || w.symbols.Bytes() != 0 {
		t.Errorf("%d symbols of %d bytes are left", w.symbols.Len(), w.symbols.Bytes())
	}
}

// TestTurns runs the number of a request over its end.
func TestTurns(t *testing.T) {
	w := newWorld(rand.New(rand.NewPCG(3, 4)), 10)
	e := NewEncoder(w.symbols)
	w.body(e, V2)
	e.turn = math.MaxUint32 - 1
	for range 3 {
		if got, want := unpack(t, w.body(e, V2)), plainV2(w.rows); !bytes.Equal(got, want) {
			t.Fatalf("turn %d: %x, want %x", e.turn, got, want)
		}
	}
}

func TestMetadata(t *testing.T) {
	got := unpack(t, AppendMetadata([]byte(nil), []Metadata{{Family: "a_total", Type: Counter, Help: "A.", Unit: "seconds"}, {Family: "b"}}))
	var want, one []byte
	one = plainString(plainString(plainString(plainInt(nil, 1, 1), 2, "a_total"), 4, "A."), 5, "seconds")
	want = protowire.AppendBytes(protowire.AppendTag(want, 3, protowire.BytesType), one)
	want = protowire.AppendBytes(protowire.AppendTag(want, 3, protowire.BytesType), plainString(nil, 2, "b"))
	if !bytes.Equal(got, want) {
		t.Errorf("metadata is %x, want %x", got, want)
	}
}

// FuzzDowngrade gives it bytes that are no body of ours. What it makes of what it
// takes can be read.
func FuzzDowngrade(f *testing.F) {
	w := newWorld(rand.New(rand.NewPCG(5, 6)), 3)
	whole := unpack(f, w.body(NewEncoder(w.symbols), V2))
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte{0x2a, 0x02, 0x0a, 0x00})
	f.Fuzz(func(t *testing.T, message []byte) {
		if len(message) > 1<<16 {
			return
		}
		down, err := Downgrade([]byte("kept"), s2.EncodeSnappy(nil, message))
		if !bytes.HasPrefix(down, []byte("kept")) {
			t.Fatal("what was there before is gone")
		}
		if err != nil {
			return
		}
		for rest := unpack(t, down[4:]); len(rest) > 0; {
			_, _, n := protowire.ConsumeField(rest)
			if n < 0 {
				t.Fatalf("%x cannot be read", rest)
			}
			rest = rest[n:]
		}
		// And where it is no snappy block at all.
		_, _ = Downgrade(nil, message)
	})
}

// BenchmarkEncoder is what a million samples cost, in requests of 2,000, of
// 10,000 series.
func BenchmarkEncoder(b *testing.B) {
	for _, protocol := range []Protocol{V1, V2} {
		b.Run(protocol.String(), func(b *testing.B) {
			w := newWorld(rand.New(rand.NewPCG(7, 8)), 10_000)
			e := NewEncoder(w.symbols)
			var body []byte
			i, size := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				e.Begin(protocol)
				for range 2000 {
					i = (i + 1) % len(w.series)
					e.Append(&w.series[i], w.rows[i].value, w.rows[i].time, w.rows[i].start)
				}
				body = e.AppendBody(body[:0])
				size += len(body)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2000, "ns/sample")
			b.ReportMetric(float64(size)/float64(b.N)/2000, "B/sample")
		})
	}
}

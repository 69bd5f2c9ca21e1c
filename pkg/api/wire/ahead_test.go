// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// longList is a list of runs of 1,000 pods each, as a cluster has them. It counts
// the items that are read, and those runs that are being read.
func longList(runs int) (list List, items, reading *atomic.Int64) {
	items, reading = new(atomic.Int64), new(atomic.Int64)
	list = List{Kind: PodMetrics, Version: "v1", Created: sampled}
	for r := range runs {
		pods := make([]Item, 1000)
		var workload string
		var labels Labels
		for i := range pods {
			if i%10 == 0 {
				workload = fmt.Sprint("workload-", i/10)
				labels = LabelsOf(map[string]string{"app.kubernetes.io/name": workload, "app.kubernetes.io/part-of": "system", "pod-template-hash": "6d4b75cb6d"})
			}
			pods[i] = Item{
				Namespace: fmt.Sprint("namespace-", r), Name: fmt.Sprintf("%s-6d4b75cb6d-%05d", workload, i),
				Labels: labels, Time: sampled + storage.Millis(i*7919%30_000), Window: storage.Millis(10_000 + i*7%10_000),
				Containers: []storage.ContainerUsage{
					{Name: "server", CPU: uint64(i) * 7_919_123, Memory: uint64(i) * 4096, HasSwap: true},
					{Name: "sidecar", CPU: uint64(i) * 7919, Memory: uint64(i) * 40960},
				},
			}
		}
		list.Runs = append(list.Runs, Run{Items: func(yield func(*Item) bool) {
			reading.Add(1)
			defer reading.Add(-1)
			for i := range pods {
				items.Add(1)
				if !yield(&pods[i]) {
					return
				}
			}
		}})
	}
	return list, items, reading
}

// TestAheadEqualsInTurn: what is encoded ahead is what is encoded in turn.
func TestAheadEqualsInTurn(t *testing.T) {
	list, _, _ := longList(5)
	one := list
	one.Runs = []Run{{Items: list.items}}
	var writer Writer
	for _, encoding := range []Encoding{JSON, Protobuf} {
		for range 3 { // with fresh and with used buffers
			var ahead, inTurn bytes.Buffer
			if err := writer.Write(&ahead, &list, encoding); err != nil {
				t.Fatal(err)
			}
			if err := writer.Write(&inTurn, &one, encoding); err != nil {
				t.Fatal(err)
			}
			if ahead.Len() < 1<<20 || !bytes.Equal(ahead.Bytes(), inTurn.Bytes()) {
				t.Errorf("%q, want %q", clip(ahead.Bytes(), inTurn.Bytes()), clip(inTurn.Bytes(), ahead.Bytes()))
			}
		}
	}
}

// TestAheadIsBounded: while a client does not read, no more is encoded than there
// is room for, however long the list.
func TestAheadIsBounded(t *testing.T) {
	for _, encoding := range []Encoding{JSON, Protobuf} {
		synctest.Test(t, func(t *testing.T) {
			list, items, _ := longList(20)
			reader, w := io.Pipe()
			var writer Writer
			written := make(chan error)
			go func() { written <- writer.Write(w, &list, encoding) }()
			synctest.Wait()
			before := items.Load() // protobuf has measured all items
			if _, err := io.ReadFull(reader, make([]byte, 4<<20)); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			// An item takes more than 250 bytes.
			if got := items.Load() - before; got > (4<<20+aheadChunks*longBufferSize)/250 {
				t.Errorf("%d items were encoded for 4 MiB", got)
			}
			rest, err := io.Copy(io.Discard, readerUntil{reader, written, t})
			if err != nil || rest == 0 {
				t.Errorf("%d more bytes, %v", rest, err)
			}
		})
	}
}

// readerUntil reads from a pipe until the writer has returned without an error.
type readerUntil struct {
	*io.PipeReader
	written chan error
	t       *testing.T
}

func (r readerUntil) WriteTo(w io.Writer) (int64, error) {
	go func() {
		if err := <-r.written; err != nil {
			r.t.Error(err)
		}
		r.Close()
	}()
	n, err := io.Copy(w, struct{ io.Reader }{r.PipeReader})
	if errors.Is(err, io.ErrClosedPipe) {
		err = nil
	}
	return n, err
}

// TestAheadEnds: when Write returns, whether the client went away, the writer
// panicked, as net/http does to end a request, or the encoder did, nothing of the
// list is read any more, and a panic comes up where the request is handled.
func TestAheadEnds(t *testing.T) {
	for _, encoding := range []Encoding{JSON, Protobuf} {
		for left := range 6 {
			list, _, reading := longList(10)
			var writer Writer
			if err := writer.Write(&failing{left: left}, &list, encoding); !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%v", err)
			}
			got := panicOf(func() { _ = writer.Write(&panicking{left: left}, &list, encoding) })
			if err, _ := got.(error); !errors.Is(err, http.ErrAbortHandler) {
				t.Errorf("panicked with %v", got)
			}
			list.Runs[left].Items = func(func(*Item) bool) { panic("lost it") }
			got = panicOf(func() { _ = writer.Write(io.Discard, &list, encoding) })
			if message, _ := got.(string); !strings.HasPrefix(message, "BUG: lost it") {
				t.Errorf("panicked with %v", got)
			}
			if reading.Load() != 0 {
				t.Errorf("%d runs are still being read", reading.Load())
			}
		}
	}
}

// panicking is a writer that takes a number of writes.
type panicking struct{ left int }

func (p *panicking) Write(b []byte) (int, error) {
	if p.left--; p.left < 0 {
		panic(http.ErrAbortHandler)
	}
	return len(b), nil
}

func panicOf(do func()) (value any) {
	defer func() { value = recover() }()
	do()
	return nil
}

// BenchmarkWrite is how long 30,000 pods take whose parts are at hand: encoded in
// turn with writing, and ahead of it.
func BenchmarkWrite(b *testing.B) {
	list, _, _ := longList(30)
	one := list
	one.Runs = []Run{{Items: list.items}}
	for encoding, name := range map[Encoding]string{JSON: "json", Protobuf: "protobuf"} {
		for how, list := range map[string]*List{"in turn": &one, "ahead": &list} {
			b.Run(name+"/"+how, func(b *testing.B) {
				var writer Writer
				b.ReportAllocs()
				for b.Loop() {
					if err := writer.Write(io.Discard, list, encoding); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
)

// TestSharedEqualsAlone: those that share a list write what each would alone, in
// whatever encodings, beyond what is held, and beside others that go away.
func TestSharedEqualsAlone(t *testing.T) {
	for runs, writers := range map[int]int{1: 8, 6: 8, 45: 2} {
		list, _, reading := longList(runs)
		var writer Writer
		want := map[Encoding][]byte{}
		for _, encoding := range []Encoding{JSON, Protobuf} {
			var alone bytes.Buffer
			if err := writer.Write(&alone, &list, encoding); err != nil {
				t.Fatal(err)
			}
			want[encoding] = alone.Bytes()
		}
		if runs == 45 && len(want[JSON]) < maxShared+1<<20 {
			t.Errorf("%d bytes are held whole", len(want[JSON]))
		}
		list.Shared = new(Shared)
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() {
				encoding := []Encoding{JSON, JSON, JSON, Protobuf}[i%4]
				var got bytes.Buffer
				if err := writer.Write(&got, &list, encoding); err != nil || !bytes.Equal(got.Bytes(), want[encoding]) {
					t.Errorf("%v: %d bytes, want %d", err, got.Len(), len(want[encoding]))
				}
				if err := writer.Write(&failing{left: i}, &list, encoding); !errors.Is(err, io.ErrClosedPipe) && len(want[encoding]) > (i+1)*longBufferSize {
					t.Errorf("%v", err)
				}
			})
		}
		group.Wait()
		wantNothingShared(t, &writer, &list)
		if reading.Load() != 0 {
			t.Errorf("%d runs are still being read", reading.Load())
		}
	}
}

// TestSharedIsEncodedOnce: while one writes a list, others that come write what it
// has encoded.
func TestSharedIsEncodedOnce(t *testing.T) {
	list, items, _ := longList(5)
	list.Shared = new(Shared)
	var writer Writer
	begun, release := make(chan struct{}, 1), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		if err := writer.Write(&held{begun: begun, release: release}, &list, JSON); err != nil {
			t.Error(err)
		}
	})
	<-begun
	for range 9 {
		if err := writer.Write(io.Discard, &list, JSON); err != nil {
			t.Error(err)
		}
	}
	close(release)
	group.Wait()
	if items.Load() != 5000 {
		t.Errorf("%d items were encoded, want 5,000", items.Load())
	}
	wantNothingShared(t, &writer, &list)
}

// held is a writer that waits.
type held struct{ begun, release chan struct{} }

func (h *held) Write(p []byte) (int, error) {
	select {
	case h.begun <- struct{}{}:
	default:
	}
	<-h.release
	return len(p), nil
}

// TestSharedPanics: where the encoder panics, so does each that writes the list,
// and none says that it is whole.
func TestSharedPanics(t *testing.T) {
	list, _, _ := longList(5)
	list.Runs[3].Items = func(func(*Item) bool) { panic("lost it") }
	list.Shared = new(Shared)
	var writer Writer
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			got := panicOf(func() { _ = writer.Write(io.Discard, &list, JSON) })
			if message := fmt.Sprint(got); !strings.HasPrefix(message, "BUG: ") {
				t.Errorf("panicked with %v", got)
			}
		})
	}
	group.Wait()
	wantNothingShared(t, &writer, &list)
	if got := panicOf(func() { _ = writer.Write(&panicking{left: 1}, &list, JSON) }); got == nil {
		t.Error("no panic")
	}
	wantNothingShared(t, &writer, &list)
}

// wantNothingShared checks that nothing is held when all have written.
func wantNothingShared(t *testing.T, writer *Writer, list *List) {
	t.Helper()
	if len(list.Shared.bodies) != 0 {
		t.Errorf("%d bodies are held", len(list.Shared.bodies))
	}
	if !writer.sharing.TryLock() {
		t.Fatal("the next list could not share")
	}
	writer.sharing.Unlock()
}

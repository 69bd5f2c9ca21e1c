// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// pieces is a connection of which each read brings what has arrived by then.
type pieces struct {
	net.Conn // nil
	data     []byte
	random   *rand.Rand
}

func (c *pieces) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.data[:1+c.random.IntN(len(c.data))])
	c.data = c.data[n:]
	return n, nil
}

// stream is records of those sizes, and where each begins.
func stream(random *rand.Rand, sizes []int) (data []byte, starts map[int]bool) {
	starts = map[int]bool{}
	for _, size := range sizes {
		starts[len(data)] = true
		data = append(data, 0x17, 3, 3)
		data = binary.BigEndian.AppendUint16(data, uint16(size))
		for range size {
			data = append(data, byte(random.Uint32()))
		}
	}
	starts[len(data)] = true
	return data, starts
}

// FuzzRecords: the bytes are those of the connection, whatever they are, and a
// read with much room does not go beyond the end of a record.
func FuzzRecords(f *testing.F) {
	f.Add(uint64(1), []byte{1, 2, 3})
	f.Add(uint64(2), []byte{})
	f.Fuzz(func(t *testing.T, seed uint64, prefix []byte) {
		random := rand.New(rand.NewPCG(seed, 0))
		sizes := make([]int, random.IntN(8))
		for i := range sizes {
			sizes[i] = random.IntN([]int{2, 100, 5000, 20_000}[random.IntN(4)])
		}
		data, starts := stream(random, sizes)
		if len(prefix) > 0 {
			data, starts = append(bytes.Clone(prefix), data...), nil // Anything.
		}
		pool := &sync.Pool{New: func() any { return new(recordBuffer) }}
		r := &records{Conn: &pieces{data: data, random: random}, pool: pool}
		var got []byte
		for {
			at := len(got)
			p := make([]byte, 1+random.IntN(20_000))
			n, err := r.Read(p)
			got = append(got, p[:n]...)
			if err != nil {
				break
			}
			if starts[at] && len(p) < tightBuffer {
				continue
			}
			for i := at + 1; i < len(got); i++ {
				if starts[i] {
					t.Fatalf("a read of %d bytes at %d goes beyond %d, where a record begins", n, at, i)
				}
			}
		}
		if !bytes.Equal(got, data) {
			t.Fatalf("got %d bytes, want %d, or others", len(got), len(data))
		}
		if r.buffer != nil {
			t.Error("the buffer was kept")
		}
	})
}

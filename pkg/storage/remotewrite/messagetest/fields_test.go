// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package messagetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

func TestFields(t *testing.T) {
	var message []byte
	message = protowire.AppendTag(message, 1, protowire.BytesType)
	message = protowire.AppendString(message, "text")
	message = protowire.AppendTag(message, 2, protowire.VarintType)
	message = protowire.AppendVarint(message, 300)
	message = protowire.AppendTag(message, 16, protowire.Fixed64Type)
	message = protowire.AppendFixed64(message, 1<<60)
	var got []string
	take := func(field int, b []byte, v uint64) error {
		got = append(got, fmt.Sprintf("%d %q %d", field, b, v))
		return nil
	}
	if err := Fields(message, take); err != nil {
		t.Error(err)
	}
	if want := []string{`1 "text" 0`, `2 "" 300`, fmt.Sprintf(`16 "" %d`, 1<<60)}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	boundaries := map[int]bool{0: true, 6: true, 9: true, len(message): true}
	for n := range len(message) + 1 {
		if err := Fields(message[:n], take); (err == nil) != boundaries[n] {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
	if err := Fields([]byte{1<<3 | 5, 0, 0, 0, 0}, take); err == nil {
		t.Error("a field of four bytes was read")
	}
	stop := errors.New("stop")
	if err := Fields(message, func(int, []byte, uint64) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want what take returned", err)
	}
}

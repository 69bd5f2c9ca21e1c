// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"fmt"
	"testing"
)

// TestLingeringIsBounded: a node that lists other containers in each answer, with usage or
// without, has no more rows than two answers list and some; and what a good node listed
// lingers also where all its pods are replaced at once.
func TestLingeringIsBounded(t *testing.T) {
	const listed = 1000
	for _, has := range []Fields{HasCPU, HasCPU | HasMemory} {
		store, err := New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		for answer := range 10 {
			received := Millis(1_767_323_045_678 + answer*5_000)
			keys, samples := make([]ContainerKey, listed), make([]Sample, listed)
			for i := range keys {
				keys[i] = ContainerKey{Namespace: "ns", Pod: fmt.Sprintf("pod-%d-%d", i%7, answer), Container: fmt.Sprintf("c-%d", i)}
				samples[i] = Sample{Start: received - 20_000, Time: received, CPU: 1_000_000_000, Memory: 1 << 20, Has: has}
			}
			layout, _ := NewLayout(keys)
			if _, err := store.Commit(&Batch{Node: "node", Sent: received, Received: received, Layout: layout, Samples: samples}); err != nil {
				t.Fatal(err)
			}
			value, _ := store.nodes.Load("node")
			state := value.(*nodeSlot).state.Load()
			rows := len(state.columns.rows)
			if rows > 2*listed+lingerRoom || rows != len(state.layout.Containers) || len(state.answers) != len(state.layout.Pods) {
				t.Fatalf("answer %d: %d rows, %d containers, %d answers of %d pods", answer, rows, len(state.layout.Containers), len(state.answers), len(state.layout.Pods))
			}
			if answer == 1 && rows != 2*listed {
				t.Errorf("%d rows after all pods were replaced, want %d", rows, 2*listed)
			}
		}
	}
}

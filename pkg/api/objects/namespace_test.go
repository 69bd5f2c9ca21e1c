// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"fmt"
	"testing"
)

// TestNamespaceIsBounded holds that pods that come and go leave nothing behind
// in a namespace that nobody lists.
func TestNamespaceIsBounded(t *testing.T) {
	pods := NewPods()
	set := func(name string) {
		if err := pods.Update(&Pod{Namespace: "jobs", Name: name, Containers: &Containers{}}); err != nil {
			t.Fatal(err)
		}
	}
	set("stays")
	for i := range 10_000 {
		name := fmt.Sprintf("job-%d", i)
		set(name)
		if err := pods.Delete(&Pod{Namespace: "jobs", Name: name, Containers: &Containers{}}); err != nil {
			t.Fatal(err)
		}
	}
	ns := pods.mu.namespaces["jobs"]
	if held := len(ns.sorted) + len(ns.added); held > 2*len(ns.pods)+maxGone+2 {
		t.Errorf("%d places are held for %d pod", held, len(ns.pods))
	}
}

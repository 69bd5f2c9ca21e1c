// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package population

import (
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/world"
)

// TestPodSize holds that a Pod is as large as real ones are.
func TestPodSize(t *testing.T) {
	size, err := Size(world.World{Nodes: 10, Pods: 30, Containers: 2, Epoch: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if size < 4700 || size > 5500 {
		t.Errorf("a pod has %d bytes", size)
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"errors"
	"fmt"
	"time"
)

// Limits of the semantics that are no options, because every answer's meaning
// rests on them.
const (
	// FutureTolerance is how far ahead of us a sample may be; within it, it is
	// served as of now.
	FutureTolerance Millis = 2_000
	// minWindow is the least distance of two samples that a rate is taken from:
	// at the kubelet's millisecond timestamps a shorter one is mostly noise.
	minWindow Millis = 1_000
	// minFirstAge is how old a container must be for the rate from its start.
	minFirstAge Millis = 10_000
	// maxEstimateWindow is the longest time over which a kubelet takes its own
	// rate (cAdvisor refreshes a busy container every 10 to 20 s).
	maxEstimateWindow Millis = 20_000
	// maxStep is the longest step back of a node's clock that is waited out.
	maxStep Millis = 24 * 3_600_000
	// maxNanoCores is the highest rate that is served: 2^20 cores.
	maxNanoCores = 1 << 20 * 1_000_000_000
)

// ContainerStatus is what the cluster says of a container of a pod.
type ContainerStatus struct {
	Name string
	// Running is false while the container waits or has terminated.
	Running bool
}

// Options of a Store.
type Options struct {
	// Resolution is the time between two scrapes of one node; from 1 s to 24 h,
	// default 15 s.
	Resolution time.Duration

	// FindPod finds the pod of a name, nil where the cluster knows none (yet). It
	// is called during Commit and must not block nor call the store. nil is: no
	// pod is known.
	FindPod func(namespace, name string) KnownPod
}

func (o Options) withDefaults() Options {
	if o.Resolution == 0 {
		o.Resolution = 15 * time.Second
	}
	if o.FindPod == nil {
		o.FindPod = func(string, string) KnownPod { return nil }
	}
	return o
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	if o.Resolution != 0 && (o.Resolution < time.Second || o.Resolution > 24*time.Hour) {
		return fmt.Errorf("storage options: resolution %v: must be from 1s to 24h", o.Resolution)
	}
	return nil
}

// Staleness is how old an answer may be and still be served.
func (o Options) Staleness() time.Duration { return StalenessBound(o.withDefaults().Resolution) }

// StalenessBound is how old an answer may be and still be served, for nodes
// scraped every resolution: three missed scrapes, or two and the 30 s after
// which a kubelet refreshes even an idle container.
func StalenessBound(resolution time.Duration) time.Duration {
	return max(3*resolution, 2*resolution+30*time.Second)
}

// ErrNoNode is returned by Commit for a batch without a node's name or whose
// rows do not fit its layout; it is a bug of the caller.
var ErrNoNode = errors.New("storage: BUG: the batch names no node or its rows do not fit its layout")

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package freshness

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Options of a simulation.
type Options struct {
	// Resolution is the time between two scrapes of a node.
	Resolution time.Duration
	// Containers is how many containers a pod has; its age is that of the
	// oldest sample.
	Containers int
	// Idle is the share of pods whose containers are idle.
	Idle float64
	// Pods is how many pods to simulate. 0 is 100,000.
	Pods int
}

// Ages returns the ages of all simulated pods at a random moment, in ascending
// order. As in the API, times are in whole seconds.
func (o Options) Ages() []time.Duration {
	if o.Pods == 0 {
		o.Pods = 100_000
	}
	random := rand.New(rand.NewPCG(1, 2))
	ages := make([]time.Duration, o.Pods)
	for i := range ages {
		interval := 10 * time.Second
		if random.Float64() < o.Idle {
			interval = 15 * time.Second
		}
		// The pod is looked at at a random moment, some time after its node was
		// scraped last.
		now := time.Duration(random.Int64N(int64(time.Hour)))
		scraped := now - time.Duration(random.Int64N(int64(o.Resolution)))
		oldest := now
		for range o.Containers {
			oldest = min(oldest, newest(random, scraped, interval))
		}
		ages[i] = now - oldest.Truncate(time.Second)
	}
	slices.Sort(ages)
	return ages
}

// newest is when the newest sample before a moment was taken, of a container
// whose samples are one to two intervals apart.
func newest(random *rand.Rand, before, interval time.Duration) time.Duration {
	// Begun long enough before for its start not to matter.
	at := before - 20*interval - time.Duration(random.Int64N(int64(interval)))
	for {
		next := at + interval + time.Duration(random.Int64N(int64(interval)))
		if next > before {
			return at
		}
		at = next
	}
}

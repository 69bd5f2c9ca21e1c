// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// askedFor is how long what somebody asked for stays wanted: long enough that a
// dashboard, or an HPA that we cannot see, always finds it.
const askedFor = 10 * time.Minute

// Demand is which inputs are wanted: those of metrics that an HPA names, that
// were asked for lately, or that are always wanted. Only these are collected.
type Demand struct {
	always input.Set
	apply  func(input.Set)
	// wake has room for one: that something has changed.
	wake chan struct{}

	mu struct {
		sync.Mutex
		// byHPA has the HPAs that name metrics of ours, by namespace/name, and
		// ofHPAs is all of theirs.
		byHPA  map[string]input.Set
		ofHPAs input.Set
		// asked is when each input was last asked for, since is when it began to
		// be wanted; zero where it is not.
		asked, since [input.IDs]time.Time
	}
}

// NewDemand is a demand for what the metrics named in always need, where
// AllMetrics stands for all of them, until more is wanted. Run tells apply of
// every change, one at a time.
func NewDemand(always []string, apply func(input.Set)) (*Demand, error) {
	d := &Demand{apply: apply, wake: make(chan struct{}, 1)}
	d.mu.byHPA = map[string]input.Set{}
	metrics := byName()
	for _, name := range always {
		metric, ok := metrics[name]
		switch {
		case name == AllMetrics:
			d.always = input.All()
		case ok:
			d.always |= metric.Inputs()
		default:
			return nil, fmt.Errorf("there is no metric %q: the metrics are %s", name, strings.Join(slices.Sorted(maps.Keys(metrics)), ", "))
		}
	}
	return d, nil
}

// AllMetrics stands for all metrics where names are listed.
const AllMetrics = "*"

// Run tells apply what is wanted, now and after every change, until ctx ends.
func (d *Demand) Run(ctx context.Context) error {
	var applied input.Set
	for {
		wanted, change := d.wanted(time.Now())
		if wanted != applied {
			d.apply(wanted)
			applied = wanted
		}
		var expiry <-chan time.Time
		var timer *time.Timer
		if !change.IsZero() {
			timer = time.NewTimer(time.Until(change))
			expiry = timer.C
		}
		ended := false
		select {
		case <-d.wake:
		case <-expiry:
		case <-ctx.Done():
			ended = true
		}
		if timer != nil {
			timer.Stop()
		}
		if ended {
			return nil
		}
	}
}

// wanted is what is wanted at the moment now, and when that next changes by
// itself: when what was asked for has not been asked for any more for long
// enough; zero is never.
func (d *Demand) wanted(now time.Time) (wanted input.Set, change time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	steady := d.always | d.mu.ofHPAs
	wanted = steady
	for id := range input.IDs {
		switch ends := d.mu.asked[id].Add(askedFor); {
		case steady.Has(id) || d.mu.asked[id].IsZero():
		case !ends.After(now):
			d.mu.asked[id] = time.Time{}
		default:
			wanted |= input.SetOf(id)
			if change.IsZero() || ends.Before(change) {
				change = ends
			}
		}
		switch {
		case !wanted.Has(id):
			d.mu.since[id] = time.Time{}
		case d.mu.since[id].IsZero():
			d.mu.since[id] = now
		}
	}
	return wanted, change
}

// ask says that somebody asks for inputs at the moment now, and is told since
// when all of them have been wanted.
func (d *Demand) ask(inputs input.Set, now time.Time) (since time.Time) {
	isNew := false
	d.mu.Lock()
	for id := range inputs.Each() {
		d.mu.asked[id] = now
		if d.mu.since[id].IsZero() {
			d.mu.since[id] = now
			isNew = true
		}
		if d.mu.since[id].After(since) {
			since = d.mu.since[id]
		}
	}
	d.mu.Unlock()
	if isNew {
		d.changed()
	}
	return since
}

// changed wakes Run.
func (d *Demand) changed() {
	select {
	case d.wake <- struct{}{}:
	default: // It will wake already.
	}
}

// setHPAs says what all HPAs need that need anything, by namespace/name. It keeps
// the map.
func (d *Demand) setHPAs(byHPA map[string]input.Set) {
	d.mu.Lock()
	d.mu.byHPA = byHPA
	changed := d.sumHPAsLocked()
	d.mu.Unlock()
	if changed {
		d.changed()
	}
}

// setHPA says what one HPA needs; nothing, where it is gone. The status of each
// HPA changes often, and what it needs hardly ever.
func (d *Demand) setHPA(key string, inputs input.Set) {
	d.mu.Lock()
	changed := false
	if d.mu.byHPA[key] != inputs {
		if inputs == 0 {
			delete(d.mu.byHPA, key)
		} else {
			d.mu.byHPA[key] = inputs
		}
		changed = d.sumHPAsLocked()
	}
	d.mu.Unlock()
	if changed {
		d.changed()
	}
}

// sumHPAsLocked makes ofHPAs anew and says whether it has changed.
func (d *Demand) sumHPAsLocked() (changed bool) {
	before := d.mu.ofHPAs
	d.mu.ofHPAs = 0
	for _, inputs := range d.mu.byHPA {
		d.mu.ofHPAs |= inputs
	}
	return d.mu.ofHPAs != before
}

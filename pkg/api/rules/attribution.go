// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"encoding/binary"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// attribution says which of many inputs, each with its labels, a result can have
// been made from: those of which no label contradicts the result's. The engine does
// not tell; this errs on the side of too many, never of too few, unless an
// expression gives a label another value, which is why what fits nothing is taken
// to be made from everything.
type attribution struct {
	inputs []input
	// grouped is the inputs by the values of the labels in names, as far as they
	// have them: by which they have, a bit for each, and by the values. masks is all
	// that they have. It is made for results that have just these labels.
	names   []string
	masks   []uint64
	grouped map[string]inputGroup
	isMade  bool
	key     []byte
}

// reset empties it, and keeps its memory.
func (a *attribution) reset() {
	clear(a.inputs)
	clear(a.names)
	clear(a.grouped)
	*a = attribution{inputs: a.inputs[:0], names: a.names[:0], masks: a.masks[:0], grouped: a.grouped, key: a.key[:0]}
}

// input is one thing that was read, or that ought to have been.
type input struct {
	labels labels.Labels
	// newest is the time of its newest sample.
	newest storage.Millis
	// why is the reason that it is missing, and subject what it is about.
	why     reason
	subject string
}

// inputGroup is several inputs.
type inputGroup struct {
	oldest storage.Millis
	// first is the index of one of them.
	first, count int
}

func (a *attribution) add(l labels.Labels, newest storage.Millis) {
	a.inputs = append(a.inputs, input{labels: l, newest: newest})
}

func (a *attribution) addMissing(l labels.Labels, why reason, subject string) {
	a.inputs = append(a.inputs, input{labels: l, why: why, subject: subject})
}

// of is the inputs of a result with these labels; count 0 is that there are none.
func (a *attribution) of(result labels.Labels) (group inputGroup) {
	if len(a.inputs) == 0 {
		return inputGroup{}
	}
	if !a.isFor(result) {
		a.group(result)
	}
	for _, has := range a.masks {
		if g, ok := a.grouped[string(a.project(result, has))]; ok {
			group.merge(g)
		}
	}
	return group
}

// all is all inputs.
func (a *attribution) all() (group inputGroup) {
	for i := range a.inputs {
		group.merge(inputGroup{oldest: a.inputs[i].newest, first: i, count: 1})
	}
	return group
}

func (g *inputGroup) merge(other inputGroup) {
	switch {
	case g.count == 0:
		*g = other
	default:
		g.oldest = min(g.oldest, other.oldest)
		g.count += other.count
	}
}

// isFor is whether the inputs are grouped by the labels of result.
func (a *attribution) isFor(result labels.Labels) bool {
	if !a.isMade {
		return false
	}
	i, same := 0, true
	result.Range(func(l labels.Label) {
		if i < maxNames {
			same = same && i < len(a.names) && a.names[i] == l.Name
			i++
		}
	})
	return same && i == len(a.names)
}

// maxNames is how many labels of a result are looked at: a bit for each.
const maxNames = 64

// group groups the inputs by the labels of result.
func (a *attribution) group(result labels.Labels) {
	a.names = a.names[:0]
	result.Range(func(l labels.Label) {
		if len(a.names) < maxNames {
			a.names = append(a.names, l.Name)
		}
	})
	if a.masks, a.isMade = a.masks[:0], true; a.grouped == nil {
		a.grouped = map[string]inputGroup{}
	}
	clear(a.grouped)
	for i := range a.inputs {
		has := uint64(0)
		for n, name := range a.names {
			if a.inputs[i].labels.Has(name) {
				has |= 1 << n
			}
		}
		if !slices.Contains(a.masks, has) {
			a.masks = append(a.masks, has)
		}
		one, key := inputGroup{oldest: a.inputs[i].newest, first: i, count: 1}, a.project(a.inputs[i].labels, has)
		if g, ok := a.grouped[string(key)]; ok {
			g.merge(one)
			one = g
		}
		a.grouped[string(key)] = one
	}
}

// project is which names has says, and the values of those. It is valid until the
// next call.
func (a *attribution) project(l labels.Labels, has uint64) []byte {
	a.key = binary.LittleEndian.AppendUint64(a.key[:0], has)
	for n, name := range a.names {
		if has&(1<<n) != 0 {
			a.key = append(append(a.key, l.Get(name)...), 0xff)
		}
	}
	return a.key
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"hash/maphash"
	"slices"
)

// A kubelet writes its series in the same order each time, so the next answer
// is read against the previous one: where the text of a series is the one that
// stood at this place before, its container and kind are known without parsing.
// Texts are compared by a keyed 64-bit hash, because keeping them would take a
// hundred bytes a series; a node that found a collision could but confuse its
// own containers.
//
// The plan is only ever a shortcut: what does not match is parsed, and what is
// read is the same with and without it (FuzzResource).

// step is one container series of the previous answer.
type step struct {
	hash   uint64
	slot   int32
	length uint16
	kind   kind
}

// maxSkip is how many steps that did not come are skipped to find one that did.
// It bounds the work of a reader whose answers are shuffled each time; a pod
// with more containers than this costs one parsed line for each that is gone.
const maxSkip = 64

// plan walks along the steps of the previous answer and writes down the next
// ones where they differ.
type plan struct {
	seed  maphash.Seed
	steps []step // Those of the previous answer; read only.
	at    int    // The next of them.

	// next is the plan so far, once diverged is set; until then the plan is
	// steps[:at], and next memory without meaning.
	next     []step
	diverged bool
}

// match is the step that a line belongs to, if it is the expected one. There may be more
// than the line.
func (p *plan) match(line []byte) (step, bool) {
	if p.at == len(p.steps) {
		return step{}, false
	}
	s := p.steps[p.at]
	n := int(s.length)
	// The texts end with a brace; with a blank behind it, and nothing else, it
	// is plain that the parser would end there too.
	if n >= len(line) || line[n] != ' ' || line[n-1] != '}' || maphash.Bytes(p.seed, line[:n]) != s.hash {
		return step{}, false
	}
	return s, true
}

// follow goes over the step that matched.
func (p *plan) follow(s step) {
	if p.diverged {
		p.next = append(p.next, s)
	}
	p.at++
}

// add notes a series that was parsed because it was not the expected one, and
// goes on behind it if it is only that others before it did not come.
func (p *plan) add(text []byte, slot int32, k kind) {
	p.diverge()
	p.next = append(p.next, step{hash: maphash.Bytes(p.seed, text), slot: slot, length: uint16(len(text)), kind: k})
	ahead := p.steps[p.at:min(p.at+maxSkip, len(p.steps))]
	if i := slices.IndexFunc(ahead, func(s step) bool { return s.slot == slot && s.kind == k }); i >= 0 {
		p.at += i + 1
	}
}

// drop goes over a step that matched a series that has come before.
func (p *plan) drop() {
	p.diverge()
	p.at++
}

// finish is the plan for the next answer, and whether it is another one, which then
// is in the memory of next.
func (p *plan) finish() (steps []step, changed bool) {
	if p.at < len(p.steps) {
		p.diverge()
	}
	if p.diverged {
		return p.next, true
	}
	return p.steps, false
}

// keptSteps is next in the memory of steps where it fits closely, else in its own.
func keptSteps(steps, next []step) []step {
	if spare := cap(steps) - len(next); spare < 0 || spare > len(next)/8 {
		return slices.Clone(next)
	}
	return append(steps[:0], next...)
}

func (p *plan) diverge() {
	if !p.diverged {
		p.diverged = true
		p.next = append(p.next[:0], p.steps[:p.at]...)
	}
}

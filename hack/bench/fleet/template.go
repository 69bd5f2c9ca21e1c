// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// template is text that a kubelet wrote of one cgroup, with what is to be written
// in place of that cgroup's names, times and counters.
type template []part

// part is text, and what follows it.
type part struct {
	text string
	then slot
	// base is the counter that was recorded.
	base float64
}

// slot is what a template has a place for.
type slot uint8

const (
	nothing slot = iota
	namespaceSlot
	podSlot
	uidSlot
	containerSlot
	idSlot
	// The time of the newest sample, and that of the start; in milliseconds, in
	// seconds, and as text. nowSlot is the present in seconds.
	sampledSlot
	startedSlot
	nowSlot
	sampledTextSlot
	startedTextSlot
	// counterSlot is what was recorded, times the age of the cgroup over that of
	// the recorded one; wholeSlot is the same without a fraction.
	counterSlot
	wholeSlot
)

// recordedAge is about how old the recorded pods were, in milliseconds.
const recordedAge = 60_000

// replacement is what of a text goes into which slot: the pattern's only group.
type replacement struct {
	pattern *regexp.Regexp
	slot    slot
}

// newTemplate is the template of a text. Where two replacements overlap, the
// first of them counts.
func newTemplate(text string, replacements []replacement) (template, error) {
	type place struct {
		begin, end int
		slot       slot
	}
	var places []place
	for _, r := range replacements {
		for _, at := range r.pattern.FindAllStringSubmatchIndex(text, -1) {
			next := place{at[2], at[3], r.slot}
			if !slices.ContainsFunc(places, func(p place) bool { return next.begin < p.end && p.begin < next.end }) {
				places = append(places, next)
			}
		}
	}
	slices.SortFunc(places, func(a, b place) int { return a.begin - b.begin })
	var t template
	done := 0
	for _, p := range places {
		next := part{text: text[done:p.begin], then: p.slot}
		if p.slot == counterSlot || p.slot == wholeSlot {
			var err error
			if next.base, err = strconv.ParseFloat(text[p.begin:p.end], 64); err != nil {
				return nil, fmt.Errorf("read a counter of the recording: %w", err)
			}
		}
		t, done = append(t, next), p.end
	}
	return append(t, part{text: text[done:]}), nil
}

// cgroup is what a template is rendered for. Times are Unix milliseconds.
type cgroup struct {
	namespace, pod, uid, container, id string
	sampled, started                   int64
}

// append renders the template.
func (t template) append(dst []byte, c *cgroup, now int64) []byte {
	for i := range t {
		p := &t[i]
		dst = append(dst, p.text...)
		switch p.then {
		case nothing:
		case namespaceSlot:
			dst = append(dst, c.namespace...)
		case podSlot:
			dst = append(dst, c.pod...)
		case uidSlot:
			dst = append(dst, c.uid...)
		case containerSlot:
			dst = append(dst, c.container...)
		case idSlot:
			dst = append(dst, c.id...)
		case sampledSlot:
			dst = strconv.AppendInt(dst, c.sampled, 10)
		case startedSlot:
			dst = appendNumber(dst, float64(c.started/1000))
		case nowSlot:
			dst = appendNumber(dst, float64(now/1000))
		case sampledTextSlot:
			dst = append(dst, second(c.sampled)...)
		case startedTextSlot:
			dst = append(dst, second(c.started)...)
		case counterSlot:
			dst = appendNumber(dst, p.base*float64(c.sampled-c.started)/recordedAge)
		case wholeSlot:
			dst = strconv.AppendUint(dst, uint64(p.base*float64(c.sampled-c.started)/recordedAge), 10)
		}
	}
	return dst
}

// exactly is a pattern for a text as it is.
func exactly(text string) *regexp.Regexp {
	return regexp.MustCompile("(" + regexp.QuoteMeta(text) + ")")
}

// runtimeID is like an id that a container runtime gives, for a name.
func runtimeID(uid, name string) string {
	var b strings.Builder
	h := uint64(14695981039346656037)
	for i := range 4 {
		for _, c := range []byte(uid + name) {
			h = (h ^ uint64(c) ^ uint64(i)) * 1099511628211
		}
		fmt.Fprintf(&b, "%016x", h)
	}
	return b.String()
}

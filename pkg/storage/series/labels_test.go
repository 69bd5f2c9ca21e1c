// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import (
	"hash/maphash"
	"testing"
)

func TestLabels(t *testing.T) {
	l := Labels{{NameLabel, "up"}, {"job", "kubelet"}, {"node", "a"}}
	for name, want := range map[string]string{NameLabel: "up", "job": "kubelet", "node": "a", "": "", "pod": "", "zone": ""} {
		if got := l.Get(name); got != want {
			t.Errorf("Get(%q) = %q, want %q", name, got, want)
		}
	}
	if c := l.Clone(); c.Compare(l) != 0 || &c[0] == &l[0] {
		t.Errorf("a clone of %v is %v", l, c)
	}
	order := []Labels{nil, {{"a", "1"}}, {{"a", "1"}, {"b", "1"}}, {{"a", "2"}}, {{"b", "1"}}}
	for i := range order {
		for j := range order {
			if got := order[i].Compare(order[j]); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("Compare(%v, %v) = %d", order[i], order[j], got)
			}
		}
	}
}

// TestHash tells labels apart whose texts are the same one after the other.
func TestHash(t *testing.T) {
	seed := maphash.MakeSeed()
	hashes := map[uint64]Labels{}
	for _, l := range []Labels{nil, {{"a", "bc"}}, {{"ab", "c"}}, {{"a", "b"}, {"c", ""}}, {{"a", "b"}, {"c", "d"}}, {{"a", "bcd"}}} {
		h := l.Hash(seed)
		if other, ok := hashes[h]; ok || h != l.Clone().Hash(seed) {
			t.Errorf("%v has the hash of %v, or not that of its clone", l, other)
		}
		hashes[h] = l
	}
}

func TestSources(t *testing.T) {
	set := SourceSetOf(Resource, Summary)
	for s := range Sources {
		if got, want := set.Has(s), s != Cadvisor; got != want {
			t.Errorf("Has(%v) = %v", s, got)
		}
		if s.Path() == "" || s.String() == "" {
			t.Errorf("source %d has no name or path", s)
		}
		if named, ok := SourceNamed(s.String()); !ok || named != s {
			t.Errorf("%q names %v, %v", s.String(), named, ok)
		}
	}
	if s, ok := SourceNamed("probes"); ok {
		t.Errorf("a name of no source names %v", s)
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import "testing"

// TestInterner: one copy for as long as somebody holds it.
func TestInterner(t *testing.T) {
	var i interner[*int]
	first, second := new(int), new(int)
	a := i.intern("k", first)
	b := i.intern("k", second)
	if a != b || a.value != first || a.holders != 2 {
		t.Errorf("%+v, %+v", a, b)
	}
	i.release(nil)
	i.release(a)
	if c := i.intern("k", second); c.value != first {
		t.Error("forgotten while it was held")
	}
	i.release(b)
	i.release(b)
	if len(i.byKey) != 0 {
		t.Errorf("%d are held by nobody", len(i.byKey))
	}
	if c := i.intern("k", second); c.value != second || c.holders != 1 {
		t.Errorf("%+v", c)
	}
}

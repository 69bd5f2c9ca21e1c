// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

// interner holds one copy of each value that several holders have in common,
// for as long as at least one of them holds it. The zero value is empty. It is
// not safe for concurrent use.
type interner[V any] struct {
	byKey map[string]*interned[V]
}

// interned is a shared value and the number of its holders.
type interned[V any] struct {
	value   V
	key     string
	holders int
}

// intern is the shared value of key: value, where there is none yet. The caller
// holds it until it calls release. Equal keys must mean equal values.
func (i *interner[V]) intern(key string, value V) *interned[V] {
	if shared, ok := i.byKey[key]; ok {
		shared.holders++
		return shared
	}
	if i.byKey == nil {
		i.byKey = map[string]*interned[V]{}
	}
	shared := &interned[V]{value: value, key: key, holders: 1}
	i.byKey[key] = shared
	return shared
}

// release gives back what intern returned; nil is nothing.
func (i *interner[V]) release(shared *interned[V]) {
	if shared == nil {
		return
	}
	shared.holders--
	if shared.holders == 0 {
		delete(i.byKey, shared.key)
	}
}

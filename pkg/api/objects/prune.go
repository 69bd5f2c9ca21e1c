// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// message says which fields of a protobuf message are kept, by their numbers.
// A Pod of 5 KB is mostly what nobody here reads (managed fields, conditions,
// volumes, environments): leaving it out before objects are made of it is what
// makes a large cluster's pods cheap to watch, and cheap to list at a start.
type message struct {
	// fields is indexed by number; nil is not kept.
	fields []*field
}

// field is a field that is kept.
type field struct {
	// message is the fields that are kept of it, or nil, which is all.
	message *message
	// keys is, for a map, the keys whose entries are kept, or nil, which is all.
	keys []string
}

// keep is the message of a type generated from protobuf, of which the fields at
// paths are kept. A path has the names of Go's fields with dots between; one
// that ends with [key] keeps this one entry of a map.
func keep(object reflect.Type, paths ...string) *message {
	m := &message{}
	for _, path := range paths {
		path, key, hasKey := strings.Cut(strings.TrimSuffix(path, "]"), "[")
		at, to := object, m
		var last *field
		for name := range strings.SplitSeq(path, ".") {
			number, element := numberOf(at, name)
			if last != nil {
				if last.message == nil {
					last.message = &message{}
				}
				to = last.message
			}
			for len(to.fields) <= number {
				to.fields = append(to.fields, nil)
			}
			if to.fields[number] == nil {
				to.fields[number] = &field{}
			}
			last, at = to.fields[number], element
		}
		if hasKey {
			last.keys = append(last.keys, key)
		}
	}
	return m
}

// numberOf is the number of a field and the type of which it has one or many.
func numberOf(object reflect.Type, name string) (int, reflect.Type) {
	f, ok := object.FieldByName(name)
	if !ok {
		panic(fmt.Sprintf("BUG: %v has no field %s", object, name))
	}
	_, rest, _ := strings.Cut(f.Tag.Get("protobuf"), ",")
	digits, _, _ := strings.Cut(rest, ",")
	number, err := strconv.Atoi(digits)
	if err != nil {
		panic(fmt.Sprintf("BUG: field %s of %v has no number", name, object))
	}
	element := f.Type
	for element.Kind() == reflect.Pointer || element.Kind() == reflect.Slice {
		element = element.Elem()
	}
	return number, element
}

// append appends to dst the fields of src that are kept.
func (m *message) append(dst, src []byte) ([]byte, error) {
	for len(src) > 0 {
		number, kind, tag := protowire.ConsumeTag(src)
		if tag < 0 {
			return dst, protowire.ParseError(tag)
		}
		size := protowire.ConsumeFieldValue(number, kind, src[tag:])
		if size < 0 {
			return dst, protowire.ParseError(size)
		}
		whole := src[:tag+size]
		src = src[tag+size:]
		if int(number) >= len(m.fields) || m.fields[number] == nil {
			continue
		}
		f := m.fields[number]
		if kind != protowire.BytesType || f.message == nil && f.keys == nil {
			dst = append(dst, whole...)
			continue
		}
		content, _ := protowire.ConsumeBytes(whole[tag:])
		if f.keys != nil {
			if f.hasKey(content) {
				dst = append(dst, whole...)
			}
			continue
		}
		var err error
		if dst, err = appendNested(append(dst, whole[:tag]...), content, f.message); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// appendNested appends what is kept of a nested message, its length before it.
func appendNested(dst, src []byte, m *message) ([]byte, error) {
	// Mostly the length takes a byte; where it takes more, the rest is moved.
	begin := len(dst) + 1
	dst, err := m.append(append(dst, 0), src)
	if err != nil {
		return dst, err
	}
	size := len(dst) - begin
	if more := protowire.SizeVarint(uint64(size)) - 1; more > 0 {
		for range more {
			dst = append(dst, 0)
		}
		copy(dst[begin+more:], dst[begin:begin+size])
	}
	protowire.AppendVarint(dst[:begin-1], uint64(size))
	return dst, nil
}

// hasKey is whether an entry of a map is one of those that are kept. Entries
// begin with the key, field 1, as all that were written by a program do.
func (f *field) hasKey(entry []byte) bool {
	number, kind, tag := protowire.ConsumeTag(entry)
	if tag < 0 || number != 1 || kind != protowire.BytesType {
		return true // Whatever it is, it is for the decoder to say.
	}
	key, size := protowire.ConsumeBytes(entry[tag:])
	if size < 0 {
		return true
	}
	return slices.Contains(f.keys, string(key))
}

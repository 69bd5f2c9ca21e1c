//go:build !appengine

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package history

import (
	"reflect"
	"syscall"
	"unsafe"

	"github.com/VictoriaMetrics/fastcache"
)

// release gives the memory of a cache's chunks back to the system, and says how
// much that was. The cache must not be used meanwhile, and holds nothing of use
// after it but its memory: it has to be reset.
//
// The cache itself keeps chunks for its successors when it is reset, for ever; they
// are mapped outside of Go's heap, so nothing else would free them, and shedding
// history would free no memory. It does not say where they are, so its fields are
// looked at, which reading by reflection may do. Where they are not what they are
// known to be, nothing is given back; TestRelease fails then.
func release(cache *fastcache.Cache) (released int64) {
	buckets := reflect.ValueOf(cache).Elem().FieldByName("buckets")
	if !buckets.IsValid() || buckets.Kind() != reflect.Array {
		return 0
	}
	for i := range buckets.Len() {
		bucket := buckets.Index(i)
		if bucket.Kind() != reflect.Struct {
			return 0
		}
		chunks := bucket.FieldByName("chunks")
		if !chunks.IsValid() || chunks.Type() != reflect.TypeFor[[][]byte]() {
			return 0
		}
		for j := range chunks.Len() {
			chunk := chunks.Index(j)
			if chunk.Cap() != chunkBytes {
				continue // It was not needed yet.
			}
			memory := unsafe.Slice((*byte)(chunk.UnsafePointer()), chunkBytes)
			// The mapping stays, with zeros in it. Refused where pages are larger
			// than a chunk: then the memory stays too.
			if syscall.Madvise(memory, syscall.MADV_DONTNEED) == nil {
				released += chunkBytes
			}
		}
	}
	return released
}

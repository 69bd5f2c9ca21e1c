// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import (
	"sync"
	"sync/atomic"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// answers is when each source of each node last gave an answer.
type answers struct {
	byTarget sync.Map // of answerKey to *answer
}

type answerKey struct {
	node   string
	source Source
}

// answer is the newest answer of one source of a node.
type answer struct {
	key answerKey
	at  atomic.Int64 // storage.Millis
	// offset is what had to be added to the node's times then, in milliseconds.
	offset atomic.Int64
}

// of is a place for the answers of a source that begins to be read.
func (a *answers) of(node string, source Source) *answer {
	next := &answer{key: answerKey{node, source}}
	a.byTarget.Store(next.key, next)
	return next
}

// end forgets a source that is no longer read, unless it is read again already.
func (a *answers) end(answer *answer) { a.byTarget.CompareAndDelete(answer.key, answer) }

// Answered is when the last complete answer of a node's source came in, by our
// clock; 0 where there was none since it began to be read. It tells a series that a
// node does not have from one that it was not asked for.
func (r *Recent) Answered(node string, source Source) storage.Millis {
	found, ok := r.answers.byTarget.Load(answerKey{node, source})
	if !ok {
		return 0
	}
	newest, ok := found.(*answer)
	if !ok {
		panic("BUG: what answered is no answer")
	}
	return storage.Millis(newest.at.Load())
}

// Offset is what has to be added to times by a node's clock to make them ours, as
// its newest answer has it; 0 where it has given none.
func (r *Recent) Offset(node string) storage.Millis {
	var newest, offset int64
	for source := range Sources {
		if found, ok := r.answers.byTarget.Load(answerKey{node, source}); ok {
			if a, _ := found.(*answer); a.at.Load() > newest {
				newest, offset = a.at.Load(), a.offset.Load()
			}
		}
	}
	return storage.Millis(offset)
}

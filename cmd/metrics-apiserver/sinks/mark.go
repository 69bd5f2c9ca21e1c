// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sinks

import (
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// A mark is how far all sinks are, as the replica that ships next is told.
type mark struct {
	Sinks map[string]remotewrite.Mark `json:"sinks"`
	// At is the newest time in Answers, by the clock of whoever wrote it.
	At int64 `json:"at,omitempty"`
	// Answers says when the newest answer of each source of each node was sent that
	// was delivered: entries of six bytes, big endian, sorted, of which four are a
	// hash of the node and its source, and two how long it was before At, in units
	// of 10 ms. It is there where all has been delivered.
	Answers []byte `json:"answers,omitempty"`
}

const (
	answerLen  = 6
	answerUnit = 10 // Milliseconds.
	// maxAnswers bounds Answers, because all annotations of an object together may
	// have 256 KiB. Where there are more, what is delivered is known to a few
	// seconds only.
	maxAnswers = 20_000
)

// Mark is how far all sinks are. When Run has returned it is the last.
func (s *Set) Mark() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := mark{Sinks: map[string]remotewrite.Mark{}}
	sent := map[uint32]storage.Millis{}
	for _, one := range s.mu.members {
		sm := one.mark()
		m.Sinks[one.name] = sm
		if !sm.Whole {
			continue
		}
		// All sinks were given the same answers, so they say the same.
		one.sink.Answers(func(node string, source series.Source, at storage.Millis) {
			key := answerKey(node, source)
			if before, ok := sent[key]; !ok || at < before {
				sent[key] = at
			}
		})
	}
	m.At, m.Answers = encodeAnswers(sent)
	text, err := json.Marshal(&m)
	if err != nil {
		panic("BUG: a mark that JSON cannot say: " + err.Error())
	}
	return string(text)
}

// encodeAnswers are Answers, and what their times are before.
func encodeAnswers(sent map[uint32]storage.Millis) (at int64, answers []byte) {
	if len(sent) == 0 || len(sent) > maxAnswers {
		return 0, nil
	}
	at = int64(slices.Max(slices.Collect(maps.Values(sent))))
	for _, key := range slices.Sorted(maps.Keys(sent)) {
		ago := (at - int64(sent[key]) + answerUnit/2) / answerUnit
		answers = binary.BigEndian.AppendUint32(answers, key)
		answers = binary.BigEndian.AppendUint16(answers, uint16(min(ago, math.MaxUint16)))
	}
	return at, answers
}

func answerKey(node string, source series.Source) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(node))
	_, _ = h.Write([]byte{0, byte(source)})
	return h.Sum32()
}

// A handover is what is known of the replica that shipped before us.
type handover struct {
	sinks map[string]remotewrite.Mark
	// sent is when the newest answers were sent that were delivered, by key.
	sent       map[uint32]storage.Millis
	resolution time.Duration
	fence      storage.Millis
	lease      time.Duration
}

// readHandover reads a mark. One that cannot be read is of no use: then nobody has
// shipped, as far as is known.
func readHandover(text string, resolution time.Duration) *handover {
	h := &handover{resolution: resolution, sent: map[uint32]storage.Millis{}}
	var m mark
	if json.Unmarshal([]byte(text), &m) != nil {
		return h
	}
	h.sinks = m.Sinks
	for b := m.Answers; len(b) >= answerLen; b = b[answerLen:] {
		ago := storage.Millis(binary.BigEndian.Uint16(b[4:])) * answerUnit
		h.sent[binary.BigEndian.Uint32(b)] = storage.Millis(m.At) - ago
	}
	return h
}

// of is the handover of one sink.
func (h *handover) of(name string) *remotewrite.Handover {
	m, ok := h.sinks[name]
	if !ok {
		return &remotewrite.Handover{}
	}
	out := &remotewrite.Handover{Mark: m, Fence: h.fence, Lease: h.lease, Resolution: h.resolution}
	if len(h.sent) > 0 {
		// Replicas ask a node at the same moments: what was sent within half a
		// resolution of a delivered answer is that answer.
		half := storage.MillisIn(h.resolution / 2)
		out.Cut = func(node string, source series.Source) (storage.Millis, bool) {
			sent, ok := h.sent[answerKey(node, source)]
			return sent + half, ok
		}
	}
	return out
}

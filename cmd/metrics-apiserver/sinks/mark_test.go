// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sinks

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// TestMarkOfOthers reads marks that we did not write.
func TestMarkOfOthers(t *testing.T) {
	for _, text := range []string{"", "{", "[]", `{"sinks":3}`, `{"sinks":{"b":{}},"at":5,"answers":"AAAA"}`} {
		if h := readHandover(text, time.Second).of("a"); h.Mark.Queue != "" || h.Cut != nil {
			t.Errorf("%q: %+v", text, h)
		}
	}
}

// TestAnswers holds what is read of a mark against what was written, to the unit.
func TestAnswers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	now := storage.MillisOf(time.Now())
	for _, n := range []int{1, 10, 5000} {
		sent := map[uint32]storage.Millis{}
		for i := range n {
			sent[answerKey(fmt.Sprint("node-", i), series.Source(i%3))] = now - storage.Millis(r.IntN(60_000))
		}
		m := mark{Sinks: map[string]remotewrite.Mark{"a": {Queue: "q", Delivered: 7, Whole: true}}}
		m.At, m.Answers = encodeAnswers(sent)
		text, err := json.Marshal(&m)
		if err != nil {
			t.Fatal(err)
		}
		if n == 5000 && len(text) > 5000*9 {
			t.Errorf("%d bytes for %d answers", len(text), n)
		}
		h := readHandover(string(text), 10*time.Second).of("a")
		for i := range n {
			node, source := fmt.Sprint("node-", i), series.Source(i%3)
			at, ok := h.Cut(node, source)
			if off := at - sent[answerKey(node, source)] - 5000; !ok || off > answerUnit || off < -answerUnit {
				t.Fatalf("%s: off by %d ms: %v", node, off, ok)
			}
		}
		if at, ok := h.Cut("another", series.Resource); n == 1 && ok {
			t.Errorf("a node that is not in it: %d", at)
		}
	}
	if _, none := encodeAnswers(nil); none != nil {
		t.Error("answers of nothing")
	}
}

// TestMarkWhileReplaced says nothing to be delivered that the sink still has that is
// being replaced, although the one in its place has nothing before that.
func TestMarkWhileReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := &sea{t: t, times: map[string][]int64{}}
		set := NewSet(Options{Slots: 1, Resolution: 15 * time.Second, transport: db})
		apply := func(more string) {
			t.Helper()
			if err := set.Apply(nodes(t, "- {url: 'http://r/a', name: a, protobuf_message: prometheus.WriteRequest"+more+"}"), nil); err != nil {
				t.Fatal(err)
			}
		}
		apply("")
		stop := runSet(t, set)
		r := newReader(set)
		delivered := func() storage.Millis {
			return readHandover(set.Mark(), 15*time.Second).of("a").Mark.Delivered
		}
		r.scrapes(10)
		db.down.Store(true)
		r.scrapes(2)
		apply(", queue_config: {max_shards: 3}")
		for range 3 {
			r.scrapes(1)
			if at, n := delivered(), len(db.times["/a"]); int64(at) >= r.said[n] {
				t.Errorf("delivered is said to be up to %v, where what was asked for at %v is not", at.Time(), storage.Millis(r.said[n]).Time())
			}
		}
		db.down.Store(false)
		r.scrapes(10)
		if at := delivered(); int64(at) < r.said[len(r.said)-4] {
			t.Errorf("delivered is said to be up to %v", at.Time())
		}
		stop()
	})
}

// FuzzMark reads any annotation: there are no more answers in it than it has room
// for, and none where it is not one.
func FuzzMark(f *testing.F) {
	f.Add("")
	f.Add(`{"sinks":{"a":{"queue":"q","delivered":5,"newest":6,"whole":true}},"at":1000,"answers":"AAAAAQAC"}`)
	f.Add(`{"sinks":{"a":{"queue":"q"}},"at":-9223372036854775808,"answers":"AAAAAQACAAA="}`)
	f.Fuzz(func(t *testing.T, text string) {
		h := readHandover(text, 10*time.Second)
		one := h.of("a")
		if one.Cut == nil {
			return
		}
		var m mark
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatalf("%v, and answers of it", err)
		}
		if len(h.sent) > len(m.Answers)/answerLen {
			t.Errorf("%d answers of %d bytes", len(h.sent), len(m.Answers))
		}
		one.Cut("n1", series.Resource)
	})
}

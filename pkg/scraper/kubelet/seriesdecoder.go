// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// SeriesDecoder reads answers as labelled series, of any number of nodes. It holds
// the bounds and the memory that is needed while an answer is read; what is kept of
// each node is in its streams. It is safe for concurrent use.
type SeriesDecoder struct {
	options Options
	seed    maphash.Seed
	memory  sync.Pool // of *seriesMemory
	names   seriesNames
	// summaryNames are those that series of summaries have.
	summaryNames [summaryMetrics]string
}

// NewSeriesDecoder is a decoder with bounds. Invalid options are a bug of the caller
// and panic.
func NewSeriesDecoder(options Options) *SeriesDecoder {
	if err := options.Validate(); err != nil {
		panic("BUG: " + err.Error())
	}
	d := &SeriesDecoder{options: options.withDefaults(), seed: maphash.MakeSeed(), summaryNames: summaryNames()}
	d.memory.New = func() any { return new(seriesMemory) }
	d.names.known = map[string]string{}
	return d
}

// seriesMemory is what one answer is read into.
type seriesMemory struct {
	walk    seriesWalk
	parser  exposition.Series
	labels  series.Labels
	text    []byte
	ends    []int // In text, of names and values in turn.
	meta    series.Metadata
	summary seriesSummary

	// columns is the handles of a new plan, for each feed; claimed has the steps of
	// the old one that came elsewhere.
	columns [MaxReceivers][]series.Handle
	claimed []bool
	gone    []series.Handle
	handles []series.Handle
	times   []storage.Millis
	values  []float64
}

// maxMemory is of how many series the memory is kept: what two hundred pods have.
const maxMemory = 50_000

// release gives memory back.
func (d *SeriesDecoder) release(m *seriesMemory) {
	if cap(m.walk.times) > maxMemory {
		return
	}
	// The labels point into the body, which is not ours to keep.
	clear(m.parser.Labels[:cap(m.parser.Labels)])
	m.parser = exposition.Series{Labels: m.parser.Labels[:0]}
	clear(m.labels[:cap(m.labels)])
	m.meta = series.Metadata{}
	m.summary.release()
	m.walk.plan = nil
	d.memory.Put(m)
}

// seriesNames makes strings of the names of metrics, each once.
type seriesNames struct {
	mu    sync.RWMutex
	known map[string]string
}

// maxNames is how many are remembered; a kubelet has some hundred.
const maxNames = 4096

func (n *seriesNames) of(name []byte) string {
	n.mu.RLock()
	s, ok := n.known[string(name)]
	n.mu.RUnlock()
	if ok {
		return s
	}
	s = string(name)
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.known) < maxNames {
		n.known[s] = s
	}
	return s
}

// SeriesStream is one source of one node, read for some receivers. Whatever their
// number, an answer is read once. It must not be used concurrently.
//
// Between answers it keeps 10 bytes a series and 4 for each receiver, of those
// series whose names a receiver wants, and nothing of the body.
type SeriesStream struct {
	decoder *SeriesDecoder
	node    string
	source  series.Source
	plan    seriesPlan
	feeds   []*feed
}

// MaxReceivers is how many receivers a stream may have.
const MaxReceivers = 8

// Stream is a source of a node that begins to be read. The node's name is kept.
func (d *SeriesDecoder) Stream(node string, source series.Source) *SeriesStream {
	return &SeriesStream{decoder: d, node: node, source: source}
}

// Attach adds a receiver, which sees all series as new in the next answer.
func (s *SeriesStream) Attach(receiver series.Receiver) {
	if len(s.feeds) == MaxReceivers {
		panic("BUG: too many receivers of series")
	}
	s.feeds = append(s.feeds, newFeed(receiver))
}

// Detach ends a receiver: at is the time, by our clock. The error is that it
// panicked.
func (s *SeriesStream) Detach(receiver series.Receiver, at storage.Millis) error {
	i := slices.IndexFunc(s.feeds, func(f *feed) bool { return f.receiver == receiver })
	if i < 0 {
		return nil // It was let go of.
	}
	err := s.feeds[i].end(at)
	s.feeds = slices.Delete(s.feeds, i, i+1)
	if len(s.feeds) == 0 {
		s.plan = seriesPlan{}
	}
	return err
}

// Failed tells all receivers that the source was asked at the given time, by our
// clock, and gave no answer that could be used.
func (s *SeriesStream) Failed(at storage.Millis) {
	for _, f := range s.feeds {
		if f.failed == nil {
			f.fail(at)
		}
	}
}

// End ends all receivers. The error is that one panicked.
func (s *SeriesStream) End(at storage.Millis) error {
	var err error
	for _, f := range s.feeds {
		err = errors.Join(err, f.end(at))
	}
	s.feeds, s.plan = nil, seriesPlan{}
	return err
}

// Broken takes the error of a receiver that panicked, which says how, and drops
// that receiver; it is nil where there is none.
func (s *SeriesStream) Broken() (receiver series.Receiver, err error) {
	for i, f := range s.feeds {
		if f.failed != nil {
			s.feeds = slices.Delete(s.feeds, i, i+1)
			return f.receiver, f.failed
		}
	}
	return nil, nil
}

// SeriesAnswer is one answer: what was asked when, by our clock, and what has to be
// added to the node's times to make them ours.
type SeriesAnswer struct {
	Body                   []byte
	Sent, Received, Offset storage.Millis
}

// SeriesStats says what was found in an answer.
type SeriesStats struct {
	Stats
	// Samples is how many were handed over, to all receivers together.
	Samples int
	// Opened and Gone count series that the answer before did not have, and those
	// that only it had.
	Opened, Gone int
}

// Decode reads an answer and hands it to all receivers. After an error they know
// nothing of it; the caller says Failed.
func (s *SeriesStream) Decode(a SeriesAnswer) (SeriesStats, error) {
	if len(s.feeds) == 0 {
		return SeriesStats{}, nil
	}
	m, _ := s.decoder.memory.Get().(*seriesMemory) // Nothing else is in the pool.
	m.walk.begin(&s.plan)
	batch := series.Batch{Node: s.node, Source: s.source, Sent: a.Sent, Received: a.Received, Offset: a.Offset}
	r := seriesReading{stream: s, memory: m, walk: &m.walk, body: a.Body, sent: max(1, a.Sent-a.Offset)}
	for i, f := range s.feeds {
		if f.failed != nil {
			continue
		}
		if f.begin(); f.reopens {
			r.reopening |= 1 << i
		}
	}
	var err error
	if s.source == series.Summary {
		err = r.readSummary()
	} else {
		err = r.readText()
	}
	if err != nil {
		s.decoder.release(m)
		return r.stats, fmt.Errorf("read series of %s: %w", s.source, err)
	}
	m.walk.end()
	r.settle(&batch)
	s.decoder.release(m)
	return r.stats, nil
}

// seriesReading is one pass over an answer.
type seriesReading struct {
	stream *SeriesStream
	memory *seriesMemory
	walk   *seriesWalk
	body   []byte
	// sent is when the answer was asked for, by the node's clock.
	sent  storage.Millis
	stats SeriesStats
	// reopening has a bit for each feed to which all series are to be opened.
	reopening uint8

	// name is the metric of the lines that are being read, family its hash, and
	// wanted has a bit for each feed that wants it.
	name   []byte
	family uint32
	wanted uint8
	// entered is that no series of that name was seen yet.
	entered bool
	// told is that there was a sample in the answer, wanted or not.
	told bool
	// number is the line's, and count how many were not comments.
	number, count int
	// comments is where the comments begin that precede the line, and commenting
	// that the line before was one.
	comments   int
	commenting bool
	// meta is what the comments at metaAt say.
	meta   series.Metadata
	metaAt int32
}

// wantedOf has a bit for each feed that wants series of the name.
func (r *seriesReading) wantedOf(name string) (wanted uint8) {
	for i, f := range r.stream.feeds {
		if f.failed == nil && f.wants(name) {
			wanted |= 1 << i
		}
	}
	return wanted
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package input

import (
	"math"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// naive is the store as its documentation has it: maps of names, whole
// histories, no layouts, columns or relative times.
type naive struct {
	table     [IDs]Info
	staleness storage.Millis
	kept      Set
	nodes     map[string]*[Sources]*naiveSource
}

// naiveSource is what one source of a node has given.
type naiveSource struct {
	asked  Set
	offset storage.Millis
	pods   map[[2]string][]string // the names of its containers
	// rows is by input and by pod and container; "" is a pod's own, and a pod ""
	// is the node.
	rows map[ID]map[[3]string]*naiveRow
}

// naiveRow is the accepted samples of one row since its last beginning, oldest
// first, by our clock.
type naiveRow struct {
	run     uint64
	samples []Reading
	// doubtful says that the newest may be by an earlier time base.
	doubtful bool
}

// answerRow is one row of a batch as the naive store takes it.
type answerRow struct {
	name [3]string
	run  uint64
	Reading
}

func (n *naive) commit(b *Batch) {
	source := &naiveSource{asked: b.Inputs & n.kept, offset: b.Offset, pods: map[[2]string][]string{}, rows: map[ID]map[[3]string]*naiveRow{}}
	if n.nodes[b.Node] == nil {
		n.nodes[b.Node] = &[Sources]*naiveSource{}
	}
	old := n.nodes[b.Node][b.Source]
	n.nodes[b.Node][b.Source] = source
	if source.asked == 0 {
		n.nodes[b.Node][b.Source] = nil
		return
	}
	for id := range source.asked.Each() {
		var rows []answerRow
		if n.table[id].Node {
			rows = append(rows, answerRow{Reading: b.Own[id]})
		}
		if b.Layout != nil {
			for p, pod := range b.Layout.Pods {
				source.pods[[2]string{pod.Namespace, pod.Name}] = b.Layout.Containers[pod.First:pod.End]
				column := b.Columns[id]
				switch {
				case len(column.Values) == 0:
				case n.table[id].Level == OfPod:
					rows = append(rows, answerRow{[3]string{pod.Namespace, pod.Name}, b.PodRuns[p], Reading{column.Values[p], column.Times[p]}})
				default:
					for c := pod.First; c < pod.End; c++ {
						rows = append(rows, answerRow{[3]string{pod.Namespace, pod.Name, "c" + b.Layout.Containers[c]}, b.ContainerRuns[c], Reading{column.Values[c], column.Times[c]}})
					}
				}
			}
		}
		source.rows[id] = map[[3]string]*naiveRow{}
		for _, row := range rows {
			held := &naiveRow{}
			if old != nil && old.rows[id][row.name] != nil {
				held = old.rows[id][row.name]
			}
			if next := n.take(held, row, n.table[id].Kind, b, old != nil && old.offset != b.Offset); next != nil && len(next.samples) > 0 {
				source.rows[id][row.name] = next
			}
		}
	}
}

// take is the row after one reading.
func (n *naive) take(held *naiveRow, row answerRow, kind Kind, b *Batch, stepped bool) *naiveRow {
	sample := Reading{row.Value, row.Time + b.Offset}
	begin := &naiveRow{run: row.run, samples: []Reading{sample}}
	// The run is what the newest answer says, even if its sample is refused.
	sameRun := held.run == row.run || held.run == 0 || row.run == 0
	keep := func() *naiveRow { return &naiveRow{run: row.run, samples: held.samples, doubtful: held.doubtful} }
	least := storage.Millis(1000)
	if b.Source == Summary {
		least = 5000
	}
	switch {
	case row.Time == 0:
		return nil
	case sample.Time > b.Received+2000:
		if stepped && kind == Counter {
			return nil
		}
		return keep()
	case sample.Value > math.MaxInt64, sample.Time < b.Received-20*24*3_600_000:
		return keep()
	case stepped:
		begin.doubtful = true
		return begin
	case len(held.samples) == 0 || !sameRun:
		return begin
	}
	last := held.samples[len(held.samples)-1]
	switch {
	case sample.Time == last.Time && kind == Gauge:
		return begin
	case sample.Time == last.Time:
		return keep()
	case held.doubtful && kind == Counter:
		return begin
	case sample.Time < last.Time:
		return keep()
	case kind == Gauge:
		return begin
	case sample.Time-last.Time < least:
		return keep()
	case sample.Value < last.Value, sample.Time-last.Time > n.staleness:
		return begin
	}
	next := keep()
	next.samples = append(append([]Reading(nil), held.samples...), sample)
	return next
}

// keep is Store.Keep.
func (n *naive) keep(set Set) {
	n.kept = set
	for _, sources := range n.nodes {
		for i, source := range sources {
			if source == nil {
				continue
			}
			if source.asked &= set; source.asked == 0 {
				sources[i] = nil
			}
			for id := range source.rows {
				if !set.Has(id) {
					delete(source.rows, id)
				}
			}
		}
	}
}

// value is what a row has to serve.
func (n *naive) value(row *naiveRow, id ID) (v Value, ok bool) {
	last := row.samples[len(row.samples)-1]
	if n.table[id].Kind == Gauge {
		return Value{Time: last.Time, Value: float64(last.Value)}, true
	}
	if len(row.samples) < 2 {
		return Value{Time: last.Time}, false
	}
	before := row.samples[len(row.samples)-2]
	if n.table[id].Source == Summary && len(row.samples) > 2 {
		if earlier := row.samples[len(row.samples)-3]; last.Time-earlier.Time <= n.staleness {
			before = earlier
		}
	}
	window := last.Time - before.Time
	return Value{Time: last.Time, Window: window, Value: float64(last.Value-before.Value) / window.Duration().Seconds()}, true
}

// sum is the sum of some rows, each nil where there is none.
func (n *naive) sum(rows []*naiveRow, id ID, now storage.Millis) (Value, storage.Absence) {
	info := n.table[id]
	var sum Value
	waits, any := false, false
	for _, row := range rows {
		if row == nil {
			continue
		}
		v, ok := n.value(row, id)
		waits = waits || !ok
		if !any || v.Time < sum.Time {
			sum.Time, sum.Window = v.Time, v.Window
		}
		sum.Value += v.Value
		any = true
	}
	switch {
	case !any:
		return Value{}, storage.NotGiven
	case now-sum.Time > n.staleness+info.Refresh || sum.Time > now+2000:
		return Value{}, storage.Stale
	case waits:
		return Value{}, storage.OneSample
	}
	switch info.Unit {
	case Nanosecond:
		sum.Value /= 1e9
	case Millionth:
		sum.Value /= 1e6
	}
	sum.Time = min(sum.Time, now)
	return sum, storage.Present
}

func (n *naive) source(node string, id ID) *naiveSource {
	sources := n.nodes[node]
	if sources == nil {
		return nil
	}
	source := sources[n.table[id].Source]
	if source == nil || !source.asked.Has(id) {
		return nil
	}
	return source
}

// node is Store.Node.
func (n *naive) node(name string, id ID, now storage.Millis) (Value, storage.Absence) {
	source := n.source(name, id)
	switch {
	case !n.table[id].Node:
		return Value{}, storage.NotGiven
	case source == nil:
		return Value{}, storage.NotCollected
	}
	return n.sum([]*naiveRow{source.rows[id][[3]string{}]}, id, now)
}

// pod is Store.Pod.
func (n *naive) pod(q *storage.PodQuery, id ID, now storage.Millis) (Value, storage.Absence) {
	info := n.table[id]
	source := n.source(q.Node, id)
	if info.Level == OfNode {
		return Value{}, storage.NotGiven
	}
	if source == nil {
		return Value{}, storage.NotCollected
	}
	names, ok := source.pods[[2]string{q.Namespace, q.Name}]
	if !ok {
		return Value{}, storage.NotReported
	}
	if len(source.rows[id]) == 0 {
		return Value{}, storage.NotGiven
	}
	rows := []*naiveRow{source.rows[id][[3]string{q.Namespace, q.Name}]}
	if info.Level == OfContainer {
		rows = nil
		runs := map[string]bool{}
		listed := map[string]bool{}
		for _, name := range names {
			runs[name], listed[name] = name != "", true
		}
		for _, status := range q.Containers {
			if status.Running && !listed[status.Name] {
				return Value{}, storage.Incomplete
			}
			if listed[status.Name] && !status.Running {
				runs[status.Name] = false
			}
		}
		for _, name := range names {
			if !runs[name] {
				continue
			}
			row := source.rows[id][[3]string{q.Namespace, q.Name, "c" + name}]
			if row == nil && !info.Sparse {
				return Value{}, storage.Incomplete
			}
			rows = append(rows, row)
		}
	}
	v, absence := n.sum(rows, id, now)
	if absence == storage.Present && q.Started != 0 && v.Time < q.Started+source.offset {
		return Value{}, storage.Predates
	}
	return v, absence
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// Usage is where CPU, working set and swap are read from; *storage.Store is one.
// Its methods are called concurrently.
type Usage interface {
	Pod(dst []storage.ContainerUsage, q storage.PodQuery, now storage.Millis) (storage.PodUsage, storage.Absence)
	Node(name string, now storage.Millis) (storage.NodeUsage, storage.Absence)
	// Offset is what has to be added to times by a node's clock to make them ours.
	Offset(node string) storage.Millis
}

// Inputs is where all other numbers are read from; *input.Store is one. Its
// methods are called concurrently.
type Inputs interface {
	// Pod is an input of a pod; recent is the request's.
	Pod(q *storage.PodQuery, id input.ID, now storage.Millis, recent *input.Recent) (input.Value, storage.Absence)
	// PodPair is two inputs of a pod, of the same answer where they have one source.
	PodPair(q *storage.PodQuery, first, second input.ID, now storage.Millis, recent *input.Recent) (a, b input.Value, absence storage.Absence)
	Node(name string, id input.ID, now storage.Millis) (input.Value, storage.Absence)
}

// term is one object's part in an answer: a value, or over divided by under.
type term struct {
	// time and window are those of the oldest number in it.
	time, window storage.Millis
	over         float64
	// under is 1 where nothing is divided.
	under float64
}

// milli is the term's value in thousandths. Nothing divided by nothing is nothing:
// a container that did not run was not throttled.
func (t *term) milli() (int64, bool) {
	if t.over == 0 && t.under == 0 {
		return 0, true
	}
	return milli(t.over / t.under)
}

// evaluator computes one metric for many objects at one moment. It is used by
// one request and holds what one object's computation leaves to the next.
type evaluator struct {
	usage  Usage
	inputs Inputs
	metric *Metric
	at     storage.Millis

	query      storage.PodQuery
	recent     input.Recent
	containers []storage.ContainerUsage
}

// ofPod is the metric of a pod, or why it has none.
func (e *evaluator) ofPod(pod *objects.Pod) (term, reason) {
	f := &e.metric.Pods
	if e.metric.OwnNetwork && pod.HostNetwork {
		return term{}, hostNetwork
	}
	e.query = pod.Query()
	t, why := e.podTerm(f, pod)
	if why == reason(storage.NotGiven) && e.metric.Needs == "" {
		why = notYet
	}
	if why != present && !why.lasting() && !pod.HasRunning() {
		return term{}, notRunning
	}
	return t, why
}

func (e *evaluator) podTerm(f *Formula, pod *objects.Pod) (term, reason) {
	switch f.kind {
	case ofUsage:
		return e.podUsage(f.usage)
	case ofShare:
		against, why := f.against(&pod.Containers.Resources)
		if why != present {
			return term{}, why
		}
		t, why := e.podUsage(f.usage)
		t.under = against
		return t, why
	case ofInput:
		v, absence := e.inputs.Pod(&e.query, f.over, e.at, &e.recent)
		return term{time: v.Time, window: v.Window, over: v.Value, under: 1}, reason(absence)
	case ofQuotient:
		over, under, absence := e.inputs.PodPair(&e.query, f.over, f.under, e.at, &e.recent)
		if absence != storage.Present {
			return term{}, reason(absence)
		}
		return f.divide(over, under)
	case ofRestarts:
		return term{time: e.at, over: float64(pod.Restarts), under: 1}, present
	default:
		return term{}, reason(storage.NotGiven)
	}
}

// podUsage adds up the usage of a pod's containers.
func (e *evaluator) podUsage(u usage) (term, reason) {
	answer, absence := e.usage.Pod(e.containers[:0], e.query, e.at)
	if absence != storage.Present {
		return term{}, reason(absence)
	}
	e.containers = answer.Containers
	t := term{time: answer.Time, window: answer.Window, under: 1}
	for i := range answer.Containers {
		c := &answer.Containers[i]
		switch u {
		case usedCPU:
			t.over += float64(c.CPU)
		case usedMemory:
			t.over += float64(c.Memory)
		case usedSwap:
			if !c.HasSwap {
				return term{}, reason(storage.NotGiven)
			}
			t.over += float64(c.Swap)
		}
	}
	if u == usedCPU {
		t.over /= 1e9
	} else {
		t.window = 0
	}
	return t, present
}

// ofNode is the metric of a node, or why it has none.
func (e *evaluator) ofNode(name string) (term, reason) {
	f := &e.metric.Nodes
	switch f.kind {
	case ofUsage:
		answer, absence := e.usage.Node(name, e.at)
		t := term{time: answer.Time, under: 1}
		switch f.usage {
		case usedCPU:
			t.over, t.window = float64(answer.CPU)/1e9, answer.Window
		case usedMemory:
			t.over = float64(answer.Memory)
		case usedSwap:
			if absence == storage.Present && !answer.HasSwap {
				absence = storage.NotGiven
			}
			t.over = float64(answer.Swap)
		}
		return t, reason(absence)
	case ofInput:
		v, absence := e.inputs.Node(name, f.over, e.at)
		return term{time: v.Time, window: v.Window, over: v.Value, under: 1}, reason(absence)
	case ofQuotient:
		over, absence := e.inputs.Node(name, f.over, e.at)
		if absence != storage.Present {
			return term{}, reason(absence)
		}
		under, absence := e.inputs.Node(name, f.under, e.at)
		if absence != storage.Present {
			return term{}, reason(absence)
		}
		return f.divide(over, under)
	default:
		return term{}, reason(storage.NotGiven)
	}
}

// against is what a pod's usage is held against, in cores or bytes.
func (f *Formula) against(r *objects.Resources) (float64, reason) {
	amount, perUnit, lacking := r.CPURequest, 1000.0, noRequest
	switch {
	case f.usage == usedCPU && f.bound == limited:
		amount = r.CPULimit
	case f.usage != usedCPU && f.bound == requested:
		amount, perUnit = r.MemoryRequest, 1
	case f.usage != usedCPU:
		amount, perUnit = r.MemoryLimit, 1
	}
	if f.bound == limited {
		lacking = noLimit
	}
	if amount <= 0 {
		return 0, lacking
	}
	return float64(amount) / perUnit, present
}

// divide is the term of a quotient. Its time is that of the older number. Of two
// counters both may have stood still; a capacity of nothing is a kubelet's way to
// say that it does not know.
func (f *Formula) divide(over, under input.Value) (term, reason) {
	if f.capacity && under.Value == 0 {
		return term{}, reason(storage.NotGiven)
	}
	t := term{time: over.Time, window: over.Window, over: over.Value, under: under.Value}
	if under.Time < over.Time {
		t.time, t.window = under.Time, under.Window
	}
	return t, present
}

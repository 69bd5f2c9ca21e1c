// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"fmt"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// Formula is how a metric of one object is computed. It is data and not a
// function, so that what is documented, what is collected and what is computed
// are one thing. The zero Formula is: no object of that kind has the metric.
type Formula struct {
	kind formulaKind
	// usage is the numerator of ofUsage and ofShare, bound the denominator of
	// ofShare.
	usage usage
	bound bound
	// over and under are the input of ofInput, and the two of ofQuotient.
	over, under input.ID
	// capacity says that what is below is a gauge, of which 0 is unknown.
	capacity bool
}

type formulaKind uint8

const (
	ofNothing formulaKind = iota
	// ofUsage is a number that metrics.k8s.io has, too.
	ofUsage
	// ofShare is such a number divided by what the pod requests or is limited to.
	ofShare
	// ofInput is one input: its value, or its rate where it is a counter.
	ofInput
	// ofQuotient is one input divided by another.
	ofQuotient
	// ofRestarts is the number of restarts in the Pod object.
	ofRestarts
)

// usage is a number that package storage has of every pod and node.
type usage uint8

const (
	usedCPU usage = iota
	usedMemory
	usedSwap
)

// bound is what a pod's usage is held against.
type bound uint8

const (
	requested bound = iota
	limited
)

func used(u usage) Formula            { return Formula{kind: ofUsage, usage: u} }
func share(u usage, of bound) Formula { return Formula{kind: ofShare, usage: u, bound: of} }
func read(id input.ID) Formula        { return Formula{kind: ofInput, over: id} }
func quotient(over, under input.ID) Formula {
	return Formula{kind: ofQuotient, over: over, under: under, capacity: input.Table()[under].Kind == input.Gauge}
}
func restarts() Formula { return Formula{kind: ofRestarts} }

// Defined is whether there is a metric at all.
func (f Formula) Defined() bool { return f.kind != ofNothing }

// Inputs is the inputs that have to be collected for the formula.
func (f Formula) Inputs() input.Set {
	switch f.kind {
	case ofInput:
		return input.SetOf(f.over)
	case ofQuotient:
		return input.SetOf(f.over, f.under)
	default:
		return 0
	}
}

// isQuotient is whether the sum over several objects is the quotient of two
// sums.
func (f Formula) isQuotient() bool { return f.kind == ofShare || f.kind == ofQuotient }

// String is the formula as it is documented, in terms of the inputs' names.
func (f Formula) String() string {
	switch f.kind {
	case ofUsage:
		return f.usage.String()
	case ofShare:
		return f.usage.String() + " / " + f.bound.String()
	case ofInput:
		return rate(f.over)
	case ofQuotient:
		return rate(f.over) + " / " + rate(f.under)
	case ofRestarts:
		return "restarts of the pod's containers"
	default:
		return ""
	}
}

// Source is where a formula's numbers come from.
func (f Formula) Source() string {
	switch f.kind {
	case ofUsage:
		return "/metrics/resource"
	case ofShare:
		return "/metrics/resource, Pod objects"
	case ofInput, ofQuotient:
		switch source := input.Table()[f.over].Source; source {
		case input.Cadvisor:
			return "/metrics/cadvisor"
		case input.Summary:
			return "/stats/summary"
		default:
			panic(fmt.Sprintf("BUG: no path of the source %v", source))
		}
	case ofRestarts:
		return "Pod objects"
	default:
		return ""
	}
}

func (u usage) String() string {
	switch u {
	case usedCPU:
		return "rate(cpu_usage)"
	case usedMemory:
		return "memory_working_set"
	default:
		return "memory_swap"
	}
}

func (b bound) String() string {
	if b == requested {
		return "requests"
	}
	return "limits"
}

// rate is an input as it enters a formula.
func rate(id input.ID) string {
	info := input.Table()[id]
	if info.Kind == input.Counter {
		return "rate(" + info.Name + ")"
	}
	return info.Name
}

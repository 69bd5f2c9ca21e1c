// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage

// Absence says why there is no usage to serve.
type Absence uint8

// The reasons for an absence.
const (
	// Present: there is an answer.
	Present Absence = iota
	// NotScraped: the node has not answered yet.
	NotScraped
	// NotReported: the node's answers do not list the pod.
	NotReported
	// NoRate: a running container has no CPU rate yet; it takes two samples.
	NoRate
	// Stale: the last complete answer is older than the staleness bound.
	Stale
	// Predates: the samples are older than the pod's start: they are of an
	// earlier pod of the same name.
	Predates
	// Incomplete: a container runs that the answer lacks.
	Incomplete
	// NotCollected: nothing asks nodes for the number yet, or the node has not
	// answered since something does.
	NotCollected
	// NotGiven: the node was asked, and gives no such number.
	NotGiven
	// OneSample: a rate takes two samples of the counter, and there is one.
	OneSample
)

// String is the reason in words, to stand behind "no usage: ".
func (a Absence) String() string {
	switch a {
	case Present:
		return "present"
	case NotScraped:
		return "the node has not answered a scrape yet"
	case NotReported:
		return "the node does not report the pod"
	case NoRate:
		return "a container has no CPU rate yet, which takes two samples"
	case Stale:
		return "the newest samples are older than the staleness bound"
	case Predates:
		return "the newest samples are older than the pod's start"
	case Incomplete:
		return "a running container has no usage yet"
	case NotCollected:
		return "the number is not collected from the node yet"
	case NotGiven:
		return "the node's kubelet does not give the number"
	case OneSample:
		return "a rate takes two samples, and the node has given one"
	default:
		return "unknown"
	}
}

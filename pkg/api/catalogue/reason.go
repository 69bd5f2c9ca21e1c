// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import "github.com/metrics-apiserver/metrics-apiserver/pkg/storage"

// reason is why an object has no value: a storage.Absence, or one of ours.
type reason uint8

// present is no reason: there is a value.
const present = reason(storage.Present)

// Our own reasons.
const (
	noRequest reason = iota + 1<<7
	noLimit
	hostNetwork
	notRunning
	notScraped
	notANumber
	// notYet is what storage.NotGiven means where every running pod has the
	// number sooner or later.
	notYet
)

// String is the reason in words.
func (r reason) String() string {
	switch r {
	case noRequest:
		return "the pod, or one of its containers, requests none"
	case noLimit:
		return "the pod, or one of its containers, has no limit"
	case hostNetwork:
		return "the pod is on its node's network and has none of its own"
	case notRunning:
		return "none of its containers runs"
	case notScraped:
		return "its node is not among those that are scraped"
	case notYet:
		return "the node's kubelet has no such number of the pod yet"
	case notANumber:
		return "the value is too large, or no number"
	default:
		return storage.Absence(r).String()
	}
}

// lasting is whether an object for this reason cannot have the metric as it is,
// so that its sum with others lacks nothing.
func (r reason) lasting() bool {
	switch r {
	case noRequest, noLimit, hostNetwork, notRunning, notScraped, reason(storage.NotGiven):
		return true
	default:
		return false
	}
}

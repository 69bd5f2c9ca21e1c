// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package tally

import "testing"

type reason string

func (r reason) String() string { return string(r) }

func TestTally(t *testing.T) {
	var counted Tally[reason]
	if counted.Total() != 0 || counted.Has("stale") || counted.String() != "" {
		t.Errorf("the empty tally is %q", &counted)
	}
	counted.Add("stale", "web-1")
	if got := counted.String(); got != "stale (web-1)" {
		t.Error(got)
	}
	counted.Add("no request", "web-2")
	counted.Add("no request", "web-3")
	if got, want := counted.String(), "2: no request (such as web-2); 1: stale (such as web-1)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if counted.Total() != 3 || counted.First() != "stale" || !counted.Has("no request") || counted.Has("no limit") {
		t.Errorf("%+v", counted)
	}
}

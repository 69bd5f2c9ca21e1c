// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"time"
)

func TestNextDue(t *testing.T) {
	const ms = int64(time.Millisecond)
	for name, tc := range map[string]struct {
		due, used int64
		elapsed   time.Duration
		rate      int64
		want      int64
	}{
		"on time":          {100 * ms, 100 * ms, time.Second, 50, 150 * ms},
		"a little behind":  {100 * ms, 90 * ms, 100 * time.Millisecond, 50, 105 * ms},
		"idle":             {100 * ms, 100 * ms, time.Second, 0, 100 * ms},
		"held up too long": {100 * ms, 100 * ms, time.Minute, 1000, 300 * ms},
		"two cores":        {100 * ms, 100 * ms, time.Minute, 2000, 500 * ms},
		"told to use less": {100 * ms, 900 * ms, 10 * time.Millisecond, 100, 896 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			if got := nextDue(tc.due, tc.used, tc.elapsed, tc.rate); got != tc.want {
				t.Errorf("due is %v, want %v", time.Duration(got), time.Duration(tc.want))
			}
		})
	}
}

func TestTickFor(t *testing.T) {
	for rate, want := range map[int64]time.Duration{
		0: time.Second, 1: time.Second, 5: time.Second, 50: 100 * time.Millisecond, 5000: 10 * time.Millisecond,
	} {
		if got := tickFor(rate); got != want {
			t.Errorf("at %dm a tick is %v, want %v", rate, got, want)
		}
	}
}

func TestQuantities(t *testing.T) {
	for text, want := range map[string]millicores{"50m": 50, "2": 2000, "0": 0} {
		var got millicores
		if err := got.Set(text); err != nil || got != want {
			t.Errorf("CPU %q is %d, %v; want %d", text, got, err, want)
		}
	}
	for text, want := range map[string]byteSize{"50Mi": 50 << 20, "64Ki": 64 << 10, "1Gi": 1 << 30, "7": 7} {
		var got byteSize
		if err := got.Set(text); err != nil || got != want {
			t.Errorf("bytes %q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "m", "-1", "1.5", "50k", "99999999999"} {
		if err := new(millicores).Set(text); err == nil {
			t.Errorf("CPU %q was taken", text)
		}
		if err := new(byteSize).Set(text); err == nil {
			t.Errorf("bytes %q was taken", text)
		}
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package clustertest

import (
	"context"
	"testing"
	"time"
)

// poll is how often Eventually looks.
const poll = 100 * time.Millisecond

// Eventually waits until check is satisfied, and returns how long that took. Where
// it takes longer than timeout it ends the test; the last error says what is
// lacking.
func Eventually(t testing.TB, timeout time.Duration, what string, check func(ctx context.Context) error) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	started := time.Now()
	for {
		err := check(ctx)
		if err == nil {
			return time.Since(started)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %v: %v", what, timeout, err)
		case <-time.After(poll):
		}
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/hack/filelock"
)

// The tests mostly wait, for samples and for the HPA controller, so two run side by
// side: one with a real node, of which a machine can have only one, and one with
// simulated nodes. More of them would have two processors work instead of wait, and
// what they wait for would be late.
const (
	realLane      = "real"
	simulatedLane = "simulated"
)

// inLane has a test run beside those of the other lane, when those of its own that
// came before are done.
func inLane(t *testing.T, lane string) {
	t.Helper()
	t.Parallel()
	if testing.Short() {
		return // and be skipped
	}
	file := filepath.Join(os.TempDir(), "metrics-apiserver-e2e-"+lane+".lock")
	release, err := filelock.Acquire(t.Context(), t.Output(), file, "tests in the lane "+lane)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
}

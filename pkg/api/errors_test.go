// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestAbsenceIsExplained holds that an answer without usage says why beside the
// text that clients match on.
func TestAbsenceIsExplained(t *testing.T) {
	for err, text := range map[error]string{
		podUsageNotFound("ns", "x", storage.NoRate): `podmetrics.metrics.k8s.io "ns/x" not found`,
		nodeUsageNotFound("x", storage.NoRate):      `nodemetrics.metrics.k8s.io "x" not found`,
	} {
		if err.Error() != text {
			t.Errorf("the text is %q, want %q", err, text)
		}
		if cause, ok := apierrors.StatusCause(err, causeUsageAbsent); !ok || cause.Message != storage.NoRate.String() {
			t.Errorf("%v has the cause %+v", err, cause)
		}
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package remotewrite

import (
	"testing"
	"testing/synctest"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// TestClaims ships volumes of claims under the path where dashboards look for them,
// and all else under the source's own.
func TestClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := newStore(t)
		s, stop := start(t, Options{Target: func(_ string, source series.Source) series.Labels {
			return series.Labels{{Name: "metrics_path", Value: source.Path()}}
		}}, db)
		const volume, storage = "__name__=kubelet_volume_stats_used_bytes", "__name__=kubelet_summary_pod_ephemeral_storage_used_bytes"
		newFeeder(s, "n1", series.Summary).answer(now(), sample{volume, now(), 1}, sample{storage, now(), 2})
		newFeeder(s, "n2", series.Cadvisor).answer(now(), sample{volume, now(), 3})
		stop()
		for _, want := range []string{volume + ",metrics_path=/metrics", storage + ",metrics_path=/stats/summary", volume + ",metrics_path=/metrics/cadvisor"} {
			if len(db.points(want)) != 1 {
				t.Errorf("%s is not there", want)
			}
		}
	})
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package remotewrite

import (
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// The volumes of claims are told by /stats/summary, and under the same names by the
// kubelet's own /metrics. They are shipped as if they came from there, because that
// is where dashboards and alerts look for them.
const claimPath = "/metrics"

// claimTarget is a target of summaries for the volumes of claims.
func claimTarget(target series.Labels) series.Labels {
	claims := target.Clone()
	for i := range claims {
		if claims[i].Name == series.PathLabel {
			claims[i].Value = claimPath
		}
	}
	return claims
}

// targetOf is the labels of the target that a series is of.
func (r *receiver) targetOf(scraped series.Labels) series.Labels {
	if r.source == series.Summary && series.IsOfClaim(scraped.Get(series.NameLabel)) {
		return r.claims
	}
	return r.target
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/klog/v2"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// refusals follows what of one node's good answers is not taken, and logs when
// that begins and when it ends, a line a minute at most. How much of it there is
// is for the counters to say.
type refusals struct {
	// shown is whether the last line said that there are some; said is when.
	shown bool
	said  time.Time
}

// note takes note of one answer: what the decoder and the store made of it.
func (r *refusals) note(ctx context.Context, node string, now time.Time, stats *kubelet.Stats, result *storage.CommitResult) {
	if !r.shown && stats.RefusedTotal() == 0 && stats.ScrapeErrors == 0 && result.Refused == (storage.CommitResult{}).Refused {
		return // As nearly always.
	}
	what := refused(stats, result)
	if (what != "") == r.shown || !r.said.IsZero() && now.Sub(r.said) < lineInterval {
		return
	}
	r.shown, r.said = what != "", now
	logger := klog.FromContext(ctx)
	if !r.shown {
		logger.Info("All that the node says is taken again", "node", node)
		return
	}
	logger.Info("Part of what the node says is not taken", "node", node, "refused", what)
}

// refused is what was not taken, by reason and with a place to look; empty is
// nothing.
func refused(stats *kubelet.Stats, result *storage.CommitResult) string {
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	for reason, n := range stats.Refused {
		add(n, "series: "+kubelet.Reason(reason).String())
	}
	if stats.RefusedTotal() > 0 {
		parts = append(parts, "for example "+stats.FirstRefusal.String())
	}
	for reason, n := range result.Refused {
		add(n, "samples: "+storage.Refusal(reason).String())
	}
	if stats.ScrapeErrors > 0 {
		parts = append(parts, "the kubelet says that it could not read all of its containers")
	}
	return strings.Join(parts, ", ")
}

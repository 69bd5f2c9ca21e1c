// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelettest_test

import (
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestAnswersAreWhatTheModelSays reads the answers as the product does.
func TestAnswersAreWhatTheModelSays(t *testing.T) {
	now := time.UnixMilli(1_800_000_012_345)
	usage := kubelettest.Uniform(7, 3, now.Add(-time.Hour))
	const skew = time.Minute
	var batch storage.Batch
	d := kubelet.NewDecoder(kubelet.Options{})
	stats, err := d.Resource(usage.AppendResource(nil, now, skew), 0, &batch)
	if err != nil || stats.RefusedTotal() != 0 || stats.Containers != 21 {
		t.Fatalf("resource metrics: %+v, %v", stats, err)
	}
	if stats, err = d.Summary(usage.AppendSummary(nil, "node-1", now, skew), &batch); err != nil || stats.RefusedTotal() != 0 {
		t.Fatalf("summary: %+v, %v", stats, err)
	}
	seen := 0
	for _, pod := range usage.Pods {
		for _, container := range pod.Containers {
			want, ok := container.At(pod, now)
			if !ok || want.Time.After(now) || now.Sub(want.Time) > 10*time.Second {
				t.Fatalf("reading of %s/%s at %v: %+v, %v", pod.Name, container.Name, now, want, ok)
			}
			for _, rows := range batch.Layout.Pods {
				for row := rows.First; row < rows.End; row++ {
					if rows.Name != pod.Name || batch.Layout.Containers[row] != container.Name {
						continue
					}
					seen++
					got := batch.Samples[row]
					if got.Time != storage.MillisOf(want.Time.Add(skew)) || got.CPU != want.CPU || got.Memory != container.Memory ||
						got.Start != storage.MillisOf(container.Started.Add(skew)) || batch.Estimates[row] != container.CPU {
						t.Errorf("%s/%s: got %+v and estimate %d, want %+v", pod.Name, container.Name, got, batch.Estimates[row], want)
					}
				}
			}
		}
	}
	if seen != 21 {
		t.Errorf("saw %d containers", seen)
	}
}

func TestASampleStaysUntilTheNext(t *testing.T) {
	begun := time.UnixMilli(1_800_000_000_000)
	usage := kubelettest.Uniform(1, 1, begun)
	pod := usage.Pods[0]
	container := pod.Containers[0]
	distinct := map[time.Time]uint64{}
	for s := range 3600 {
		if r, ok := container.At(pod, begun.Add(time.Duration(s)*time.Second)); ok {
			distinct[r.Time] = r.CPU
		}
	}
	if got := len(distinct); got < 359 || got > 360 {
		t.Errorf("%d samples in an hour, want one each 10 s", got)
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelettest_test

import (
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// TestInputsAreWhatTheModelSays reads the answers as the product does.
func TestInputsAreWhatTheModelSays(t *testing.T) {
	now := time.UnixMilli(1_800_000_012_345)
	usage := kubelettest.Uniform(3, 2, now.Add(-time.Hour))
	const skew = time.Minute
	decoder := kubelet.NewInputDecoder(kubelet.Options{})
	for source, body := range map[input.Source][]byte{
		input.Cadvisor: usage.AppendCadvisor(nil, now, skew),
		input.Summary:  usage.AppendWholeSummary(nil, "node-1", now, skew),
	} {
		a := decoder.Answer()
		a.Batch.Source, a.Batch.Inputs = source, source.Of()
		stats, err := decoder.Decode(body, a)
		if err != nil || stats.RefusedTotal() != 0 || stats.Containers != 6 || len(a.Batch.Layout.Pods) != 3 {
			t.Fatalf("%v: %+v, %v", source, stats, err)
		}
		for i, pod := range usage.Pods {
			bytes, at, _ := pod.Received(now)
			id, want, time := input.NetworkReceivePackets, bytes/100, storage.MillisOf(at.Add(skew))
			if source == input.Summary {
				id, want, time = input.NetworkReceiveBytes, bytes, time/1000*1000
			}
			p, ok := a.Batch.Layout.Find(pod.Namespace, pod.Name)
			if column := a.Batch.Columns[id]; !ok || column.Values[p] != want || column.Times[p] != time {
				t.Errorf("%v: pod %d: got %d at %d, want %d at %d", source, i, column.Values[p], column.Times[p], want, time)
			}
		}
		decoder.Release(a)
	}
}

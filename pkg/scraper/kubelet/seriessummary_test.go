// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// plainFill is how full something is, as encoding/json reads it.
type plainFill struct {
	Name, Time                                                               string
	UsedBytes, CapacityBytes, AvailableBytes, Inodes, InodesFree, InodesUsed *uint64
	PVCRef                                                                   *struct{ Name, Namespace string }
}

type plainSummary struct {
	Node struct {
		FS      plainFill
		Runtime struct{ ImageFs, ContainerFs plainFill }
	}
	Pods []struct {
		PodRef           struct{ Name, Namespace string }
		EphemeralStorage plainFill `json:"ephemeral-storage"`
		Volume           []plainFill
		Containers       []struct {
			Name         string
			Rootfs, Logs plainFill
		}
	}
}

// plainSummarySeries is the samples of a summary, the plain way.
func plainSummarySeries(t testing.TB, body []byte) (all []string) {
	t.Helper()
	var s plainSummary
	if err := json.Unmarshal(body, &s); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	add := func(prefix string, whole bool, f plainFill, labels ...string) {
		if f.Time == "" {
			return
		}
		at, err := time.Parse(time.RFC3339, f.Time)
		if err != nil {
			t.Fatal(err)
		}
		if at.UnixMilli() <= 0 {
			return // It was never read.
		}
		one := func(suffix string, n *uint64) {
			if n == nil {
				return
			}
			pairs := append([]string{fmt.Sprintf("__name__=%q,", prefix+suffix)}, labels...)
			if key := strings.Join(pairs, ""); !seen[key] {
				seen[key] = true
				all = append(all, fmt.Sprintf("%s %d %v", key, at.UnixMilli(), float64(*n)))
			}
		}
		one("_used_bytes", f.UsedBytes)
		one("_inodes_used", f.InodesUsed)
		if whole {
			one("_capacity_bytes", f.CapacityBytes)
			one("_available_bytes", f.AvailableBytes)
			one("_inodes", f.Inodes)
			one("_inodes_free", f.InodesFree)
		}
	}
	add("kubelet_summary_node_fs", true, s.Node.FS)
	add("kubelet_summary_node_image_fs", true, s.Node.Runtime.ImageFs)
	add("kubelet_summary_node_container_fs", true, s.Node.Runtime.ContainerFs)
	for _, p := range s.Pods {
		ns, pod := fmt.Sprintf("namespace=%q,", p.PodRef.Namespace), fmt.Sprintf("pod=%q,", p.PodRef.Name)
		add("kubelet_summary_pod_ephemeral_storage", true, p.EphemeralStorage, ns, pod)
		for _, c := range p.Containers {
			container := fmt.Sprintf("container=%q,", c.Name)
			add("kubelet_summary_container_rootfs", false, c.Rootfs, container, ns, pod)
			add("kubelet_summary_container_logs", false, c.Logs, container, ns, pod)
		}
		for _, v := range p.Volume {
			if r := v.PVCRef; r != nil {
				add("kubelet_volume_stats", true, v, fmt.Sprintf("namespace=%q,", r.Namespace), fmt.Sprintf("persistentvolumeclaim=%q,", r.Name))
			} else {
				add("kubelet_summary_pod_volume", true, v, ns, pod, fmt.Sprintf("volume=%q,", v.Name))
			}
		}
	}
	slices.Sort(all)
	return all
}

// claims is a pod with two claims, one of which another pod has, too.
const claims = `{"node":{"nodeName":"n"},"pods":[
{"volume":[{"name":"data","time":"2026-11-21T10:00:00Z","usedBytes":1,"capacityBytes":10,"availableBytes":9,"inodes":100,"inodesFree":90,"inodesUsed":10,"pvcRef":{"name":"data-0","namespace":"shop"}},
{"name":"tmp","time":"2026-11-21T10:00:00Z","usedBytes":2}],"podRef":{"name":"db-0","namespace":"shop","uid":"1"}},
{"podRef":{"name":"db-1","namespace":"shop"},"volume":[{"name":"data","time":"2026-11-21T10:00:00Z","usedBytes":1,"pvcRef":{"name":"data-0","namespace":"shop"}}]}]}`

func TestSeriesSummary(t *testing.T) {
	stream := NewSeriesDecoder(Options{}).Stream("n", series.Summary)
	k := newKeeper(t)
	stream.Attach(k)
	picky := &pickyKeeper{keeper: *newKeeper(t), generation: 1}
	stream.Attach(picky)
	var bodies [][]byte
	for i := range 6 {
		bodies = append(bodies, recordedInputs(t, i+1, input.Summary))
	}
	bodies = append(bodies, []byte(claims), bodies[0])
	for i, body := range bodies {
		if i == 4 {
			picky.turn('x')
		}
		stats, err := stream.Decode(SeriesAnswer{Body: body, Sent: 1})
		if err != nil {
			t.Fatal(err)
		}
		want := plainSummarySeries(t, body)
		if !slices.Equal(k.samples, want) || len(want) == 0 {
			other := func(of, than []string) []string {
				return slices.DeleteFunc(slices.Clone(of), func(s string) bool { return slices.Contains(than, s) })
			}
			t.Fatalf("answer %d: too much: %q; too little: %q", i, other(k.samples, want), other(want, k.samples))
		}
		some := slices.DeleteFunc(slices.Clone(want), func(s string) bool {
			return !picky.takes(s[:strings.LastIndex(s[:strings.LastIndexByte(s, ' ')], " ")])
		})
		if !slices.Equal(picky.samples, some) {
			t.Fatalf("answer %d: got %q, want %q", i, picky.samples, some)
		}
		if i == 1 && stats.Opened != 0 {
			t.Errorf("%d series are new in the second answer", stats.Opened)
		}
	}
	if meta := k.meta["kubelet_volume_stats_used_bytes"]; meta.Type != series.Gauge || meta.Help != "Bytes used of the volume of a claim." {
		t.Errorf("metadata %+v", meta)
	}
	for _, body := range []string{"", "{}", "null", "{\"node\":{}", "[]"} {
		if _, err := stream.Decode(SeriesAnswer{Body: []byte(body)}); err == nil {
			t.Errorf("%q is taken", body)
		}
	}
}

func BenchmarkSeriesSummary(b *testing.B) {
	stream := NewSeriesDecoder(Options{}).Stream("n", series.Summary)
	stream.Attach(&silent{})
	body := recordedInputs(b, 1, input.Summary)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := stream.Decode(SeriesAnswer{Body: body, Sent: 1}); err != nil {
			b.Fatal(err)
		}
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"k8s.io/klog/v2"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestRefusals holds that a node's refusals are logged when they begin and when
// they end, with reason and place, and not at each scrape.
func TestRefusals(t *testing.T) {
	var lines []string
	logger := funcr.New(func(_, line string) { lines = append(lines, line) }, funcr.Options{})
	bad := &kubelet.Stats{FirstRefusal: kubelet.Refusal{Reason: kubelet.RefusedNegative, Line: 7, Offset: 99}}
	bad.Refused[kubelet.RefusedNegative] = 2
	future := &storage.CommitResult{}
	future.Refused[storage.RefusedFuture] = 3
	good, taken := &kubelet.Stats{}, &storage.CommitResult{}

	ctx := klog.NewContext(t.Context(), logger)
	var r refusals
	start := time.Unix(1_700_000_000, 0)
	at := func(seconds int, stats *kubelet.Stats, result *storage.CommitResult) {
		r.note(ctx, "node-1", start.Add(time.Duration(seconds)*time.Second), stats, result)
	}
	at(0, good, taken)
	at(15, bad, future)
	at(30, bad, future)
	at(45, good, taken) // within a minute of the last line
	at(90, good, taken)
	at(105, &kubelet.Stats{ScrapeErrors: 1}, taken)
	at(165, &kubelet.Stats{ScrapeErrors: 1}, taken)

	want := [][]string{
		{"Part of what the node says is not taken", "node-1", "2 series: negative", "line 7 (byte 99)", "3 samples: future"},
		{"All that the node says is taken again"},
		{"Part of what the node says is not taken", "could not read all of its containers"},
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), strings.Join(lines, "\n"))
	}
	for i, parts := range want {
		if slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(lines[i], part) }) {
			t.Errorf("line %d is %s, want %q in it", i, lines[i], parts)
		}
	}
}

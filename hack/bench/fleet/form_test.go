// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/world"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

func testWorld() world.World {
	return world.World{Nodes: 3, Pods: 20, Containers: 2, Epoch: time.Now().Truncate(time.Millisecond)}
}

// TestForm holds that our answers have the form of a real kubelet's: the same
// comment lines in the same order, and lines that differ in names and numbers
// only.
func TestForm(t *testing.T) {
	recorded, err := os.ReadFile("../../../pkg/scraper/kubelet/testdata/scrape-1/metrics-resource.txt")
	if err != nil {
		t.Fatal(err)
	}
	w := testWorld()
	body := newNode(w, 1, w.Epoch.UnixMilli()).appendResource(nil, w.Epoch.UnixMilli())
	if got, want := formOf(body), formOf(recorded); !slices.Equal(got, want) {
		t.Errorf("the form is\n%s\nand a kubelet's\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := bytes.Count(body, []byte("\ncontainer_cpu_usage_seconds_total{")); got != 40 {
		t.Errorf("%d containers", got)
	}
}

// TestSelected holds that an answer in part is what the whole one says of the families
// that are named.
func TestSelected(t *testing.T) {
	w := testWorld()
	now := w.Epoch.UnixMilli()
	n := newNode(w, 1, now)
	names := []string{"container_start_time_seconds", "node_swap_usage_bytes", "absent"}
	var want []byte
	for line := range bytes.Lines(n.appendResource(nil, now)) {
		if slices.ContainsFunc(names, func(name string) bool { return bytes.Contains(line, []byte(name)) }) {
			want = append(want, line...)
		}
	}
	if got := n.appendResource(nil, now, names...); !bytes.Equal(got, want) || len(want) == 0 {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// formOf is the lines of an answer without what names and numbers say, each
// form once where it repeats.
func formOf(body []byte) []string {
	text := regexp.MustCompile(`"[^"]*"`).ReplaceAllString(string(body), `"_"`)
	// A value may be small or large, a time has 13 digits.
	text = regexp.MustCompile(`(?m)^([a-z][^ ]*) [0-9.e+-]+( [0-9]{13})?$`).ReplaceAllString(text, "$1 N$2")
	text = regexp.MustCompile(`(?m) [0-9]{13}$`).ReplaceAllString(text, " T")
	return slices.Compact(strings.Split(text, "\n"))
}

// TestDecodes holds that the product reads our answers without refusing any of
// them, and that its reading of the summary agrees with that of the series.
func TestDecodes(t *testing.T) {
	w := testWorld()
	now := w.Epoch.UnixMilli()
	n := newNode(w, 1, now)
	decoder := kubelet.NewDecoder(kubelet.Options{})
	var batch storage.Batch
	stats, err := decoder.Resource(n.appendResource(nil, now), storage.Millis(now), &batch)
	if err != nil || stats.Refused != (kubelet.Stats{}).Refused || stats.Containers != 40 {
		t.Fatalf("%+v, %v", stats, err)
	}
	body, err := n.appendSummary(nil, now)
	if err != nil {
		t.Fatal(err)
	}
	if stats, err = decoder.Summary(body, &batch); err != nil {
		t.Fatalf("%+v, %v", stats, err)
	}
	for _, rows := range batch.Layout.Pods {
		for _, p := range n.mu.pods {
			for row := rows.First; p.Name == rows.Name && row < rows.End; row++ {
				if (batch.Estimates[row] == 0) != p.Idle {
					t.Errorf("%s: estimate %d, idle is %t", p.Name, batch.Estimates[row], p.Idle)
				}
			}
		}
	}
}

// TestReplace holds that a new pod takes the place of the old one, is there
// from its first sample on, and has no rate before its second.
func TestReplace(t *testing.T) {
	w := testWorld()
	now := w.Epoch.UnixMilli()
	n := newNode(w, 1, now)
	before := w.Pod(w.Index(1, 3), 0)
	after := w.Pod(before.Index, 1)
	after.Started = w.Epoch
	n.replace(after, now)
	body := string(n.appendResource(nil, now))
	if strings.Contains(body, before.Name) || strings.Contains(body, after.Name) {
		t.Error("the old or the new pod is there at once")
	}
	if body = string(n.appendResource(nil, now+2000)); !strings.Contains(body, after.Name) {
		t.Error("the new pod is not there after 2 s")
	}
	for _, c := range n.mu.pods[3].containers {
		if c.current != 0 {
			t.Error("a rate after one sample")
		}
	}
}

// TestClocks holds the distances between samples.
func TestClocks(t *testing.T) {
	for _, test := range []struct {
		rate              uint64
		shortest, longest int64
	}{{1e9, 10_000, 20_000}, {0, 15_000, 30_000}} {
		s := newSampler(1, test.rate, 1<<20, 1_800_000_000_000, 1_800_000_060_000)
		least, most := int64(1<<62), int64(0)
		for range 10_000 {
			before := s.at
			s.sample()
			least, most = min(least, s.at-before), max(most, s.at-before)
		}
		if least < test.shortest || least > test.shortest+100 || most >= test.longest || most < test.longest-100 {
			t.Errorf("rate %d: from %d to %d ms", test.rate, least, most)
		}
	}
}

// BenchmarkAnswer is what one answer costs beside HTTP and TLS.
func BenchmarkAnswer(b *testing.B) {
	w := world.World{Nodes: 1, Pods: 30, Containers: 2, Epoch: time.Now()}
	n := newNode(w, 0, w.Epoch.UnixMilli())
	now := w.Epoch.UnixMilli()
	var body []byte
	for b.Loop() {
		now += 15_000
		body = n.appendResource(body[:0], now)
	}
	b.SetBytes(int64(len(body)))
}

// TestRecording holds that the sources of custom metrics have all series that the
// recorded pod and container have, for each of ours, and that the product reads
// them without refusing any.
func TestRecording(t *testing.T) {
	r, err := ReadRecording("../../../pkg/scraper/kubelet/testdata/scrape-1")
	if err != nil {
		t.Fatal(err)
	}
	w := testWorld()
	now := w.Epoch.UnixMilli()
	n := newNode(w, 1, now)
	body := n.appendCadvisor(nil, r, now)
	for series, want := range map[string]int{
		"\ncontainer_cpu_usage_seconds_total{container=\"main\"":                20,
		"\ncontainer_tasks_state{container=\"proxy\"":                           5 * 20,
		"\ncontainer_network_receive_bytes_total{container=\"\",id=\"/kubepods": 20,
		"\n# TYPE container_memory_rss gauge\n":                                 1,
	} {
		if got := bytes.Count(body, []byte(series)); got != want {
			t.Errorf("%q is there %d times, want %d", series, got, want)
		}
	}
	decoder := kubelet.NewInputDecoder(kubelet.Options{})
	for source, body := range map[input.Source][]byte{input.Cadvisor: body, input.Summary: n.appendWholeSummary(nil, r, now)} {
		a := decoder.Answer()
		a.Batch = input.Batch{Node: n.name, Source: source, Inputs: source.Of(), Sent: storage.Millis(now), Received: storage.Millis(now)}
		stats, err := decoder.Decode(body, a)
		if err != nil || stats.Refused != (kubelet.Stats{}).Refused || a.Batch.Layout == nil || len(a.Batch.Layout.Pods) != 20 || len(a.Batch.Layout.Containers) != 40 {
			t.Errorf("%v, %d bytes: %+v, %v; layout %+v", source, len(body), stats, err, a.Batch.Layout)
		}
		decoder.Release(a)
	}
}

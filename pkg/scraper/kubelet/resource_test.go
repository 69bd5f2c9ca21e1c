// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestResource holds what one answer, asked for at the moment 7, comes to, in
// the notation of describe followed by the refusals.
func TestResource(t *testing.T) {
	for _, test := range []struct {
		name       string
		body, want []string
	}{
		{
			"a container",
			[]string{
				`container_cpu_usage_seconds_total{container="c",namespace="n",pod="p"} 1.5 1000`,
				`container_memory_working_set_bytes{container="c",namespace="n",pod="p"} 2.048e+03 1001`,
				`container_swap_usage_bytes{container="c",namespace="n",pod="p"} 0 1002`,
				`container_start_time_seconds{container="c",namespace="n",pod="p"} 1.7952217499309999e+09`,
			},
			[]string{"node: time=7", "n/p/c: time=1000 start=1795221749930 cpu=1500000000 memory=2048 swap=0"},
		},
		{
			"the node",
			[]string{`node_cpu_usage_seconds_total 1 1000`, `node_memory_working_set_bytes 2 1001`, `node_swap_usage_bytes 3 1002`},
			[]string{"node: time=1000 cpu=1000000000 memory=2 swap=3"},
		},
		{"zero is data", []string{`node_cpu_usage_seconds_total 0`, `node_memory_working_set_bytes 0`}, []string{"node: time=7 cpu=0 memory=0"}},
		{"time of the memory where there is no CPU", []string{`node_memory_working_set_bytes 2 1001`}, []string{"node: time=1001 memory=2"}},
		{"time of the CPU, whichever comes first", []string{`node_memory_working_set_bytes 2 1001`, `node_cpu_usage_seconds_total 1`}, []string{"node: time=7 cpu=1000000000 memory=2"}},
		{"an empty node", []string{`scrape_error 0`}, []string{"node: time=7"}},
		{
			"containers sorted, a start alone listed",
			[]string{
				`container_start_time_seconds{namespace="n",pod="p",container="z"} 9e8`,
				`container_memory_working_set_bytes{namespace="n",pod="p",container="a"} 1 2000`,
				`container_memory_working_set_bytes{namespace="m",pod="q",container="b"} 1 2000`,
			},
			[]string{"node: time=7", "m/q/b: time=2000 memory=1", "n/p/a: time=2000 memory=1", "n/p/z: time=7 start=900000000000"},
		},
		{
			"escapes and other labels",
			[]string{`container_memory_working_set_bytes{x="y",namespace="n\"",pod="\\p",container="c"} 1 2000`},
			[]string{"node: time=7", `n"/\p/c: time=2000 memory=1`},
		},
		{
			"other families and sandboxes are skipped",
			[]string{
				`# HELP nonsense`, ``, `pod_cpu_usage_seconds_total{nonsense`, `container_cpu_usage_seconds_totals 1`,
				`container_memory_working_set_bytes{namespace="n",pod="p",container="POD"} 1 2000`, `node_swap_usage_bytes 0 5`,
			},
			[]string{"node: time=5 swap=0"},
		},
		{
			"labels",
			[]string{
				`container_memory_working_set_bytes{namespace="",pod="p",container="c"} 1`,
				`container_memory_working_set_bytes{namespace="n",container="c"} 1`,
				`container_memory_working_set_bytes{namespace="n",pod="p",xcontainer="c"} 1`,
				`container_memory_working_set_bytes{namespace="n",pod="p",container="c",pod="q"} 1`,
				`container_memory_working_set_bytes 1`, `node_swap_usage_bytes 0 5`,
			},
			[]string{"node: time=5 swap=0", "refused: labels=5, first line 1 (byte 0): labels"},
		},
		{
			"numbers",
			[]string{
				`node_cpu_usage_seconds_total NaN 1000`, `node_memory_working_set_bytes -1 1000`, `node_swap_usage_bytes 1e19 1000`,
				`container_cpu_usage_seconds_total{container="c",namespace="n",pod="p"} +Inf 1000`,
				`container_memory_working_set_bytes{container="c",namespace="n",pod="p"} 0x10 1000`,
				`container_swap_usage_bytes{container="c",namespace="n",pod="p"} 3 253402300800000`,
				`container_start_time_seconds{container="c",namespace="n",pod="p"} 253402300800`,
				`container_start_time_seconds{container="d",namespace="n",pod="p"} -6.795364578871345e+09`,
				`container_start_time_seconds{container="e",namespace="n",pod="p"} 3600`,
				`container_start_time_seconds{container="f",namespace="n",pod="p"} 0`,
				`resource_scrape_error NaN`,
			},
			[]string{
				"node: time=7", "n/p/c: time=7", "n/p/d: time=7", "n/p/e: time=7", "n/p/f: time=7",
				"refused: syntax=1 not_a_number=2 infinite=1 negative=2 overflow=1 timestamp=3, first line 1 (byte 0): not_a_number",
			},
		},
		{
			"one bad line costs only itself",
			[]string{`node_cpu_usage_seconds_total 1 1000`, `node_memory_working_set_bytes`, `%`, `node_swap_usage_bytes 3 1002`},
			[]string{"node: time=1000 cpu=1000000000 swap=3", "refused: syntax=2, first line 2 (byte 36): syntax"},
		},
		{
			"the first of two is taken, even where it is refused",
			[]string{`node_cpu_usage_seconds_total 1 1000`, `node_cpu_usage_seconds_total 2 2000`, `node_swap_usage_bytes NaN`, `node_swap_usage_bytes 1`, `scrape_error 0`, `resource_scrape_error 1`},
			[]string{"node: time=1000 cpu=1000000000", "refused: not_a_number=1 duplicate=3, first line 2 (byte 36): duplicate"},
		},
		{
			"timestamps",
			[]string{`node_cpu_usage_seconds_total 1 0`, `node_memory_working_set_bytes 2 9223372036854775807`, `node_swap_usage_bytes 3 253402300799999`},
			[]string{"node: time=253402300799999 swap=3", "refused: timestamp=2, first line 1 (byte 0): timestamp"},
		},
		{
			"lengths",
			[]string{
				`container_memory_working_set_bytes{namespace="` + strings.Repeat("n", 254) + `",pod="p",container="c"} 1`,
				`container_memory_working_set_bytes{` + strings.Repeat(`a="b",`, 65) + `namespace="n",pod="p",container="c"} 1`,
				`node_memory_working_set_bytes ` + strings.Repeat("0", 1<<16), `node_swap_usage_bytes 0 5`,
			},
			[]string{"node: time=5 swap=0", "refused: too_long=3, first line 1 (byte 0): too_long"},
		},
		{"an incomplete scrape is told", []string{`node_swap_usage_bytes 0 5`, `resource_scrape_error 1`}, []string{"node: time=5 swap=0", "scrape error"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			decoder := NewDecoder(Options{})
			// The second time reads it against the first.
			for range 2 {
				var batch storage.Batch
				stats, err := decoder.Resource([]byte(strings.Join(test.body, "\n")+"\n"), 7, &batch)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := describe(&batch)+describeStats(&stats), strings.Join(test.want, "\n")+"\n"; got != want {
					t.Errorf("got:\n%swant:\n%s", got, want)
				}
				checkDecoder(t, decoder)
			}
		})
	}
}

// describeStats writes what was refused.
func describeStats(stats *Stats) string {
	var b strings.Builder
	if stats.RefusedTotal() > 0 {
		b.WriteString("refused:")
		for reason := range Reasons {
			if n := stats.Refused[reason]; n > 0 {
				fmt.Fprintf(&b, " %s=%d", reason, n)
			}
		}
		fmt.Fprintf(&b, ", first %s\n", stats.FirstRefusal)
	}
	if stats.ScrapeErrors > 0 {
		b.WriteString("scrape error\n")
	}
	return b.String()
}

// TestResourceRefused holds the answers that are refused as a whole, and that
// the decoder and the batch survive them.
func TestResourceRefused(t *testing.T) {
	const good = "container_memory_working_set_bytes{namespace=\"n\",pod=\"p\",container=\"c\"} 1 2000\n"
	options := Options{MaxSeries: 3, MaxContainers: 1}
	for name, test := range map[string]struct {
		body string
		want error
	}{
		"empty":               {"", ErrNoMetrics},
		"a page":              {"<html>\n<body>Sorry</body>\n</html>\n", ErrNoMetrics},
		"other metrics":       {"up 1\n", ErrNoMetrics},
		"a failed scrape":     {"resource_scrape_error 1\n", ErrNoMetrics},
		"cut short":           {strings.TrimSuffix(good, "\n"), ErrTruncated},
		"cut in a comment":    {good + "# HELP", ErrTruncated},
		"too many series":     {strings.Repeat("up 1\n", 4), ErrTooManySeries},
		"too many bad lines":  {strings.Repeat("%\n", 4), ErrTooManySeries},
		"too many containers": {good + strings.ReplaceAll(good, `"c"`, `"d"`), ErrTooManyContainers},
	} {
		t.Run(name, func(t *testing.T) {
			decoder := NewDecoder(options)
			var batch storage.Batch
			if _, err := decoder.Resource([]byte(good), 7, &batch); err != nil {
				t.Fatal(err)
			}
			layout := batch.Layout
			before := fmt.Sprintf("%p %d %+v", batch.Layout, len(batch.Samples), batch.Usage)
			if _, err := decoder.Resource([]byte(test.body), 7, &batch); !errors.Is(err, test.want) {
				t.Errorf("got error %v, want %v", err, test.want)
			}
			if after := fmt.Sprintf("%p %d %+v", batch.Layout, len(batch.Samples), batch.Usage); after != before {
				t.Errorf("the batch was %s and is %s", before, after)
			}
			checkDecoder(t, decoder)
			if _, err := decoder.Resource([]byte(good), 7, &batch); err != nil || batch.Layout != layout {
				t.Errorf("after the error: the layout is the same: %v, %v", batch.Layout == layout, err)
			}
		})
	}
}

// TestResourceKeepsLayout holds that only a change of the set of containers
// makes a new layout.
func TestResourceKeepsLayout(t *testing.T) {
	series := func(names ...string) []byte {
		var b strings.Builder
		for _, name := range names {
			fmt.Fprintf(&b, "container_memory_working_set_bytes{namespace=\"n\",pod=%q,container=\"c\"} 1\n", name)
		}
		return []byte(b.String() + "scrape_error 0\n")
	}
	decoder := NewDecoder(Options{})
	var last *storage.Layout
	for i, step := range []struct {
		body []byte
		same bool
	}{
		{series("a", "b", "c"), false},
		{series("a", "b", "c"), true},
		{series("c", "a", "b"), true},
		{series("c", "a", "b", "a"), true},
		{series("c", "b"), false},
		{series("b", "c"), true},
		{series("b", "d"), false},
		{series(), false},
		{series(), true},
		{series("b"), false},
	} {
		var batch storage.Batch
		if _, err := decoder.Resource(step.body, 7, &batch); err != nil {
			t.Fatal(err)
		}
		if i > 0 && (batch.Layout == last) != step.same {
			t.Errorf("step %d: the same layout: %v, want %v", i, !step.same, step.same)
		}
		last = batch.Layout
		checkDecoder(t, decoder)
	}
}

// TestResourceDuplicateAhead holds that a series that comes early, further from
// its place than the plan looks, is not taken again where it was expected.
func TestResourceDuplicateAhead(t *testing.T) {
	var lines []string
	for i := range maxSkip + 2 {
		lines = append(lines, fmt.Sprintf("container_memory_working_set_bytes{namespace=\"n\",pod=\"p%03d\",container=\"c\"} 1", i))
	}
	before := strings.Join(lines, "\n") + "\n"
	compareResource(t, Options{}, before, lines[len(lines)-1]+"\n"+before, before, before)
}

// checkDecoder holds the invariants of what a decoder keeps.
func checkDecoder(t *testing.T, d *Decoder) {
	t.Helper()
	rows := 0
	if d.layout != nil {
		rows = len(d.layout.Containers)
	}
	have := make(map[[2]int]bool)
	for _, s := range d.steps {
		key := [2]int{int(s.slot), int(s.kind)}
		if s.slot < 0 || int(s.slot) >= rows || have[key] || s.length == 0 {
			t.Errorf("step %+v of %d rows; one for it was there before: %v", s, rows, have[key])
		}
		have[key] = true
	}
}

func TestResourceAllocatesNothing(t *testing.T) {
	body := recorded(t, 1, "metrics-resource.txt")
	decoder := NewDecoder(Options{})
	var batch storage.Batch
	if n := testing.AllocsPerRun(100, func() {
		if _, err := decoder.Resource(body, 7, &batch); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for an answer like the one before, want none", n)
	}
}

func TestOptions(t *testing.T) {
	for _, bad := range []Options{{MaxSeries: -1}, {MaxContainers: -1}, {MaxLineBytes: 1 << 16}, {MaxLabels: -1}, {MaxNameBytes: -1}} {
		if bad.Validate() == nil {
			t.Errorf("%+v is valid", bad)
		}
	}
	if err := (Options{}).withDefaults().Validate(); err != nil {
		t.Error(err)
	}
}

// TestDecodersShareScratch reads the answers of two nodes, of which one has more
// containers, in turn, through the same memory and each through its own.
func TestDecodersShareScratch(t *testing.T) {
	shared := &Scratch{}
	answer := func(node, containers, at int) string {
		var body strings.Builder
		for i := range containers {
			fmt.Fprintf(&body, "container_cpu_usage_seconds_total{container=\"c\",namespace=\"n%d\",pod=\"p%d\"} %d.%d 170000000000%d\n", node, i, i, at, at)
		}
		return body.String()
	}
	var sharing, own [2]*Decoder
	for i := range sharing {
		sharing[i], own[i] = NewDecoder(Options{Scratch: shared}), NewDecoder(Options{})
	}
	for at := range 6 {
		for i := range sharing {
			containers := []int{3, 40}[i]
			if at >= 3 {
				containers = 20 - 17*i // One grows, the other shrinks.
			}
			body := []byte(answer(i, containers, at))
			var got, want storage.Batch
			gotStats, err := sharing[i].Resource(body, 7, &got)
			if err != nil {
				t.Fatal(err)
			}
			wantStats, err := own[i].Resource(body, 7, &want)
			if err != nil {
				t.Fatal(err)
			}
			if gotStats != wantStats || !reflect.DeepEqual(got, want) {
				t.Fatalf("answer %d of node %d: %+v, want %+v", at, i, got, want)
			}
			sharing[i].Release()
			clear(got.Samples) // It is not the decoder's any more.
		}
	}
}

// TestDecoderIsSmall holds what is kept for a node of 30 pods with two
// containers each, beside the layout.
func TestDecoderIsSmall(t *testing.T) {
	var body strings.Builder
	for _, family := range []string{"container_cpu_usage_seconds_total", "container_memory_working_set_bytes", "container_start_time_seconds", "container_swap_usage_bytes"} {
		for i := range 60 {
			fmt.Fprintf(&body, "%s{container=\"c%d\",namespace=\"n\",pod=\"p%d\"} 1.7e9\n", family, i%2, i/2)
		}
	}
	decoder := NewDecoder(Options{})
	var batch storage.Batch
	if stats, err := decoder.Resource([]byte(body.String()), 7, &batch); err != nil || stats.Series != 240 {
		t.Fatalf("%+v, %v", stats, err)
	}
	kept := int(unsafe.Sizeof(*decoder)) +
		cap(decoder.steps)*int(unsafe.Sizeof(step{}))
	t.Logf("%d bytes", kept)
	if kept > 5_000 {
		t.Errorf("a decoder keeps %d bytes, want at most 5,000", kept)
	}
	if decoder.Release(); decoder.scratch != nil {
		t.Error("a decoder keeps what it has released")
	}
}

// TestResourceQuery: the query names what is read, and the answer to it says the same.
func TestResourceQuery(t *testing.T) {
	query, err := url.ParseQuery(ResourceQuery)
	if err != nil {
		t.Fatal(err)
	}
	names := query["name[]"]
	for _, name := range names {
		if scope, _ := familyOf([]byte(name)); scope == scopeOther {
			t.Errorf("%s is asked for and not read", name)
		}
	}
	whole := recorded(t, 1, "metrics-resource.txt")
	var part []byte
	for line := range bytes.Lines(whole) {
		if name := exposition.Name(line); slices.Contains(names, string(name)) {
			part = append(part, line...)
		} else if scope, _ := familyOf(name); line[0] != '#' && scope != scopeOther {
			t.Errorf("%s is read and not asked for", name)
		}
	}
	var of, ofPart storage.Batch
	if _, err := NewDecoder(Options{}).Resource(whole, 1, &of); err != nil {
		t.Fatal(err)
	}
	if _, err := NewDecoder(Options{}).Resource(part, 1, &ofPart); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(of, ofPart) {
		t.Errorf("of the whole %+v, of what is asked for %+v", of, ofPart)
	}
}

// BenchmarkResource reads a recorded answer; hack/textparse has a larger one,
// beside prometheus' parser.
func BenchmarkResource(b *testing.B) {
	body := recorded(b, 1, "metrics-resource.txt")
	decoder := NewDecoder(Options{})
	var batch storage.Batch
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decoder.Resource(body, 7, &batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkResourceChurn reads answers of 30 pods of two containers, one of which is
// another pod each time.
func BenchmarkResourceChurn(b *testing.B) {
	const answers, pods = 64, 30
	var bodies [answers][]byte
	for i := range bodies {
		for _, family := range []string{"cpu_usage_seconds_total", "memory_working_set_bytes", "start_time_seconds", "swap_usage_bytes"} {
			for _, container := range []string{"app", "proxy"} {
				for pod := range pods {
					generation := 0
					if pod == 7 {
						generation = i
					}
					bodies[i] = fmt.Appendf(bodies[i], "container_%s{container=%q,namespace=\"team-%d\",pod=\"web-6c7f9d5b8-%d-%d\"} 1795221793 1795221793277\n", family, container, pod/10, pod, generation)
				}
			}
		}
	}
	decoder := NewDecoder(Options{})
	var batch storage.Batch
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := decoder.Resource(bodies[i%answers], 7, &batch); err != nil || len(batch.Samples) != 2*pods {
			b.Fatal(err, len(batch.Samples))
		}
	}
}

// BenchmarkSummary reads the summary of the same moment.
func BenchmarkSummary(b *testing.B) {
	decoder := NewDecoder(Options{})
	var batch storage.Batch
	if _, err := decoder.Resource(recorded(b, 1, "metrics-resource.txt"), 7, &batch); err != nil {
		b.Fatal(err)
	}
	body := recorded(b, 1, "stats-summary.json")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decoder.Summary(body, &batch); err != nil {
			b.Fatal(err)
		}
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package receivers

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"go.yaml.in/yaml/v3"

	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/sinks"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// cluster is the external label of what is shipped in these tests.
const cluster = "east"

// scrapes is how many answers of a real kubelet were recorded.
const scrapes = 6

// recordedNodes are the nodes that are made of the one that was recorded.
func recordedNodes() []string { return []string{"n1", "n2"} }

// recorded is an answer of a source as a node of ours gives it: pods of the second
// node have other names, and pressure. It is nil where there is none.
func recorded(t *testing.T, scrape, node int, source series.Source) []byte {
	t.Helper()
	name := map[series.Source]string{series.Resource: "metrics-resource.txt", series.Cadvisor: "metrics-cadvisor.txt.gz", series.Summary: "stats-summary-whole.json.gz"}[source]
	text, err := os.ReadFile(filepath.Join("..", "..", "pkg", "scraper", "kubelet", "testdata", fmt.Sprintf("scrape-%d", scrape), name))
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Ext(name) == ".gz" {
		z, err := gzip.NewReader(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if text, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	switch {
	case source == series.Summary && node > 0:
		return nil // Pods of the same names on two nodes are not what there is.
	case source == series.Summary:
		return withClaim(t, text)
	case node == 0:
		return text
	}
	text = bytes.ReplaceAll(text, []byte(`pod="`), fmt.Appendf(nil, `pod="of-%s-`, recordedNodes()[node]))
	if source == series.Cadvisor {
		text = withPressure(text)
	}
	return text
}

// withPressure adds what the node that was recorded does not tell, because it has
// cgroup v1: pressure, and bytes and operations on disks, of each container. The
// numbers are made of those of its CPU time.
func withPressure(text []byte) []byte {
	lines := regexp.MustCompile(`(?m)^container_cpu_usage_seconds_total\{(container="[^"]+",)cpu="total",(.*)$`).FindAllSubmatch(text, -1)
	more := bytes.NewBuffer(bytes.Clone(text))
	add := func(name, label string) {
		fmt.Fprintf(more, "# HELP %s Made up.\n# TYPE %[1]s counter\n", name)
		for _, line := range lines {
			fmt.Fprintf(more, "%s{%s%s%s\n", name, line[1], label, line[2])
		}
	}
	for _, resource := range []string{"cpu", "io", "memory"} {
		for _, share := range []string{"stalled", "waiting"} {
			add("container_pressure_"+resource+"_"+share+"_seconds_total", "")
		}
	}
	for _, direction := range []string{"reads", "writes"} {
		for _, unit := range []string{"", "_bytes"} {
			add("container_fs_"+direction+unit+"_total", `device="/dev/sda",`)
		}
	}
	return more.Bytes()
}

// withClaim adds a volume of a claim to a summary, which has none.
func withClaim(t *testing.T, text []byte) []byte {
	t.Helper()
	var summary map[string]any
	if err := json.Unmarshal(text, &summary); err != nil {
		t.Fatal(err)
	}
	pods, _ := summary["pods"].([]any)
	i := slices.IndexFunc(pods, func(pod any) bool {
		fields, _ := pod.(map[string]any)
		ref, _ := fields["podRef"].(map[string]any)
		return ref["name"] == "client"
	})
	if i < 0 {
		t.Fatal("there is no pod client in a summary")
	}
	pod, _ := pods[i].(map[string]any)
	storage, _ := pod["ephemeral-storage"].(map[string]any)
	volume := map[string]any{"name": "data", "pvcRef": map[string]any{"name": "data", "namespace": "shop"}}
	maps.Copy(volume, storage)
	pod["volume"] = []any{volume}
	text, err := json.Marshal(summary)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A told is one series as a kubelet told it.
type told struct {
	source series.Source
	node   string
	labels labels.Labels
	// points have the kubelet's times; a sample that is told twice is one.
	points []point
	// last is the number of the last answer that had it.
	last int
}

// readRecording reads all answers of text with Prometheus' parser, which shares
// nothing with ours. newest is the time of the newest sample.
func readRecording(t *testing.T) (all []*told, newest int64) {
	t.Helper()
	for n, node := range recordedNodes() {
		for _, source := range []series.Source{series.Resource, series.Cadvisor} {
			known := map[uint64]*told{}
			for scrape := range scrapes {
				parser := textparse.NewPromParser(recorded(t, scrape+1, n, source), labels.NewSymbolTable(), false)
				for {
					entry, err := parser.Next()
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
					if entry != textparse.EntrySeries {
						continue
					}
					var l labels.Labels
					parser.Labels(&l)
					_, at, v := parser.Series()
					s := known[l.Hash()]
					if s == nil {
						s = &told{source: source, node: node, labels: l}
						known[l.Hash()] = s
						all = append(all, s)
					}
					s.last = scrape + 1
					if at == nil {
						continue // Its time is that of the request.
					}
					newest = max(newest, *at)
					if len(s.points) == 0 || s.points[len(s.points)-1].t != *at {
						s.points = append(s.points, point{*at, v})
					}
				}
			}
		}
	}
	return all, newest
}

// shipRecording has our decoder and our sink ship all answers to a URL, as if the
// newest sample were of now, and waits until they are delivered. The set is as a
// server has it.
func shipRecording(t *testing.T, write string, newest int64) *sinks.Set {
	t.Helper()
	var block yaml.Node
	text := fmt.Sprintf("- {url: %q, sources: [resource, cadvisor, summary], queue_directory: %q, queue_config: {batch_send_deadline: 50ms, min_shards: 3}}", write, t.TempDir())
	if err := yaml.Unmarshal([]byte(text), &block); err != nil {
		t.Fatal(err)
	}
	set := sinks.NewSet(sinks.Options{
		Slots: 1, UserAgent: "metrics-apiserver/test",
		Instance: func(node string) string { return node + ":10250" },
	})
	if err := set.Apply(block.Content[0].Content, map[string]string{"cluster": cluster}); err != nil {
		t.Fatalf("make the sink: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- set.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	offset := storage.MillisOf(time.Now()) - storage.Millis(newest)
	decoder := kubelet.NewSeriesDecoder(kubelet.Options{})
	consumer := set.Consumers()[0]
	for n, node := range recordedNodes() {
		for source := range series.Sources {
			stream := decoder.Stream(node, source)
			stream.Attach(consumer.Receiver(node, source))
			for scrape := range scrapes {
				body := recorded(t, scrape+1, n, source)
				if body == nil {
					continue
				}
				// It was asked for when the newest sample in it was taken, or just after.
				sent := newestIn(t, recorded(t, scrape+1, n, series.Cadvisor)) + offset
				if _, err := stream.Decode(kubelet.SeriesAnswer{Body: body, Sent: sent, Received: sent + 20, Offset: offset}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	waitFor(t, func() bool {
		s := set.States()[0]
		return !s.Paused && s.Pending == 0 && s.Queue.Records == 0
	})
	if s := set.States()[0]; s.Sender.Sent != s.Accepted || s.OutOfOrder != 0 || s.Overrun != 0 {
		t.Errorf("%+v", s)
	}
	return set
}

// newestIn is the newest time in a text.
func newestIn(t *testing.T, text []byte) (newest storage.Millis) {
	t.Helper()
	for _, stamp := range regexp.MustCompile(`(?m) ([0-9]{13})$`).FindAllSubmatch(text, -1) {
		at, err := strconv.ParseInt(string(stamp[1]), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		newest = max(newest, storage.Millis(at))
	}
	return newest
}

// startPrometheus starts Debian's prometheus with a configuration and returns where
// it is.
func startPrometheus(t *testing.T, config string) string {
	t.Helper()
	address, dir := freeAddress(t), t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "prometheus", "http://"+address+"/-/ready", "prometheus", "--config.file="+file, "--web.listen-address="+address,
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.enable-remote-write-receiver")
	return "http://" + address
}

// A result is one element of a vector.
type result struct {
	labels map[string]string
	value  float64
}

// ask evaluates an expression now.
func ask(t *testing.T, prometheus, expression string) []result {
	t.Helper()
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.Unmarshal(get(t, prometheus+"/api/v1/query?"+url.Values{"query": {expression}}.Encode()), &answer); err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	var all []result
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatalf("%s: %v", expression, err)
		}
		all = append(all, result{r.Metric, v})
	}
	return all
}

// near says whether two sums of the same numbers are equal.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b)) }

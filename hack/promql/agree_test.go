// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package promql

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	promstorage "github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/rules"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

const node = "node-1"

// maxAge takes in all of the recordings: what is too old is not Prometheus' to
// decide.
const maxAge = 5 * time.Minute

// expressions are evaluated on both sides, for each namespace. In Prometheus they
// have %s where the namespace is enforced here.
func expressions() []string {
	return []string{
		`container_memory_working_set_bytes{%s}`,
		`sum by (namespace, pod) (container_memory_working_set_bytes{%s})`,
		`sum by (pod) (rate(container_cpu_usage_seconds_total{%s}[1m]))`,
		`rate(container_network_receive_bytes_total{%s}[1m])`,
		`sum by (pod) (irate(container_network_transmit_bytes_total{%s,interface="eth0"}[45s]))`,
		`increase(container_cpu_usage_seconds_total{%s}[45s])`,
		`sum by (pod) (rate(container_cpu_usage_seconds_total{%s}[1m])) / on (pod) sum by (pod) (container_memory_working_set_bytes{%s})`,
		`topk(3, container_memory_rss{%s})`,
		`quantile(0.9, container_memory_rss{%s})`,
		`avg_over_time(container_memory_cache{%s}[1m])`,
		`max_over_time(sum by (pod) (container_memory_working_set_bytes{%s})[45s:10s])`,
		`sum by (pod) (container_memory_working_set_bytes{%s} offset 30s)`,
		`deriv(container_memory_working_set_bytes{%s}[1m])`,
		`count by (pod) (container_threads{%s} > 1)`,
		`label_replace(sum by (pod) (container_threads{%s}), "workload_of", "$1", "pod", "([a-z]+)-.*")`,
		`changes(container_start_time_seconds{%s}[1m])`,
		`time() - container_start_time_seconds{%s}`,
		`sum by (container) (container_memory_working_set_bytes{%s,container!=""}) and on (container) sum by (container) (container_threads{%s}) > 0`,
		`absent(container_memory_working_set_bytes{%s,pod="none"})`,
		`sort_desc(stddev by (namespace) (container_memory_rss{%s}))`,
	}
}

// recording is one moment of the kubelet.
type recording struct {
	at                 int64 // milliseconds since 1970
	resource, cadvisor []byte
}

// recordings are the answers that the decoder's tests have. The moment of each is
// that of its newest sample.
func recordings(t *testing.T) []recording {
	t.Helper()
	var list []recording
	for i := 1; i <= 6; i++ {
		dir := filepath.Join("..", "..", "pkg", "scraper", "kubelet", "testdata", fmt.Sprintf("scrape-%d", i))
		resource, err := os.ReadFile(filepath.Join(dir, "metrics-resource.txt"))
		packed, err2 := os.ReadFile(filepath.Join(dir, "metrics-cadvisor.txt.gz"))
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		reader, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		cadvisor, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		r := recording{resource: resource, cadvisor: cadvisor}
		for line := range strings.Lines(string(cadvisor)) {
			fields := strings.Fields(line)
			if at, err := strconv.ParseInt(fields[len(fields)-1], 10, 64); err == nil && line[0] != '#' && at > 1e12 {
				r.at = max(r.at, at)
			}
		}
		list = append(list, r)
	}
	return list
}

// ours is the recordings, taken in as the server does.
type ours struct {
	evaluator  *rules.Evaluator
	namespaces map[string]bool
}

func newOurs(t *testing.T, list []recording, compiled []*rules.Compiled) *ours {
	t.Helper()
	recent, err := series.NewRecent(series.RecentOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var selectors []series.Selector
	for _, c := range compiled {
		selectors = append(selectors, c.Selectors(maxAge)...)
	}
	recent.Want(selectors)
	decoder := kubelet.NewSeriesDecoder(kubelet.Options{})
	pods := objects.NewPods()
	o := &ours{evaluator: rules.NewEvaluator(recent, pods, maxAge), namespaces: map[string]bool{}}
	streams := map[series.Source]*kubelet.SeriesStream{}
	for _, source := range []series.Source{series.Resource, series.Cadvisor} {
		streams[source] = decoder.Stream(node, source)
		streams[source].Attach(recent.Receiver(node, source))
	}
	for _, r := range list {
		at := storage.Millis(r.at)
		for source, body := range map[series.Source][]byte{series.Resource: r.resource, series.Cadvisor: r.cadvisor} {
			if _, err := streams[source].Decode(kubelet.SeriesAnswer{Body: body, Sent: at, Received: at}); err != nil {
				t.Fatal(err)
			}
		}
	}
	// All pods that were ever seen run, so that what rules leave out of pods that
	// do not run is not a difference.
	recent.Select("", "", nil, 0, math.MaxInt64/2, func(p series.Points) bool {
		if name, namespace := p.Labels.Get("pod"), p.Labels.Get("namespace"); name != "" {
			o.namespaces[namespace] = true
			if err := pods.Add(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.PodSpec{NodeName: node}}); err != nil {
				t.Error(err)
			}
		}
		return true
	})
	return o
}

// theirs is the recordings in Prometheus' database.
type theirs struct {
	engine *promql.Engine
	db     *tsdb.DB
}

func newTheirs(t *testing.T, list []recording) *theirs {
	t.Helper()
	options := tsdb.DefaultOptions()
	options.RetentionDuration = int64(time.Hour * 24 * 365 * 100 / time.Millisecond)
	db, err := tsdb.Open(t.TempDir(), nil, nil, options, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	before := map[series.Source]map[uint64]labels.Labels{}
	for _, r := range list {
		appender := db.Appender(t.Context())
		for source, body := range map[series.Source][]byte{series.Resource: r.resource, series.Cadvisor: r.cadvisor} {
			before[source] = scrape(t, appender, source, body, r.at, before[source])
		}
		if err := appender.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	return &theirs{
		engine: promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, LookbackDelta: maxAge, Parser: parser.NewParser(parser.Options{})}),
		db:     db,
	}
}

// scrape appends an answer as Prometheus does with kube-prometheus' settings:
// labels of the target, honoured labels and times, and a stale marker for what the
// answer before had.
func scrape(t *testing.T, appender promstorage.Appender, source series.Source, body []byte, at int64, before map[uint64]labels.Labels) (seen map[uint64]labels.Labels) {
	t.Helper()
	p, err := textparse.New(body, "text/plain; version=0.0.4", labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		t.Fatal(err)
	}
	target := series.TargetLabels(node, "", source)
	seen = map[uint64]labels.Labels{}
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if entry != textparse.EntrySeries {
			continue
		}
		_, given, value := p.Series()
		var l labels.Labels
		p.Labels(&l)
		b := labels.NewBuilder(l.WithoutEmpty())
		for _, label := range target {
			if !l.Has(label.Name) {
				b.Set(label.Name, label.Value)
			}
		}
		l = b.Labels()
		when := at
		if given != nil {
			when = *given
		}
		seen[l.Hash()] = l
		if _, err := appender.Append(0, l, when, value); err != nil && !errors.Is(err, promstorage.ErrOutOfOrderSample) && !errors.Is(err, promstorage.ErrDuplicateSampleForTimestamp) {
			t.Fatal(err)
		}
	}
	for hash, l := range before {
		if _, ok := seen[hash]; !ok {
			if _, err := appender.Append(0, l, at, series.StaleMarker()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return seen
}

// TestAgree evaluates expressions over both, for each namespace, at several
// moments.
func TestAgree(t *testing.T) {
	list := recordings(t)
	var compiled []*rules.Compiled
	for _, expr := range expressions() {
		text := strings.NewReplacer("{%s,", "{", "{%s}", "").Replace(expr)
		c, err := rules.Compile(rules.Rule{Name: "m", Attach: rules.Attach{External: true}, Namespaces: []string{"*"}, Expr: text})
		if err != nil {
			t.Fatal(err)
		}
		compiled = append(compiled, c)
	}
	compared := 0
	for n := 2; n <= len(list); n++ {
		o, p := newOurs(t, list[:n], compiled), newTheirs(t, list[:n])
		for i, expr := range expressions() {
			for namespace := range o.namespaces {
				compared += compare(t, o, p, compiled[i], expr, namespace, list[n-1].at)
			}
		}
	}
	if compared < 1000 {
		t.Errorf("only %d values were compared", compared)
	}
	t.Logf("%d values agree", compared)
}

// compare returns how many values were compared.
func compare(t *testing.T, o *ours, p *theirs, c *rules.Compiled, expr, namespace string, at int64) int {
	t.Helper()
	result := o.evaluator.Evaluate(t.Context(), c, namespace, storage.Millis(at), 0)
	if result.Err != nil {
		t.Fatalf("%s: %v", expr, result.Err)
	}
	// Names that are in both documents are read in one here.
	enforced := strings.ReplaceAll(expr, "%s", fmt.Sprintf("namespace=%q", namespace))
	for _, name := range []string{"container_memory_working_set_bytes", "container_cpu_usage_seconds_total", "container_start_time_seconds"} {
		enforced = strings.ReplaceAll(enforced, name+"{", name+`{metrics_path="/metrics/resource",`)
	}
	query, err := p.engine.NewInstantQuery(t.Context(), p.db, nil, enforced, time.UnixMilli(at))
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	vector, err := query.Exec(t.Context()).Vector()
	if err != nil {
		t.Fatalf("%s: %v", enforced, err)
	}
	want := map[string]float64{}
	for _, sample := range vector {
		want[withoutEnforced(sample.Metric, expr)] = sample.F
	}
	got := map[string]float64{}
	for _, e := range result.Elements {
		got[withoutEnforced(e.Labels, expr)] = e.Value
	}
	if len(got) != len(want) {
		t.Errorf("%s in %s: %d values, want %d\n%v\n%v", expr, namespace, len(got), len(want), got, want)
	}
	for key, value := range want {
		if v, ok := got[key]; !ok || math.Abs(v-value) > 1e-12*math.Abs(value) && math.Float64bits(v) != math.Float64bits(value) {
			t.Errorf("%s in %s: %s is %v, want %v", expr, namespace, key, v, value)
		}
	}
	return len(want)
}

// withoutEnforced is labels as text, for absent() without those that only the other
// side's expression says.
func withoutEnforced(l labels.Labels, expr string) string {
	if strings.HasPrefix(expr, "absent(") {
		l = labels.NewBuilder(l).Del("namespace", "metrics_path").Labels()
	}
	return l.String()
}

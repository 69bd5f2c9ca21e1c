// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/component-base/metrics"

	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/configfile"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// configuredRig is what a configuration is applied to, with one node that answers
// with what a kubelet once said.
type configuredRig struct {
	*configured
	registry metrics.KubeRegistry
	streams  [series.Sources]*kubelet.SeriesStream
	attached [series.Sources][]series.Receiver
	decoder  *kubelet.SeriesDecoder
	bodies   [series.Sources][]byte
}

func configurationText(rest string) string {
	return "apiVersion: " + configfile.APIVersion + "\nkind: " + configfile.Kind + "\n" + rest
}

func newConfiguredRig(t *testing.T, text string) *configuredRig {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(configurationText(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	o := newOptions()
	o.customMetrics.enabled, o.customMetrics.config = true, file
	rig := &configuredRig{registry: metrics.NewKubeRegistry(), decoder: kubelet.NewSeriesDecoder(kubelet.Options{})}
	nothing := func() {}
	rules, err := newRuleMetrics(o, objects.NewNodes(nil), objects.NewPods(), time.Minute, func(string) string { return "" }, nothing)
	if err != nil {
		t.Fatal(err)
	}
	if rig.configured, err = newConfigured(o, nil, rules, rig.registry, func(string) string { return "" }, nothing); err != nil {
		t.Fatal(err)
	}
	for source, name := range []string{series.Resource: "metrics-resource.txt", series.Cadvisor: "metrics-cadvisor.txt.gz"} {
		rig.bodies[source] = recordedAnswer(t, name)
	}
	return rig
}

// recordedAnswer is a kubelet's, without its times.
func recordedAnswer(t *testing.T, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("..", "..", "pkg", "scraper", "kubelet", "testdata", "scrape-1", name))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		plain, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if body, err = io.ReadAll(plain); err != nil {
			t.Fatal(err)
		}
	}
	return regexp.MustCompile(`(?m) \d{13}$`).ReplaceAll(body, nil)
}

// answer has the node answer at a time, as the scraper does it.
func (r *configuredRig) answer(t *testing.T, at storage.Millis) {
	t.Helper()
	for source, body := range r.bodies {
		source := series.Source(source)
		if body == nil {
			continue
		}
		if r.streams[source] == nil {
			r.streams[source] = r.decoder.Stream("node-1", source)
			r.attached[source] = make([]series.Receiver, len(r.consumers()))
		}
		for i, consumer := range r.consumers() {
			receiver := &r.attached[source][i]
			switch wanted := consumer.Sources().Has(source); {
			case wanted && *receiver == nil:
				*receiver = consumer.Receiver("node-1", source)
				r.streams[source].Attach(*receiver)
			case !wanted && *receiver != nil:
				if err := r.streams[source].Detach(*receiver, at); err != nil {
					t.Error(err)
				}
				*receiver = nil
			}
		}
		if _, err := r.streams[source].Decode(kubelet.SeriesAnswer{Body: body, Sent: at, Received: at}); err != nil {
			t.Error(err)
		}
		if _, err := r.streams[source].Broken(); err != nil {
			t.Error(err)
		}
	}
}

// samples is how many samples of a name rules can see in a time.
func (r *configuredRig) samples(name string, from, to storage.Millis) int {
	n := 0
	r.rules.samples.Select("", name, nil, from, to, func(p series.Points) bool {
		n += len(p.Times)
		return true
	})
	return n
}

const receiveRule = "- {name: receive, attach: {resource: pods}, expr: 'sum by (namespace, pod) (rate(container_network_receive_bytes_total[2m]))'}\n"

func mustApply(t *testing.T, c *configured, text string) (refused []error) {
	t.Helper()
	config, err := configfile.Parse("config.yaml", []byte(configurationText(text)))
	if err != nil {
		t.Fatal(err)
	}
	refused, err = c.apply(config)
	if err != nil {
		t.Fatal(err)
	}
	return refused
}

// TestConfigured holds what each section does, and that a rule that is new looks
// back over what was there before it.
func TestConfigured(t *testing.T) {
	rig := newConfiguredRig(t, "")
	if rig.rules.recent.Sources() != 0 || rig.rules.history.Sources() != 0 {
		t.Error("something is asked for without anything configured")
	}
	mustApply(t, rig.configured, "history: {maxBytes: 33Mi, sources: [cadvisor]}\n")
	now := storage.MillisOf(time.Now())
	for k := range 60 {
		rig.answer(t, now+storage.Millis(k-60)*15_000)
	}
	if rig.rules.history.Room() != 32<<20 || rig.rules.history.Sources() != series.SourceSetOf(series.Cadvisor) {
		t.Errorf("history of %d bytes from %v", rig.rules.history.Room(), rig.rules.history.Sources())
	}
	refused := mustApply(t, rig.configured, "history: {maxBytes: 33Mi, sources: [cadvisor]}\nrules:\n"+receiveRule+
		"- name: broken\n  attach: {resource: pods}\n  expr: sum(\n- name: far\n  attach: {external: true}\n  namespaces: [shop]\n  expr: up\n")
	if got := fmt.Sprint(refused); len(refused) != 2 || !strings.Contains(got, "config.yaml:8: rule broken: expr:") ||
		!strings.Contains(got, "config.yaml:9: rule far: external metrics are served with --external-metrics only") {
		t.Errorf("refused: %s", got)
	}
	before := rig.samples("container_network_receive_bytes_total", now-900_000, now)
	if before == 0 || before%60 != 0 {
		t.Errorf("%d samples from before the rule", before)
	}
	rig.answer(t, now)
	if got := rig.samples("container_network_receive_bytes_total", now-900_000, now); got != before/60*61 {
		t.Errorf("%d samples after another answer, want %d", got, before/60*61)
	}
	families, err := rig.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"metrics_apiserver_history_reach_seconds", "metrics_apiserver_history_hits_total", "metrics_apiserver_recent_series", "metrics_apiserver_history_samples_total"} {
		found := false
		for _, family := range families {
			found = found || family.GetName() == name && family.GetMetric()[0].GetGauge().GetValue()+family.GetMetric()[0].GetCounter().GetValue() > 0
		}
		if !found {
			t.Errorf("%s is not there, or 0", name)
		}
	}

	for _, bad := range []string{"history: {maxBytes: 1Mi}\n", "remoteWrite: [{url: a}]\n"} {
		config, err := configfile.Parse("config.yaml", []byte(configurationText(bad)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rig.apply(config); err == nil || !strings.Contains(err.Error(), "config.yaml:3: ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if rig.rules.recent.Sources() != series.SourceSetOf(series.Cadvisor) {
		t.Error("what was refused took a rule away")
	}
	mustApply(t, rig.configured, "")
	if rig.rules.recent.Sources() != 0 || rig.rules.history.Sources() != 0 || rig.samples("container_network_receive_bytes_total", 0, now) != 0 {
		t.Error("something is left of an empty configuration")
	}
}

// TestReloadUnderLoad changes the configuration while answers come in and rules
// read.
func TestReloadUnderLoad(t *testing.T) {
	rig := newConfiguredRig(t, "rules:\n"+receiveRule)
	texts := []string{
		"rules:\n" + receiveRule,
		"history: {maxBytes: 32Mi}\nrules:\n" + receiveRule,
		"history: {maxBytes: 32Mi, sources: [cadvisor, resource]}\nrules:\n- {name: mem, attach: {resource: pods}, expr: 'sum by (namespace, pod) (container_memory_working_set_bytes)'}\n",
		"history: {maxBytes: 64Mi}\n",
	}
	stop := make(chan struct{})
	var load sync.WaitGroup
	now := storage.MillisOf(time.Now())
	running := func() bool {
		select {
		case <-stop:
			return false
		default:
			return true
		}
	}
	load.Go(func() {
		for k := storage.Millis(0); running(); k++ {
			rig.answer(t, now+k)
		}
	})
	load.Go(func() {
		for running() {
			rig.samples("container_network_receive_bytes_total", now-600_000, now+600_000)
			rig.rules.history.Stats()
		}
	})
	for i := range 60 {
		mustApply(t, rig.configured, texts[i%len(texts)])
	}
	close(stop)
	load.Wait()
	mustApply(t, rig.configured, texts[1])
	rig.answer(t, now+1_000_000)
	if rig.samples("container_network_receive_bytes_total", now+1_000_000, now+1_000_000) == 0 {
		t.Error("nothing is read after all changes")
	}
	if s := rig.rules.history.Stats(); s.Broken != 0 {
		t.Errorf("history: %+v", s)
	}
}

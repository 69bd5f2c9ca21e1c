// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sinks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/testutil"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

func nodes(t *testing.T, text string) []*yaml.Node {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	return document.Content[0].Content
}

func TestCheck(t *testing.T) {
	for text, want := range map[string]string{
		"- {url: 'http://a.example/w'}\n- {url: 'http://a.example/w'}":                                            "",
		"- {url: 'http://a.example/w', name: x}\n- {url: 'http://b.example/w', name: x}":                          "2: the remoteWrite block of line 1 is also named \"x\"",
		"- {url: 'http://a.example/w', queue_directory: /q}\n- {url: 'http://b.example/w', queue_directory: /q/}": "2: the remoteWrite block of line 1 also has queue_directory",
		"- {url: 'http://a.example/w', ulr: a}":                                                                   "1: a remoteWrite block has no key",
	} {
		refused := ""
		_, ok := Check(nodes(t, text), func(line int, format string, args ...any) {
			refused += fmt.Sprintf("%d: "+format, append([]any{line}, args...)...)
		})
		if ok != (want == "") || !strings.HasPrefix(refused, want) || want == "" && refused != "" {
			t.Errorf("%s: %v %q, want %q", text, ok, refused, want)
		}
	}
}

// TestSet ships a sample with two sinks, of which one's receiver refuses it, and
// looks at what they say of themselves.
func TestSet(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Header.Get("User-Agent"), "us/1") && r.URL.Path == "/good" {
			w.Header().Set("X-Prometheus-Remote-Write-Samples-Written", "3")
			return
		}
		w.WriteHeader(http.StatusForbidden)
	}))
	defer server.Close()
	set := NewSet(Options{Slots: 3, UserAgent: "us/1"})
	if err := set.Apply(nodes(t, fmt.Sprintf("- {url: '%[1]s/good', name: good, sources: [resource, cadvisor]}\n- {url: '%[1]s/bad', name: bad, sources: [cadvisor]}", server.URL)), nil); err != nil {
		t.Fatal(err)
	}
	consumers := set.Consumers()
	if len(consumers) != 3 || consumers[2].Sources() != 0 || consumers[1].Sources() != series.SourceSetOf(series.Resource)|series.SourceSetOf(series.Cadvisor) {
		t.Errorf("%d consumers, of which the second wants %v", len(consumers), consumers[1].Sources())
	}
	for _, consumer := range consumers {
		r := consumer.Receiver("n1", series.Cadvisor)
		r.(series.Chooser).Generation()
		h := r.Open(series.Labels{{Name: "__name__", Value: "a"}}, &series.Metadata{})
		r.Commit(&series.Batch{Sent: 1000, Received: 1000, Handles: []series.Handle{h}, Times: []storage.Millis{1000}, Values: []float64{1}}, nil)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := set.Run(ctx); err != nil {
		t.Fatal(err)
	}

	answer := httptest.NewRecorder()
	set.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	var states []readable
	if err := json.Unmarshal(answer.Body.Bytes(), &states); err != nil {
		t.Fatal(err)
	}
	if len(states) != 2 || states[0].SentSamples != 3 || states[0].WaitingSamples != 0 || states[0].Protocol != "2.0" || states[1].Dropped["rejected"] != 3 {
		t.Errorf("states are %s", answer.Body)
	}
	registry := metrics.NewKubeRegistry()
	registry.CustomMustRegister(NewMetrics(set))
	want := `# HELP metrics_apiserver_remote_write_sent_samples_total [ALPHA] Number of samples that the receiver has taken.
# TYPE metrics_apiserver_remote_write_sent_samples_total counter
metrics_apiserver_remote_write_sent_samples_total{sink="bad"} 0
metrics_apiserver_remote_write_sent_samples_total{sink="good"} 3
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "metrics_apiserver_remote_write_sent_samples_total"); err != nil {
		t.Error(err)
	}
}

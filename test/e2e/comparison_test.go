// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
	"sigs.k8s.io/yaml"
)

// comparedRule is a rule that a Prometheus is asked for, too.
type comparedRule struct {
	name, expr string
	external   bool
	// inputs is the expression of its twin.
	inputs string

	// agreed is how often both had the same samples and said the same, and
	// furthest how far they were apart at most, in parts of the value.
	agreed   int
	furthest float64
}

// comparedRules are those of the configuration that have a twin.
func comparedRules(t *testing.T) []*comparedRule {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "rules", "config", "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Rules []struct {
			Name, Expr string
			Attach     struct{ External bool }
		}
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	expressions := map[string]string{}
	for _, r := range config.Rules {
		expressions[r.Name] = r.Expr
	}
	var compared []*comparedRule
	for _, r := range config.Rules {
		if inputs, ok := expressions[r.Name+"_inputs"]; ok {
			compared = append(compared, &comparedRule{name: r.Name, expr: r.Expr, external: r.Attach.External, inputs: inputs})
		}
	}
	return compared
}

// What is compared is that of one namespace, in which all pods have one prefix.
const (
	comparedNamespace = "prometheus"
	comparedPrefix    = "compared-"
)

// enoughAgreed is how often each rule has to agree.
const enoughAgreed = 8

// unlimited is a client that asks as often as it is told to.
func unlimited(t *testing.T, s *realSite) kubernetes.Interface {
	t.Helper()
	config, err := s.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	config = rest.CopyConfig(config)
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// comparison asks both.
type comparison struct {
	prometheus *prometheus
	rules      []*comparedRule
	client     kubernetes.Interface
}

// run compares until each rule has agreed often enough.
func (c *comparison) run(t *testing.T) {
	t.Helper()
	const limit = 4 * time.Minute
	deadline := time.After(limit)
	var last error
	before := make([]*inputs, len(c.rules))
	values := make([]*pair, len(c.rules))
	for {
		lacking := false
		for i, r := range c.rules {
			after, err := c.inputsOf(t, r)
			if err != nil {
				last = fmt.Errorf("%s: %w", r.name, err)
			}
			if v := values[i]; v != nil && before[i].same() && after.same() && sameNumbers(before[i].ours, after.ours) {
				r.check(t, v)
			}
			before[i] = after
			lacking = lacking || r.agreed < enoughAgreed
		}
		if !lacking || t.Failed() {
			return
		}
		for i, r := range c.rules {
			var err error
			if values[i], err = c.valuesOf(t.Context(), r); err != nil {
				last = fmt.Errorf("%s: %w", r.name, err)
			}
		}
		select {
		case <-time.After(1100 * time.Millisecond): // A result of ours is kept for a second.
		case <-deadline:
			for _, r := range c.rules {
				t.Logf("%s agreed %d times", r.name, r.agreed)
			}
			t.Fatalf("not within %v; the last error: %v", limit, last)
		}
	}
}

// check holds a value that is made of the same samples on both sides.
func (r *comparedRule) check(t *testing.T, v *pair) {
	t.Helper()
	if len(v.ours) != len(v.before) || len(v.ours) == 0 {
		t.Errorf("%s: we say %v, Prometheus %v", r.name, v.ours, v.before)
		return
	}
	for object, ours := range v.ours {
		from, to := min(v.before[object], v.after[object]), max(v.before[object], v.after[object])
		slack := 0.001*max(math.Abs(from), math.Abs(to)) + 0.001
		if ours < from-slack || ours > to+slack {
			t.Errorf("%s of %s: we say %v, Prometheus %v before and %v after", r.name, object, ours, v.before[object], v.after[object])
		}
		if apart := max(from-ours, ours-to); apart > 0 {
			r.furthest = max(r.furthest, apart/max(math.Abs(ours), 0.001))
		}
	}
	r.agreed++
}

// pair is a rule's values by object.
type pair struct {
	ours          map[string]float64
	before, after map[string]float64
}

// valuesOf asks us, and Prometheus for what it says of the moments before and after.
func (c *comparison) valuesOf(ctx context.Context, r *comparedRule) (*pair, error) {
	begin := time.Now()
	ours, err := c.ours(ctx, r.name, r.external, objectOf)
	end := time.Now()
	if err != nil {
		return nil, err
	}
	before, err := c.theirs(ctx, r.expr, begin, objectOf)
	if err != nil {
		return nil, err
	}
	after, err := c.theirs(ctx, r.expr, end, objectOf)
	return &pair{ours: ours, before: before, after: after}, err
}

// inputs is of which samples a value is made, by series.
type inputs struct {
	ours, theirs map[string]float64
}

// The number of a twin: how many samples are in the window, and when the newest
// was, in seconds.
const inputsPerSample = 1e10

// same is whether both know the same samples, of each series at least three.
func (i *inputs) same() bool {
	if i == nil || len(i.ours) == 0 {
		return false
	}
	for _, number := range i.ours {
		if number < 3*inputsPerSample {
			return false
		}
	}
	return sameNumbers(i.ours, i.theirs)
}

// sameNumbers is whether two have the same numbers, to the millisecond.
func sameNumbers(a, b map[string]float64) bool {
	if len(a) != len(b) {
		return false
	}
	for key, value := range a {
		if other, ok := b[key]; !ok || math.Abs(value-other) > 0.002 {
			return false
		}
	}
	return true
}

// furthestBehind is how far we may be behind Prometheus: two scrapes, and what they
// take.
const furthestBehind = 25 * time.Second

// inputsOf asks both, and holds that we are not too far behind.
func (c *comparison) inputsOf(t *testing.T, r *comparedRule) (*inputs, error) {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	ours, err := c.ours(ctx, r.name+"_inputs", true, seriesOf)
	if err != nil {
		return nil, err
	}
	theirs, err := c.theirs(ctx, r.inputs, now, seriesOf)
	if err != nil {
		return nil, err
	}
	past, err := c.theirs(ctx, r.inputs, now.Add(-furthestBehind), seriesOf)
	if err != nil {
		return nil, err
	}
	for key, number := range ours {
		if newest, then := math.Mod(number, inputsPerSample), math.Mod(past[key], inputsPerSample); newest < then-0.002 {
			t.Errorf("%s of %s: our newest sample is of %.3f, that of Prometheus %v ago of %.3f", r.name, key, newest, furthestBehind, then)
		}
	}
	return &inputs{ours: ours, theirs: theirs}, nil
}

// objectOf names what a value is of: a pod, or the namespace; and nothing where that
// is not compared.
func objectOf(labels map[string]string) string {
	switch {
	case strings.HasPrefix(labels["pod"], comparedPrefix):
		return labels["pod"]
	case labels["pod"] == "" && labels["namespace"] == comparedNamespace:
		return comparedNamespace
	default:
		return ""
	}
}

// seriesOf names what a number of a twin is of: a pod, or one of its containers.
func seriesOf(labels map[string]string) string {
	if object := objectOf(labels); object != "" {
		return object + "/" + labels["container"]
	}
	return ""
}

// theirs is what Prometheus says at a moment, by what keyOf makes of labels.
func (c *comparison) theirs(ctx context.Context, expr string, at time.Time, keyOf func(map[string]string) string) (map[string]float64, error) {
	samples, err := c.prometheus.ask(ctx, expr, at)
	if err != nil {
		return nil, err
	}
	values := map[string]float64{}
	for _, sample := range samples {
		if key := keyOf(sample.labels); key != "" {
			values[key] = sample.value
		}
	}
	return values, nil
}

// ours is what we say now. That there is no value yet is an error.
func (c *comparison) ours(ctx context.Context, metric string, external bool, keyOf func(map[string]string) string) (map[string]float64, error) {
	path := customPath + "/namespaces/" + comparedNamespace + "/pods/*/" + metric
	if external {
		path = externalPath + "/namespaces/" + comparedNamespace + "/" + metric
	}
	raw, err := c.client.CoreV1().RESTClient().Get().AbsPath(path).DoRaw(ctx)
	if err != nil {
		return nil, errors.Join(err, errors.New(string(raw)))
	}
	values := map[string]float64{}
	if external {
		var list externalmetricsv1beta1.ExternalMetricValueList
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, err
		}
		for i := range list.Items {
			values[keyOf(list.Items[i].MetricLabels)] = float64(list.Items[i].Value.MilliValue()) / 1000
		}
		return values, nil
	}
	var list custommetricsv1beta2.MetricValueList
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	for i := range list.Items {
		values[list.Items[i].DescribedObject.Name] = float64(list.Items[i].Value.MilliValue()) / 1000
	}
	return values, nil
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"sigs.k8s.io/yaml"

	"github.com/metrics-apiserver/metrics-apiserver/hack/toolchain"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/catalogue"
)

// TestMetricsAreWritten holds the document against the tables that it is made
// of, without the minutes that `make verify` may take.
func TestMetricsAreWritten(t *testing.T) {
	root, err := toolchain.Root()
	if err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(filepath.Join(root, metricsPath))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(written, metrics()) {
		t.Errorf("%s is not up to date: run `make update`", metricsPath)
	}
}

// TestDocumentedHPAs decodes every HPA in the document strictly, and wants one
// for each metric that pods have.
func TestDocumentedHPAs(t *testing.T) {
	lacking := map[string]bool{}
	for _, section := range catalogue.Table() {
		for _, m := range section.Metrics {
			if m.Pods.Defined() {
				lacking[m.Name] = true
			}
		}
	}
	for i, fence := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(metrics(), -1) {
		var specs []autoscalingv2.MetricSpec
		if i == 0 {
			var hpa autoscalingv2.HorizontalPodAutoscaler
			if err := yaml.UnmarshalStrict(fence[1], &hpa); err != nil {
				t.Fatalf("%v:\n%s", err, fence[1])
			}
			specs = hpa.Spec.Metrics
		} else if err := yaml.UnmarshalStrict(fence[1], &specs); err != nil {
			t.Fatalf("%v:\n%s", err, fence[1])
		}
		for _, spec := range specs {
			if spec.Pods == nil {
				continue
			}
			if spec.Pods.Target.AverageValue.Sign() <= 0 {
				t.Errorf("%+v", spec.Pods)
			}
			delete(lacking, spec.Pods.Metric.Name)
		}
	}
	if len(lacking) > 0 {
		t.Errorf("no HPA is shown for %v", lacking)
	}
}

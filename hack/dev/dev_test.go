// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestRunRefusesNonsense(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string // part of the error
	}{
		{nil, "up|down|status|env"},
		{[]string{"start"}, "up|down|status|env"},
		{[]string{"up", "now"}, `unexpected argument "now"`},
		{[]string{"up", "--node=imaginary"}, `no nodes of kind "imaginary"`},
		{[]string{"down", "--kubernetes=1.37"}, "not defined"},
	} {
		err := run(t.Context(), io.Discard, c.args)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v lacks %q", c.args, err, c.want)
		}
	}
}

func TestNothingIsUp(t *testing.T) {
	home := filepath.Join(t.TempDir(), "state")
	t.Setenv("XDG_STATE_HOME", home)
	for name, command := range map[string]func(context.Context, io.Writer) error{"status": status, "env": printEnv} {
		if err := command(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), "nothing is up") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	var said strings.Builder
	if err := down(t.Context(), &said); err != nil || said.String() != "Nothing is up.\n" {
		t.Errorf("down says %q, error %v", said.String(), err)
	}
	if _, err := os.Stat(home); err == nil {
		t.Error("commands on nothing have made the state directory")
	}
}

func TestDirName(t *testing.T) {
	a, b := dirName("/one/metrics-apiserver"), dirName("/two/metrics-apiserver")
	if a == b {
		t.Error("two checkouts have one name")
	}
	if a != dirName("/one/metrics-apiserver") || !strings.HasPrefix(a, "metrics-apiserver-") {
		t.Errorf("name = %q", a)
	}
}

func TestRemoveState(t *testing.T) {
	home := t.TempDir()
	one, two := filepath.Join(home, "clusters", "one"), filepath.Join(home, "clusters", "two")
	for _, dir := range []string{one, two} {
		if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	release, err := lockState(t.Context(), io.Discard, one)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := removeState(one); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(home, "clusters", "*")); len(left) != 1 || left[0] != two {
		t.Errorf("left: %v", left)
	}
	if err := removeState(two); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(home, "*")); len(left) != 0 {
		t.Errorf("left after the last cluster: %v", left)
	}
}

func TestSelectKinds(t *testing.T) {
	manifest := "kind: Role\nmetadata:\n  name: a\n---\nkind: Service\n---\nkind: Role\nmetadata:\n  name: b\n"
	got, err := selectKinds([]byte(manifest), "Role", "ServiceAccount")
	if err != nil {
		t.Fatal(err)
	}
	if want := "kind: Role\nmetadata:\n  name: a\n---\nkind: Role\nmetadata:\n  name: b\n"; string(got) != want {
		t.Errorf("selected %q, want %q", got, want)
	}
	if _, err := selectKinds([]byte(manifest), "Deployment"); err == nil {
		t.Error("nothing was selected, and that is no error")
	}
}

func TestHasNumbers(t *testing.T) {
	zero := int32(0)
	unknown := autoscalingv2.MetricStatus{Resource: &autoscalingv2.ResourceMetricStatus{}}
	ofResource := autoscalingv2.MetricStatus{Resource: &autoscalingv2.ResourceMetricStatus{
		Current: autoscalingv2.MetricValueStatus{AverageUtilization: &zero},
	}}
	ofPods := autoscalingv2.MetricStatus{Pods: &autoscalingv2.PodsMetricStatus{
		Current: autoscalingv2.MetricValueStatus{AverageValue: &resource.Quantity{}},
	}}
	ofExternal := autoscalingv2.MetricStatus{External: &autoscalingv2.ExternalMetricStatus{
		Current: autoscalingv2.MetricValueStatus{AverageValue: &resource.Quantity{}},
	}}
	for _, c := range []struct {
		metrics int
		status  []autoscalingv2.MetricStatus
		want    bool
	}{
		{1, nil, false},
		{1, []autoscalingv2.MetricStatus{unknown}, false},
		{1, []autoscalingv2.MetricStatus{ofResource}, true},
		{1, []autoscalingv2.MetricStatus{ofPods}, true},
		{2, []autoscalingv2.MetricStatus{ofPods}, false},
		{1, []autoscalingv2.MetricStatus{ofExternal}, true},
		{2, []autoscalingv2.MetricStatus{ofPods, ofResource}, true},
		{2, []autoscalingv2.MetricStatus{ofPods, unknown}, false},
		{2, []autoscalingv2.MetricStatus{ofPods, {}}, false},
	} {
		hpa := &autoscalingv2.HorizontalPodAutoscaler{}
		hpa.Spec.Metrics = make([]autoscalingv2.MetricSpec, c.metrics)
		hpa.Status.CurrentMetrics = c.status
		if got := hasNumbers(hpa); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

func TestPortOf(t *testing.T) {
	if port, err := portOf("https://[::1]:4443/readyz"); err != nil || port != 4443 {
		t.Errorf("port = %d, %v", port, err)
	}
	if _, err := portOf("https://localhost/readyz"); err == nil {
		t.Error("no port is no error")
	}
}

// TestSink holds what is asked for against what was before, and that what is missing
// is said before anything starts.
func TestSink(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ asked, want string }{{"", noSink}, {noSink, noSink}, {"", noSink}} {
		if got, err := chooseSink(dir, c.asked); err != nil || got != c.want {
			t.Errorf("%q: %q, %v", c.asked, got, err)
		}
	}
	if err := checkSink("influxdb"); err == nil || !strings.Contains(err.Error(), `no sink "influxdb"`) {
		t.Errorf("an unknown sink: %v", err)
	}
	t.Setenv("PATH", dir)
	if err := checkSink(prometheusSink); err == nil || !strings.Contains(err.Error(), "apt-get install prometheus") {
		t.Errorf("without the program: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, prometheusSink), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := chooseSink(dir, prometheusSink); err != nil || got != prometheusSink || checkSink(got) != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := chooseSink(dir, ""); err != nil || got != prometheusSink {
		t.Errorf("afterwards: %q, %v", got, err)
	}
	if err := os.Remove(filepath.Join(dir, prometheusSink)); err != nil {
		t.Fatal(err)
	}
	if _, err := chooseSink(dir, ""); err == nil {
		t.Error("the program that is gone is not missed")
	}
}

func TestResultLines(t *testing.T) {
	got, err := resultLines([]byte(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"b":"2","a":"1"},"value":[1,"7"]},{"metric":{},"value":[1,"NaN"]}]}}`))
	if err != nil || !slices.Equal(got, []string{`{a="1", b="2"} 7`, `{} NaN`}) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := resultLines([]byte("<html>")); err == nil {
		t.Error("a page is a result")
	}
}

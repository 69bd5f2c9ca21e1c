// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kwok

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// decode returns what kube-apiserver would make of the fields.
func decode(t *testing.T, fields map[string]any) corev1.Node {
	t.Helper()
	b, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	var node corev1.Node
	if err := yaml.UnmarshalStrict(b, &node); err != nil {
		t.Fatal(err)
	}
	return node
}

func TestNodeLeadsToItsMetrics(t *testing.T) {
	n := Nodes(2)[1]
	n.Labels = map[string]string{"zone": "a"}
	object, status := decode(t, n.object()), decode(t, n.status("127.0.0.1", 12345)).Status
	if got, want := object.Annotations[PathAnnotation], "/metrics/nodes/node-2/metrics/resource"; got != want {
		t.Errorf("path = %q, want %q", got, want)
	}
	if object.Labels["zone"] != "a" || object.Labels["kubernetes.io/hostname"] != "node-2" {
		t.Errorf("labels = %v", object.Labels)
	}
	if got := status.DaemonEndpoints.KubeletEndpoint.Port; got != 12345 {
		t.Errorf("port = %d", got)
	}
	if a := status.Addresses; len(a) != 2 || a[0].Type != corev1.NodeInternalIP || a[0].Address != "127.0.0.1" {
		t.Errorf("addresses = %v", a)
	}
	if got := status.Capacity.Cpu().String(); got != "8" {
		t.Errorf("CPUs = %s", got)
	}
}

func TestBehaviourIsWhatAKubeletServes(t *testing.T) {
	for document := range bytes.SplitSeq(behaviour, []byte("\n---\n")) {
		var metric struct {
			Kind string
			Spec struct {
				Path    string
				Metrics []struct {
					Name, Dimension string
					Labels          []struct{ Name string }
				}
			}
		}
		if err := yaml.Unmarshal(document, &metric); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if metric.Kind != "Metric" {
			continue
		}
		// The path that [Node] puts into its annotation.
		if got, want := metric.Spec.Path, "/metrics/nodes/{nodeName}/metrics/resource"; got != want {
			t.Errorf("path = %q, want %q", got, want)
		}
		labels := map[string]string{}
		for _, m := range metric.Spec.Metrics {
			var names []string
			for _, l := range m.Labels {
				names = append(names, l.Name)
			}
			labels[m.Name] = strings.Join(names, ",")
		}
		for name, want := range map[string]string{
			"node_cpu_usage_seconds_total":       "",
			"node_memory_working_set_bytes":      "",
			"container_cpu_usage_seconds_total":  "container,namespace,pod",
			"container_memory_working_set_bytes": "container,namespace,pod",
			"container_start_time_seconds":       "container,namespace,pod",
			"pod_cpu_usage_seconds_total":        "namespace,pod",
			"pod_memory_working_set_bytes":       "namespace,pod",
		} {
			if got, ok := labels[name]; !ok || got != want {
				t.Errorf("labels of %s = %q (there: %t), want %q", name, got, ok, want)
			}
		}
		return
	}
	t.Error("there is no Metric")
}

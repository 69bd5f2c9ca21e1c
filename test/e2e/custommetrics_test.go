// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
)

// customPath is where the preferred version of custom metrics is.
const customPath = "/apis/custom.metrics.k8s.io/v1beta2"

// TestCustomMetrics has a real control plane ask for custom metrics of fake
// kubelets, on each supported Kubernetes version.
func TestCustomMetrics(t *testing.T) {
	inLane(t, simulatedLane)
	for _, minor := range cluster.Minors {
		t.Run(minor, func(t *testing.T) {
			t.Parallel()
			s := prepareSite(t, minor, 2, "--custom-metrics", "--external-metrics", "--config="+writeConfig(t, contractConfig))
			s.grant("hack", "manifests", "testdata", "custom-metrics")
			s.startServer()
			s.createWorkload("shop", "web", 3, "50m", "64Mi", "0")
			s.createWorkload("shop", "db", 1, "50m", "64Mi", "0")
			s.waitForPods(t, 4)
			documented(t, s.Cluster, installDocument, "## Custom metrics") // Nobody serves them yet.
			s.registerCustomMetrics(t)
			s.registerExternalMetrics(t)
			for _, part := range []struct {
				name string
				run  func(*testing.T, *site)
			}{
				{"another server is not displaced", testCustomOwner},
				{"asked for by hand", testCustomRaw},
				{"official clients", testOfficialClients},
				{"contract", testContract},
				{"discovery", testContractDiscovery},
				{"who may read", testCustomAuthorization},
				{"who may read totals and external metrics", testContractAuthorization},
				{"HPA", testCustomHPA},
				{"HPA without a value", testCustomReason},
			} {
				t.Run(part.name, func(t *testing.T) {
					s.t = t
					part.run(t, s)
				})
			}
		})
	}
}

// registerCustomMetrics puts the server behind the aggregation layer for custom
// metrics, too, and registerExternalMetrics for external ones.
func (s *site) registerCustomMetrics(t *testing.T) {
	t.Helper()
	s.register(
		t,
		cluster.GroupVersion{Group: "custom.metrics.k8s.io", Version: "v1beta2", Priority: 110},
		cluster.GroupVersion{Group: "custom.metrics.k8s.io", Version: "v1beta1", Priority: 100},
	)
}

func (s *site) registerExternalMetrics(t *testing.T) {
	t.Helper()
	s.register(t, cluster.GroupVersion{Group: "external.metrics.k8s.io", Version: "v1beta1", Priority: 100})
}

// writeConfig writes a configuration file and returns its path.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// customValues asks for a metric, below customPath, and returns the values in
// thousandths by the names of the objects.
func customValues(ctx context.Context, c *cluster.Cluster, path string) (map[string]int64, error) {
	out, err := c.Kubectl(ctx, "get", "--raw", customPath+path)
	if err != nil {
		return nil, err
	}
	var list custommetricsv1beta2.MetricValueList
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		return nil, fmt.Errorf("decode %s: %w", out, err)
	}
	values := map[string]int64{}
	for i := range list.Items {
		item := &list.Items[i]
		if age := time.Since(item.Timestamp.Time); age > 2*time.Minute || age < -2*time.Second {
			return nil, fmt.Errorf("a value of %v ago: %+v", age, item)
		}
		values[item.DescribedObject.Name] = item.Value.MilliValue()
	}
	return values, nil
}

// testCustomOwner: what the document says to run before anything is registered
// fails now, and changes nothing.
func testCustomOwner(t *testing.T, s *site) {
	before, err := s.Kubectl(t.Context(), "get", "apiservices", "-o", "name")
	if err != nil {
		t.Fatal(err)
	}
	manifest := filepath.Join(repository(t), "manifests", "components", "custom-metrics", "apiservices.yaml")
	if out, err := s.Kubectl(t.Context(), "create", "--dry-run=server", "-f", manifest); err == nil || !strings.Contains(err.Error(), "AlreadyExists") {
		t.Errorf("nothing was there: %v\n%s", err, out)
	}
	if after, err := s.Kubectl(t.Context(), "get", "apiservices", "-o", "name"); err != nil || after != before {
		t.Errorf("%s, was %s, %v", after, before, err)
	}
}

// testCustomRaw asks for metrics of each source and each kind of object. Those
// from /metrics/cadvisor and the summary begin to be collected by that.
func testCustomRaw(t *testing.T, s *site) {
	for _, c := range []struct {
		path    string
		objects int
		milli   int64 // about
	}{
		{"/namespaces/shop/pods/*/threads?labelSelector=app%3Dweb", 3, 2 * kubelettest.ThreadsPerContainer * 1000},
		{"/namespaces/shop/pods/*/memory_rss_bytes", 4, 2 * 32 << 20 * 1000},
		{"/namespaces/shop/pods/%2A/network_receive_bytes_per_second", 4, kubelettest.BytesPerSecond * 1000},
		{"/namespaces/shop/pods/*/network_receive_packets_per_second", 4, kubelettest.BytesPerSecond / 100 * 1000},
		{"/namespaces/shop/pods/*/cpu_usage_request_ratio", 4, 500},
		{"/namespaces/shop/pods/*/container_restarts", 4, 0},
		{"/namespaces/shop/metrics/threads", 1, 8 * kubelettest.ThreadsPerContainer * 1000},
		{"/nodes/*/cpu_usage_cores", 2, 500},
	} {
		eventually(t, time.Minute, c.path, func(ctx context.Context) error {
			values, err := customValues(ctx, s.Cluster, c.path)
			if err != nil {
				return err
			}
			if len(values) != c.objects {
				return fmt.Errorf("%d objects have values: %v", len(values), values)
			}
			for name, got := range values {
				// A rate of a summary, whose times are whole seconds.
				if err := within(name, got, c.milli, c.milli/8); err != nil {
					return err
				}
			}
			return nil
		})
	}
	// Within seconds of the first question of all there is an answer, if only why
	// there is none yet.
	start := time.Now()
	_, err := customValues(t.Context(), s.Cluster, "/namespaces/shop/pods/*/oom_kills_per_second")
	if took := time.Since(start); err == nil || !strings.Contains(err.Error(), "no value of metric oom_kills_per_second in namespace shop: 4 running pods") || took > 10*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
	_, err = customValues(t.Context(), s.Cluster, "/namespaces/shop/pods/*/network_receive_bytes")
	if err == nil || !strings.Contains(err.Error(), "did you mean network_receive_bytes_per_second?") {
		t.Error(err)
	}
}

// testCustomAuthorization: custom metrics are granted by metric.
func testCustomAuthorization(t *testing.T, s *site) {
	role := `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {namespace: shop, name: reader}
rules: [{apiGroups: [custom.metrics.k8s.io], resources: [pods/threads], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: shop, name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: reader}]
`
	if err := s.Apply(t.Context(), []byte(role)); err != nil {
		t.Fatal(err)
	}
	as := func(user, path string) error {
		_, err := s.Kubectl(t.Context(), "get", "--as="+user, "--raw", customPath+path)
		return err
	}
	eventually(t, 30*time.Second, "who may read a metric reads it", func(context.Context) error { return as("reader", "/namespaces/shop/pods/*/threads") })
	for _, path := range []string{"/namespaces/shop/pods/*/memory_rss_bytes", "/namespaces/other/pods/*/threads", "/namespaces/shop/metrics/threads", "/nodes/*/threads"} {
		if err := as("reader", path); err == nil || !strings.Contains(err.Error(), "Forbidden") {
			t.Errorf("%s: %v, want forbidden", path, err)
		}
	}
	if err := as("nobody", "/namespaces/shop/pods/*/threads"); err == nil || !strings.Contains(err.Error(), "Forbidden") {
		t.Errorf("a user without rights: %v, want forbidden", err)
	}
}

// podsHPA is an HPA of a Deployment of its own name on a metric of its pods.
func podsHPA(namespace, name, metric, target string) []byte {
	return fmt.Appendf(nil, `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {namespace: %[1]s, name: %[2]s}
spec:
  minReplicas: 1
  maxReplicas: 3
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: %[2]s}
  metrics: [{type: Pods, pods: {metric: {name: %[3]s}, target: {type: AverageValue, averageValue: %[4]q}}}]
`, namespace, name, metric, target)
}

// desired is a check that an HPA, from its metric, wants so many replicas.
func desired(client kubernetes.Interface, namespace, name string, want int32) func(context.Context) error {
	return func(ctx context.Context) error {
		h, err := client.AutoscalingV2().HorizontalPodAutoscalers(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if len(h.Status.CurrentMetrics) == 0 || h.Status.DesiredReplicas != want {
			return fmt.Errorf("%d replicas are desired, want %d; metrics %+v, conditions %+v", h.Status.DesiredReplicas, want, h.Status.CurrentMetrics, h.Status.Conditions)
		}
		return nil
	}
}

// testCustomHPA lets the real controller scale on a gauge up and down, and up on
// a rate.
func testCustomHPA(t *testing.T, s *site) {
	s.createWorkload("scaled", "gauge", 1, "10m", "150Mi", "0")
	s.createWorkload("scaled", "rate", 1, "10m", "10Mi", "0")
	manifest := slices.Concat(
		podsHPA("scaled", "gauge", "memory_rss_bytes", "100Mi"), []byte("---"),
		podsHPA("scaled", "rate", "network_receive_packets_per_second", "150"),
	)
	if err := s.Apply(t.Context(), manifest); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Minute, "scaled up on memory_rss_bytes", desired(s.client, "scaled", "gauge", 3))
	eventually(t, 2*time.Minute, "scaled up on network_receive_packets_per_second", desired(s.client, "scaled", "rate", 3))

	s.useMemory("scaled/gauge-", 1<<20)
	eventually(t, 3*time.Minute, "scaled down on memory_rss_bytes", desired(s.client, "scaled", "gauge", 1))
}

// testCustomReason: the HPA's condition has our words.
func testCustomReason(t *testing.T, s *site) {
	s.createWorkload("reason", "web", 1, "10m", "10Mi", "0")
	if err := s.Apply(t.Context(), podsHPA("reason", "web", "cpu_pressure_some_ratio", "100m")); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the HPA says why",
		s.hpaSays("reason", `no value of metric cpu_pressure_some_ratio in namespace reason: 1 running pod with selector "app=web"`, "the metric needs cgroup v2"))
}

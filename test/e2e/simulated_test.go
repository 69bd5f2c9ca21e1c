// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
)

// TestSimulated runs all that needs a real control plane, but no real
// containers, on each supported Kubernetes version. The parts share one control
// plane and run one after the other, the destructive ones last.
func TestSimulated(t *testing.T) {
	inLane(t, simulatedLane)
	for _, minor := range cluster.Minors {
		t.Run(minor, func(t *testing.T) {
			t.Parallel()
			s := startSite(t, minor, 3)
			s.createWorkload("default", "web", 4, "50m", "64Mi", "8Mi")
			s.createWorkload("default", "db", 1, "200m", "512Mi", "0")
			s.createWorkload("other", "web", 2, "10m", "16Mi", "0")
			s.waitForPods(t, 7)
			for _, part := range []struct {
				name string
				run  func(*testing.T, *site)
			}{
				{"kubectl top", testKubectlTop},
				{"typed clients", testTypedClients},
				{"raw", testRaw},
				{"who may read", testAuthorization},
				{"front proxy's CA", testFrontProxyCA},
				{"self", testSelf},
				{"HPA", testHPA},
				{"pod recreated", testPodRecreated},
				{"nodes come and go", testNodeChurn},
				{"server restart", testServerRestart},
				{"API server restart", testAPIServerRestart},
				{"namespace deletion while all kubelets are down", testNamespaceDeletion},
			} {
				t.Run(part.name, func(t *testing.T) {
					s.t = t
					part.run(t, s)
				})
			}
		})
	}
}

// createWorkload creates a Deployment whose simulated pods use that much each.
func (s *site) createWorkload(namespace, name string, replicas int, cpu, memory, swap string) {
	s.t.Helper()
	manifest := fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata: {name: %[1]s}
---
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: %[1]s, name: %[2]s}
spec:
  replicas: %[3]d
  selector: {matchLabels: {app: %[2]s}}
  template:
    metadata:
      labels: {app: %[2]s}
      annotations: {clustertest/cpu: %[4]s, clustertest/memory: %[5]s, clustertest/swap: "%[6]s"}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: main, image: none, resources: {requests: {cpu: 100m, memory: 100Mi}}}
      - {name: side, image: none, resources: {requests: {cpu: 100m, memory: 100Mi}}}
`, namespace, name, replicas, cpu, memory, swap)
	if err := s.Apply(s.t.Context(), []byte(manifest)); err != nil {
		s.t.Fatal(err)
	}
}

// podUsage is all pods' usage, by namespace/name.
func (s *site) podUsage(ctx context.Context) (map[string]metricsv1beta1.PodMetrics, error) {
	list, err := s.metrics.MetricsV1beta1().PodMetricses("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	usage := map[string]metricsv1beta1.PodMetrics{}
	for _, item := range list.Items {
		usage[item.Namespace+"/"+item.Name] = item
	}
	return usage, nil
}

// waitForPods waits until so many pods have usage, and all that run have.
func (s *site) waitForPods(t *testing.T, count int) {
	t.Helper()
	eventually(t, time.Minute, fmt.Sprintf("usage of %d pods", count), func(ctx context.Context) error {
		usage, err := s.podUsage(ctx)
		if err == nil && len(usage) != count {
			err = fmt.Errorf("%d pods have usage", len(usage))
		}
		return err
	})
}

func testKubectlTop(t *testing.T, s *site) {
	top := func(args ...string) []string {
		t.Helper()
		out, err := s.Kubectl(t.Context(), append([]string{"top"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("kubectl top %s\n%s", strings.Join(args, " "), out)
		var rows []string
		for row := range strings.Lines(out) {
			rows = append(rows, strings.Join(strings.Fields(row), " "))
		}
		return rows
	}
	// kubectl rounds up to the next thousandth of a core, so a sample time's
	// whole milliseconds show.
	count := func(rows []string, pattern string) (n int) {
		expression := regexp.MustCompile(pattern)
		for _, row := range rows {
			if expression.MatchString(row) {
				n++
			}
		}
		return n
	}
	expect := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d", what, got, want)
		}
	}

	rows := top("nodes", "--no-headers")
	expect("nodes", len(rows), 3)
	expect("nodes of 500m, 1 Gi", count(rows, "50[01]m 1% 1024Mi 0%"), 3)
	expect("nodes selected by label", len(top("nodes", "--no-headers", "-l", "kubernetes.io/hostname=node-1")), 1)
	expect("one node", len(top("node", "node-2", "--no-headers")), 1)

	rows = top("pods", "-A", "--no-headers")
	expect("pods", len(rows), 7)
	// Both containers use what the annotation says.
	expect("pods of default/web", count(rows, "default web-"), 4)
	expect("pods of 2 × 50m and 2 × 64 Mi", count(rows, "10[0-2]m 128Mi"), 4)
	expect("pods of 2 × 200m and 2 × 512 Mi", count(rows, "40[0-2]m 1024Mi"), 1)
	expect("pods selected by label", len(top("pods", "--no-headers", "-l", "app=web")), 4)
	expect("pods not selected by label", len(top("pods", "--no-headers", "-l", "app!=web")), 1)
	if s.Minor() == "1.36" {
		// Until 1.36, kubectl leaves the selecting to the server, which knows
		// the same two fields as metrics-server.
		expect("pods of a namespace, by field", len(top("pods", "-A", "--no-headers", "--field-selector=metadata.namespace=other")), 2)
	} else {
		expect("pods of a node, by field", len(top("pods", "-A", "--no-headers", "--field-selector=spec.nodeName=node-0")), len(s.nodes[0].Pods()))
	}
	expect("containers", len(top("pods", "-A", "--no-headers", "--containers")), 14)
	rows = top("pods", "--sum", "--no-headers", "-l", "app=web")
	expect("sum of default/web", count(rows, "^40[0-8]m 512Mi"), 1)
	rows = top("pods", "--show-swap", "--no-headers", "-l", "app=web")
	expect("pods of 2 × 8 Mi swap", count(rows, "10[0-2]m 128Mi 16Mi"), 4)
}

// testTypedClients reads both versions with the official clients, in JSON and
// in protobuf, and expects the same of all.
func testTypedClients(t *testing.T, s *site) {
	for _, contentType := range []string{"application/json", "application/vnd.kubernetes.protobuf"} {
		config := rest.CopyConfig(s.config)
		config.ContentType = contentType
		client, err := metricsclient.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		v1, err := client.MetricsV1().PodMetricses("default").List(t.Context(), metav1.ListOptions{LabelSelector: "app=db"})
		if err != nil {
			t.Fatal(contentType, err)
		}
		v1beta1, err := client.MetricsV1beta1().PodMetricses("default").List(t.Context(), metav1.ListOptions{LabelSelector: "app=db"})
		if err != nil {
			t.Fatal(contentType, err)
		}
		if len(v1.Items) != 1 || len(v1beta1.Items) != 1 {
			t.Fatalf("%s: %d and %d items, want 1", contentType, len(v1.Items), len(v1beta1.Items))
		}
		for _, usage := range []corev1.ResourceList{v1.Items[0].Containers[0].Usage, v1beta1.Items[0].Containers[1].Usage} {
			if cpu := usage.Cpu().MilliValue(); cpu < 199 || cpu > 201 {
				t.Errorf("%s: cpu is %dm, want 200m", contentType, cpu)
			}
			if memory := usage.Memory().String(); memory != "512Mi" {
				t.Errorf("%s: memory is %s, want 512Mi", contentType, memory)
			}
		}
		nodes, err := client.MetricsV1().NodeMetricses().List(t.Context(), metav1.ListOptions{})
		if err != nil || len(nodes.Items) != 3 {
			t.Errorf("%s: nodes: %d, %v", contentType, len(nodes.Items), err)
		}
		_, err = client.MetricsV1beta1().PodMetricses("default").Get(t.Context(), "no-such", metav1.GetOptions{})
		if !apierrors.IsNotFound(err) || err.Error() != `pods "no-such" not found` {
			t.Errorf("%s: a pod that does not exist: %v", contentType, err)
		}
	}
}

// testRaw looks at what only the bytes show.
func testRaw(t *testing.T, s *site) {
	raw := func(path string) string {
		t.Helper()
		out, err := s.Kubectl(t.Context(), "get", "--raw", path)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	var group metav1.APIGroup
	if err := json.Unmarshal([]byte(raw("/apis/metrics.k8s.io")), &group); err != nil {
		t.Fatal(err)
	}
	if group.PreferredVersion.Version != "v1" || len(group.Versions) != 2 {
		t.Errorf("the group prefers %s of %v, want v1 of two", group.PreferredVersion.Version, group.Versions)
	}
	table, err := s.Kubectl(t.Context(), "get", "pods.metrics.k8s.io", "-n", "default", "-l", "app=db")
	if err != nil || !slices.Equal(strings.Fields(strings.SplitN(table, "\n", 2)[0]), []string{"NAME", "CPU", "MEMORY", "SWAP", "WINDOW"}) {
		t.Errorf("kubectl get: %v\n%s", err, table)
	}
	if explained, err := s.Kubectl(t.Context(), "explain", "podmetrics.containers.usage", "--api-version=metrics.k8s.io/v1beta1"); err != nil || !strings.Contains(explained, "working set") {
		t.Errorf("kubectl explain: %v\n%s", err, explained)
	}
	if yaml, err := s.Kubectl(t.Context(), "get", "pods.v1beta1.metrics.k8s.io", "-n", "default", "-o", "yaml"); err != nil || !strings.Contains(yaml, "window:") {
		t.Errorf("kubectl get -o yaml: %v\n%s", err, yaml)
	}
	if _, err := s.Kubectl(t.Context(), "get", "--raw", "/apis/metrics.k8s.io/v1beta1/pods?watch=true"); err == nil || !strings.Contains(err.Error(), "MethodNotAllowed") {
		t.Errorf("watch: %v, want method not allowed", err)
	}
}

// testAuthorization holds that nobody reads without a right to.
func testAuthorization(t *testing.T, s *site) {
	as := func(args ...string) error {
		_, err := s.Kubectl(t.Context(), append([]string{"get", "pods.metrics.k8s.io", "-n", "default"}, args...)...)
		return err
	}
	if err := as("--as=nobody"); err == nil || !strings.Contains(err.Error(), "Forbidden") {
		t.Errorf("a user without rights: %v, want forbidden", err)
	}
	binding := `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: default, name: viewer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: viewer}]
`
	if err := s.Apply(t.Context(), []byte(binding)); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "a viewer of the namespace reads it", func(context.Context) error { return as("--as=viewer") })
	if err := as("--as=viewer", "-n", "other"); err == nil || !strings.Contains(err.Error(), "Forbidden") {
		t.Errorf("a viewer of another namespace: %v, want forbidden", err)
	}
}

// testHPA lets the real controller scale on memory, up and down, and on CPU.
func testHPA(t *testing.T, s *site) {
	s.createWorkload("scaled", "mem", 1, "10m", "150Mi", "0")
	s.createWorkload("scaled", "cpu", 1, "90m", "10Mi", "0")
	hpa := `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {namespace: scaled, name: %[1]s}
spec:
  minReplicas: 1
  maxReplicas: 3
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: %[1]s}
  metrics: [{type: Resource, resource: {name: %[2]s, target: {type: Utilization, averageUtilization: %[3]d}}}]
---
`
	manifest := fmt.Sprintf(hpa, "mem", "memory", 100) + fmt.Sprintf(hpa, "cpu", "cpu", 60)
	if err := s.Apply(t.Context(), []byte(manifest)); err != nil {
		t.Fatal(err)
	}
	replicas := func(name string, want int32) func(context.Context) error {
		return func(ctx context.Context) error {
			h, err := s.client.AutoscalingV2().HorizontalPodAutoscalers("scaled").Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if h.Status.DesiredReplicas != want {
				return fmt.Errorf("%d replicas are desired, want %d; current metrics %+v", h.Status.DesiredReplicas, want, h.Status.CurrentMetrics)
			}
			return nil
		}
	}
	eventually(t, 2*time.Minute, "scaled up on memory", replicas("mem", 3))
	eventually(t, 2*time.Minute, "scaled up on CPU", replicas("cpu", 3))

	// Now every pod uses next to nothing.
	s.useMemory("scaled/mem-", 1<<20)
	eventually(t, 3*time.Minute, "scaled down on memory", replicas("mem", 1))
	if _, err := s.Kubectl(t.Context(), "delete", "namespace", "scaled", "--timeout=60s"); err != nil {
		t.Error(err)
	}
}

// testPodRecreated deletes a pod and makes one of the same name: what the old
// one used is never served for the new one.
func testPodRecreated(t *testing.T, s *site) {
	pod := `
apiVersion: v1
kind: Pod
metadata: {namespace: default, name: same, annotations: {clustertest/cpu: %s, clustertest/memory: 10Mi}}
spec:
  nodeName: node-0
  terminationGracePeriodSeconds: 0
  containers: [{name: main, image: none}]
`
	create := func(cpu string) {
		t.Helper()
		if err := s.Apply(t.Context(), fmt.Appendf(nil, pod, cpu)); err != nil {
			t.Fatal(err)
		}
	}
	served := func(ctx context.Context, want int64) error {
		usage, err := s.metrics.MetricsV1beta1().PodMetricses("default").Get(ctx, "same", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if got := usage.Containers[0].Usage.Cpu().MilliValue(); got < want*98/100 || got > want*102/100 {
			return fmt.Errorf("cpu is %dm, want %dm", got, want)
		}
		return nil
	}
	create("700m")
	eventually(t, time.Minute, "usage of the pod", func(ctx context.Context) error { return served(ctx, 700) })
	if _, err := s.Kubectl(t.Context(), "delete", "pod", "same", "--timeout=30s"); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the deleted pod is gone", func(ctx context.Context) error { return isGone(served(ctx, 700)) })
	create("100m")
	eventually(t, time.Minute, "usage of the pod of the same name", func(ctx context.Context) error {
		err := served(ctx, 100)
		if err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("the usage of the old pod is served for the new one: %v", err)
		}
		return err
	})
	if _, err := s.Kubectl(t.Context(), "delete", "pod", "same", "--timeout=30s"); err != nil {
		t.Fatal(err)
	}
}

// isGone is nil where err is that something does not exist.
func isGone(err error) error {
	switch {
	case err == nil:
		return errors.New("it is served")
	case !apierrors.IsNotFound(err):
		return err
	}
	return nil
}

// testNodeChurn adds a node and deletes it.
func testNodeChurn(t *testing.T, s *site) {
	s.addNode("late")
	served := func(ctx context.Context) error {
		_, err := s.metrics.MetricsV1().NodeMetricses().Get(ctx, "late", metav1.GetOptions{})
		return err
	}
	eventually(t, 2*resolution+5*time.Second, "usage of the new node", served)
	if err := s.client.CoreV1().Nodes().Delete(t.Context(), "late", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the deleted node is gone", func(ctx context.Context) error {
		return isGone(served(ctx))
	})
	late := s.nodes[len(s.nodes)-1]
	s.setNodes(slices.Clone(s.nodes[:len(s.nodes)-1]))
	eventually(t, 10*time.Second, "its connection is closed", func(context.Context) error {
		if open, _ := late.Connections(); open != 0 {
			return fmt.Errorf("%d are open", open)
		}
		return nil
	})
	eventually(t, 10*time.Second, "its series are gone", func(context.Context) error { return s.noSeriesOf(t, "late") })
}

// testServerRestart kills our server and starts it again: it has complete
// answers before any node had time for a second refresh of its samples.
func testServerRestart(t *testing.T, s *site) {
	before, err := s.podUsage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.KillComponent(serverName); err != nil {
		t.Fatal(err)
	}
	scraped := s.nodes[0].Requests("/metrics/resource")
	if err := s.StartComponent(t.Context(), serverName); err != nil {
		t.Fatal(err)
	}
	s.waitForPods(t, len(before))
	if n := s.nodes[0].Requests("/metrics/resource") - scraped; n > 2 {
		t.Errorf("a complete answer took %d scrapes of a node", n)
	}
}

// testAPIServerRestart restarts kube-apiserver: our server goes on scraping,
// does not restart, and answers as soon as it is asked again.
func testAPIServerRestart(t *testing.T, s *site) {
	before, err := s.podUsage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pid := s.Pid(serverName)
	if err := s.KillComponent(cluster.APIServer); err != nil {
		t.Fatal(err)
	}
	scraped := s.nodes[0].Requests("/metrics/resource")
	eventually(t, 3*resolution, "scraped without an API server", func(context.Context) error {
		if n := s.nodes[0].Requests("/metrics/resource"); n < scraped+2 {
			return fmt.Errorf("%d scrapes", n-scraped)
		}
		return nil
	})
	// Nobody has to be asked who the administrator is and what he may.
	status, body := s.direct(t, s.config, "/apis/metrics.k8s.io/v1/pods")
	var served metav1.PartialObjectMetadataList
	if err := json.Unmarshal([]byte(body), &served); err != nil || status != http.StatusOK || len(served.Items) != len(before) {
		t.Errorf("without an API server: %d, %v, %d pods are served, want %d", status, err, len(served.Items), len(before))
	}
	if err := s.StartComponent(t.Context(), cluster.APIServer); err != nil {
		t.Fatal(err)
	}
	s.waitForPods(t, len(before))
	if s.Pid(serverName) != pid {
		t.Error("our server was restarted")
	}
}

// testNamespaceDeletion deletes a namespace while no kubelet answers: our
// APIServices stay available, or the deletion would never end.
func testNamespaceDeletion(t *testing.T, s *site) {
	for _, node := range s.nodes {
		node.Stop()
	}
	eventually(t, 2*time.Minute, "nothing is served any more", func(ctx context.Context) error {
		usage, err := s.podUsage(ctx)
		if err == nil && len(usage) > 0 {
			err = errors.New("usage is still served")
		}
		return err
	})
	// Or a Service would have no endpoint, and its APIs would be unavailable.
	if status, body := s.direct(t, rest.AnonymousClientConfig(s.config), "/readyz"); status != http.StatusOK {
		t.Errorf("/readyz while all kubelets are down: %d: %s", status, body)
	}
	if _, err := s.Kubectl(t.Context(), "create", "namespace", "doomed"); err != nil {
		t.Fatal(err)
	}
	// It takes about 5 s; if an API were unavailable it would take forever.
	if _, err := s.Kubectl(t.Context(), "delete", "namespace", "doomed", "--timeout=60s"); err != nil {
		state, _ := s.Kubectl(t.Context(), "get", "namespace", "doomed", "-o", "jsonpath={.status}")
		t.Errorf("delete a namespace while all kubelets are down: %v: %s", err, state)
	}
	for _, node := range s.nodes {
		node.Resume()
	}
	s.waitForPods(t, 7)
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster/realnode"
	"github.com/metrics-apiserver/metrics-apiserver/hack/image"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
)

// realSite is a control plane with one real node, and our image on it.
type realSite struct {
	*cluster.Cluster
	node    *realnode.Node
	client  kubernetes.Interface
	metrics metricsclient.Interface
}

// startRealSite starts a real node, or skips the test where there can be none.
func startRealSite(t *testing.T, name, minor string, extraArgs map[string][]string) *realSite {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a real node")
	}
	if err := realnode.Supported(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	node, err := realnode.Start(t.Context(), realnode.Options{
		Dir: filepath.Join(dir, "cluster"), Name: name, Minor: minor, Progress: t.Output(), ExtraArgs: extraArgs,
	})
	if errors.Is(err, realnode.ErrTaken) && os.Getenv("CI") == "" {
		t.Skip(err) // A person's own cluster; in CI it is a leftover, and an error.
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The test's own context is done by now.
		if err := node.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	s := &realSite{Cluster: node.Cluster(), node: node}
	archive := filepath.Join(dir, "product.tar")
	if err := (image.Builder{Progress: t.Output()}).WriteProduct(t.Context(), image.ProductReference, archive); err != nil {
		t.Fatal(err)
	}
	if err := node.ImportImage(t.Context(), archive); err != nil {
		t.Fatal(err)
	}
	config, err := s.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	if s.client, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	if s.metrics, err = metricsclient.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *realSite) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.Kubectl(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// apply applies a manifest into a namespace, which is made if it is not there.
func (s *realSite) apply(t *testing.T, namespace, manifest string) {
	t.Helper()
	manifest = fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata: {name: %s}\n---\n", namespace) + manifest
	if err := s.Apply(t.Context(), []byte(strings.ReplaceAll(manifest, "IMAGE", image.WorkloadReference)), "-n", namespace); err != nil {
		t.Fatal(err)
	}
}

// podUsage is the served usage of one pod.
func (s *realSite) podUsage(ctx context.Context, namespace, name string) (*metricsv1beta1.PodMetrics, error) {
	return s.metrics.MetricsV1beta1().PodMetricses(namespace).Get(ctx, name, metav1.GetOptions{})
}

// containers is the names of a pod's containers that have usage.
func containers(usage *metricsv1beta1.PodMetrics) []string {
	var names []string
	for _, c := range usage.Containers {
		names = append(names, c.Name)
	}
	return names
}

// within is whether got is at most tolerance from want.
func within(what string, got, want, tolerance int64) error {
	if got < want-tolerance || got > want+tolerance {
		return fmt.Errorf("%s is %d, want %d ± %d", what, got, want, tolerance)
	}
	return nil
}

// TestRealNode runs our server as users do, a pod from manifests/base on a real
// kubelet, on each supported Kubernetes version.
func TestRealNode(t *testing.T) {
	inLane(t, realLane)
	for _, minor := range cluster.Minors {
		t.Run(minor, func(t *testing.T) {
			s := startRealSite(t, "realnode", minor, map[string][]string{cluster.ControllerManager: {
				"--horizontal-pod-autoscaler-sync-period=2s",
				"--horizontal-pod-autoscaler-downscale-stabilization=5s",
				"--horizontal-pod-autoscaler-cpu-initialization-period=10s",
				"--horizontal-pod-autoscaler-initial-readiness-delay=1s",
				// Kubernetes takes pods out of their Services when their node
				// has been silent for a while. Ours is on the node whose
				// kubelet we stop, which must not count for us.
				"--node-monitor-grace-period=5m",
			}})
			s.kubectl(t, "apply", "-k", filepath.Join(repository(t), "manifests", "base"))
			s.kubectl(t, "-n", "kube-system", "rollout", "status", "deployment/metrics-server", "--timeout=2m")
			t.Cleanup(func() {
				if t.Failed() {
					logs, err := s.Kubectl(context.WithoutCancel(t.Context()), "-n", "kube-system", "logs", "deployment/metrics-server", "--tail=40")
					t.Logf("our server's log: %v\n%s", err, logs)
				}
			})
			// What only waits for samples waits side by side.
			t.Run("usage", func(t *testing.T) {
				for name, run := range map[string]func(*testing.T, *realSite){
					"burner and holder":  testBurnerAndHolder,
					"many containers":    testManyContainers,
					"crash loop":         testCrashLoop,
					"container restart":  testContainerRestart,
					"recreation":         testRecreation,
					"host network":       testHostNetwork,
					"selection":          func(t *testing.T, s *realSite) { testSelection(t, s, minor) },
					"HPA on CPU":         testRealHPACPU,
					"HPA on memory":      testRealHPAMemory,
					"kubectl top, again": testRealTop,
				} {
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						run(t, s)
					})
				}
			})
			t.Run("rolling update", func(t *testing.T) { testRollingUpdate(t, s) })
			t.Run("server restart", func(t *testing.T) { testRealServerRestart(t, s) })
			t.Run("API server restart", func(t *testing.T) { testRealAPIServerRestart(t, s) })
			t.Run("kubelet away", func(t *testing.T) { testKubeletAway(t, s) })
		})
	}
}

// testBurnerAndHolder holds values against what a program is known to use.
func testBurnerAndHolder(t *testing.T, s *realSite) {
	s.apply(t, "known", `
apiVersion: v1
kind: Pod
metadata: {name: burner}
spec: {containers: [{name: main, image: IMAGE, args: [-cpu=50m]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: holder}
spec: {containers: [{name: main, image: IMAGE, args: [-memory=50Mi]}]}
`)
	eventually(t, 90*time.Second, "CPU of a 50m burner", func(ctx context.Context) error {
		usage, err := s.podUsage(ctx, "known", "burner")
		if err != nil {
			return err
		}
		return within("cpu in m", usage.Containers[0].Usage.Cpu().MilliValue(), 50, 10)
	})
	eventually(t, 90*time.Second, "memory of a 50 MiB holder", func(ctx context.Context) error {
		usage, err := s.podUsage(ctx, "known", "holder")
		if err != nil {
			return err
		}
		return within("memory in MiB", usage.Containers[0].Usage.Memory().Value()>>20, 50, 5)
	})
}

// testManyContainers holds that an item has all that runs, and nothing else.
func testManyContainers(t *testing.T, s *realSite) {
	s.apply(t, "many", `
apiVersion: v1
kind: Pod
metadata: {name: layers}
spec:
  initContainers:
  - {name: init, image: IMAGE, args: [-exit-after=1s]}
  - {name: sidecar, image: IMAGE, restartPolicy: Always}
  containers:
  - {name: two, image: IMAGE, args: [-cpu=20m]}
  - {name: one, image: IMAGE, args: [-cpu=10m]}
`)
	want := []string{"one", "sidecar", "two"}
	eventually(t, 90*time.Second, "usage of two containers and a sidecar", func(ctx context.Context) error {
		usage, err := s.podUsage(ctx, "many", "layers")
		if err != nil {
			return err
		}
		if got := containers(usage); !slices.Equal(got, want) {
			t.Errorf("the first answer has %v, want %v", got, want)
		}
		return nil
	})
	s.witness(t, "many", "layers", want).watchFor(30 * time.Second)
}

// testCrashLoop holds that a container that crashes all the time never hides
// the one beside it.
func testCrashLoop(t *testing.T, s *realSite) {
	s.apply(t, "crash", `
apiVersion: v1
kind: Pod
metadata: {name: loop}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: good, image: IMAGE, args: [-cpu=10m]}
  - {name: bad, image: IMAGE, args: [-exit-after=4s, -exit-code=1]}
`)
	eventually(t, 2*time.Minute, "first answer of a crash-looping pod", func(ctx context.Context) error {
		_, err := s.podUsage(ctx, "crash", "loop")
		return err
	})
	s.witness(t, "crash", "loop", []string{"good"}).watchFor(75 * time.Second)
}

// testContainerRestart holds that a container's restart makes no gap and no
// nonsense.
func testContainerRestart(t *testing.T, s *realSite) {
	s.apply(t, "restart", `
apiVersion: v1
kind: Pod
metadata: {name: phoenix}
spec: {containers: [{name: main, image: IMAGE, args: [-cpu=50m, -exit-after=50s]}]}
`)
	eventually(t, 90*time.Second, "first answer", func(ctx context.Context) error {
		_, err := s.podUsage(ctx, "restart", "phoenix")
		return err
	})
	w := s.witness(t, "restart", "phoenix", []string{"main"})
	w.check = func(usage *metricsv1beta1.PodMetrics) error {
		return within("cpu in m", usage.Containers[0].Usage.Cpu().MilliValue(), 50, 25)
	}
	eventually(t, 2*time.Minute, "restarted", func(ctx context.Context) error {
		restarts, err := s.Kubectl(ctx, "-n", "restart", "get", "pod", "phoenix", "-o", "jsonpath={.status.containerStatuses[0].restartCount}")
		if err == nil && restarts == "0" {
			err = errors.New("not yet")
		}
		return err
	})
	w.watchFor(45 * time.Second)
	// It ends every 50 s, and a server that begins while a container waits to be
	// started again has nothing to say of it: what follows must not see that.
	s.kubectl(t, "-n", "restart", "delete", "pod", "phoenix", "--grace-period=1", "--timeout=60s")
	eventually(t, 10*time.Second, "the deleted pod is gone", func(ctx context.Context) error {
		_, err := s.podUsage(ctx, "restart", "phoenix")
		return isGone(err)
	})
}

// testRecreation holds that a pod never shows what one of the same name used.
func testRecreation(t *testing.T, s *realSite) {
	pod := `
apiVersion: v1
kind: Pod
metadata: {name: same}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: IMAGE, args: [-cpu=%s]}]
`
	served := func(want int64) func(context.Context) error {
		return func(ctx context.Context) error {
			usage, err := s.podUsage(ctx, "again", "same")
			if err != nil {
				return err
			}
			return within("cpu in m", usage.Containers[0].Usage.Cpu().MilliValue(), want, 30)
		}
	}
	s.apply(t, "again", fmt.Sprintf(pod, "150m"))
	eventually(t, 90*time.Second, "usage of the first pod", served(150))
	s.kubectl(t, "-n", "again", "delete", "pod", "same", "--timeout=60s")
	eventually(t, 10*time.Second, "the deleted pod is gone", func(ctx context.Context) error { return isGone(served(150)(ctx)) })
	s.apply(t, "again", fmt.Sprintf(pod, "10m"))
	eventually(t, 90*time.Second, "usage of the second pod", func(ctx context.Context) error {
		err := served(10)(ctx)
		if err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("the second pod shows another's usage: %v", err)
		}
		return err
	})
}

func testHostNetwork(t *testing.T, s *realSite) {
	s.apply(t, "host", `
apiVersion: v1
kind: Pod
metadata: {name: agent}
spec: {hostNetwork: true, containers: [{name: main, image: IMAGE, args: [-cpu=20m]}]}
`)
	eventually(t, 90*time.Second, "usage of a pod on the host's network", func(ctx context.Context) error {
		usage, err := s.podUsage(ctx, "host", "agent")
		if err != nil {
			return err
		}
		return within("cpu in m", usage.Containers[0].Usage.Cpu().MilliValue(), 20, 10)
	})
}

// testSelection: a real kubelet leaves out what our query does not name, from 1.37 on, and
// gives everything before.
func testSelection(t *testing.T, s *realSite, minor string) {
	nodes, err := s.client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(nodes.Items) != 1 {
		t.Fatalf("%d nodes, %v", len(nodes.Items), err)
	}
	node := &nodes.Items[0]
	request := s.client.CoreV1().RESTClient().Get().AbsPath("/api/v1/nodes", node.Name, "proxy/metrics/resource")
	query, err := url.ParseQuery(kubelet.ResourceQuery)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range query["name[]"] {
		request.Param("name[]", name)
	}
	body, err := request.DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(body, []byte("\ncontainer_cpu_usage_seconds_total{")) {
		t.Errorf("no containers in\n%s", body)
	}
	selects := scraper.TargetOf(node, scraper.NodeOptions{}).Selects
	if others := bytes.Contains(body, []byte("\npod_")); selects != (minor != "1.36") || others == selects {
		t.Errorf("a kubelet %s, of which we think that it selects: %v; families that were not named: %v", node.Status.NodeInfo.KubeletVersion, selects, others)
	}
}

// testRealTop reads with kubectl what other parts put there.
func testRealTop(t *testing.T, s *realSite) {
	eventually(t, 90*time.Second, "usage of our own pod", func(ctx context.Context) error {
		out, err := s.Kubectl(ctx, "top", "pods", "-n", "kube-system", "-l", "k8s-app=metrics-server", "--containers", "--sum", "--show-swap", "--no-headers")
		if err == nil && !strings.Contains(out, "metrics-server") {
			err = fmt.Errorf("printed %q", out)
		}
		if err == nil {
			t.Logf("kubectl top pods --containers --sum --show-swap\n%s", out)
		}
		return err
	})
	t.Logf("kubectl top nodes --show-swap\n%s", s.kubectl(t, "top", "nodes", "--show-swap"))
	table := s.kubectl(t, "get", "nodes.metrics.k8s.io")
	if !strings.Contains(table, s.node.Name()) {
		t.Errorf("kubectl get nodes.metrics.k8s.io: %s", table)
	}
}

// realHPA scales a Deployment whose pods take their load by HTTP.
const realHPA = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: scaled}
spec:
  selector: {matchLabels: {app: scaled}}
  template:
    metadata: {labels: {app: scaled}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: main, image: IMAGE, args: [-cpu=20m, -memory=20Mi, "-serve=:8080"], resources: {requests: {cpu: 100m, memory: 50Mi}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: scaled}
spec:
  minReplicas: 1
  maxReplicas: 3
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: scaled}
  metrics: [{type: Resource, resource: {name: %s, target: {type: Utilization, averageUtilization: 100}}}]
`

func testRealHPACPU(t *testing.T, s *realSite) {
	s.testScaling(t, "hpa-cpu", "cpu", "cpu=170m", "cpu=5m")
}

func testRealHPAMemory(t *testing.T, s *realSite) {
	s.testScaling(t, "hpa-memory", "memory", "memory=85Mi", "memory=5Mi")
}

// testScaling scales a Deployment on a resource by its load.
func (s *realSite) testScaling(t *testing.T, namespace, resource, high, low string) {
	s.apply(t, namespace, fmt.Sprintf(realHPA, resource))
	s.scaleByLoad(t, namespace, resource, high, low)
}

// scaleByLoad puts the load high on the first pod of the Deployment scaled, waits
// for a second one, puts it low again, and waits until the second has gone.
func (s *realSite) scaleByLoad(t *testing.T, namespace, metric, high, low string) {
	t.Helper()
	eventually(t, 2*time.Minute, "the HPA knows "+metric+" of one pod", desired(s.client, namespace, "scaled", 1))
	pods, err := s.client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(pods.Items) != 1 {
		t.Fatalf("%d pods, %v", len(pods.Items), err)
	}
	setLoad := func(load string) {
		t.Helper()
		if err := post(t.Context(), "http://"+pods.Items[0].Status.PodIP+":8080/load?"+load, nil); err != nil {
			t.Fatalf("set the load: %v", err)
		}
	}
	setLoad(high)
	eventually(t, 2*time.Minute, "scaled up on "+metric, desired(s.client, namespace, "scaled", 2))
	setLoad(low)
	eventually(t, 2*time.Minute, "scaled down on "+metric, desired(s.client, namespace, "scaled", 1))
}

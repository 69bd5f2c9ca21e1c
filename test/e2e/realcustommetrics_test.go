// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
)

// TestRealCustomMetrics turns custom metrics on as the manifests say, and rules,
// with a real kubelet below and the real HPA controller above, and off again.
func TestRealCustomMetrics(t *testing.T) {
	inLane(t, realLane)
	s := startRealSite(t, "custom-metrics", cluster.Minors[0], map[string][]string{cluster.ControllerManager: {
		"--horizontal-pod-autoscaler-sync-period=2s",
		"--horizontal-pod-autoscaler-downscale-stabilization=5s",
		"--horizontal-pod-autoscaler-cpu-initialization-period=10s",
		"--horizontal-pod-autoscaler-initial-readiness-delay=1s",
	}})
	rollout := func(kustomization ...string) {
		t.Helper()
		s.kubectl(t, "apply", "-k", filepath.Join(append([]string{repository(t)}, kustomization...)...))
		s.kubectl(t, "-n", "kube-system", "rollout", "status", "deployment/metrics-server", "--timeout=2m")
	}
	rollout("manifests", "base")
	t.Cleanup(func() {
		if t.Failed() {
			logs, err := s.Kubectl(context.WithoutCancel(t.Context()), "-n", "kube-system", "logs", "deployment/metrics-server", "--tail=40")
			t.Logf("our server's log: %v\n%s", err, logs)
		}
	})
	documented(t, s.Cluster, installDocument, "## Custom metrics")
	rollout("hack", "manifests", "testdata", "custom-metrics-server")
	rollout("hack", "manifests", "testdata", "custom-metrics")
	s.kubectl(t, "wait", "--for=condition=Available", "--timeout=1m", "apiservice/v1beta1.custom.metrics.k8s.io", "apiservice/v1beta2.custom.metrics.k8s.io")

	documented(t, s.Cluster, installDocument, "## Rules and external metrics")
	rollout("test", "e2e", "testdata", "rules")
	s.kubectl(t, "wait", "--for=condition=Available", "--timeout=1m", "apiservice/v1beta1.external.metrics.k8s.io")

	// What only waits for samples waits side by side.
	t.Run("metrics", func(t *testing.T) {
		for name, run := range map[string]func(*testing.T, *realSite){
			"HPA on network traffic":  testRealHPANetwork,
			"HPA on a ratio":          testRealHPARatio,
			"of a known workload":     testRealKnown,
			"of volumes and restarts": testRealVolumes,
			"as a real Prometheus":    testRealPrometheus,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				run(t, s)
			})
		}
	})
	s.kubectl(t, "delete", "apiservice", "v1beta1.external.metrics.k8s.io")
	documented(t, s.Cluster, installDocument, "### Without custom metrics again")
	if groups := s.kubectl(t, "get", "--raw", "/apis"); strings.Contains(groups, "custom.metrics.k8s.io") || strings.Contains(groups, "external.metrics.k8s.io") {
		t.Errorf("custom or external metrics are still there: %s", groups)
	}
}

// The load of testRealHPANetwork: what is sent to a pod in a second, and what
// each pod is to receive.
const (
	sentPerSecond = 300_000
	targetPerPod  = "200k"
)

// testRealHPANetwork sends a pod real traffic, waits for a second one, ends the
// traffic, and waits until the second has gone.
func testRealHPANetwork(t *testing.T, s *realSite) {
	const namespace = "hpa-network"
	s.apply(t, namespace, `
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
      - {name: main, image: IMAGE, args: ["-serve=:8080"]}
---`+string(podsHPA(namespace, "scaled", "network_receive_bytes_per_second", targetPerPod)))
	eventually(t, 2*time.Minute, "the HPA knows what an idle pod receives", desired(s.client, namespace, "scaled", 1))
	pods, err := s.client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(pods.Items) != 1 {
		t.Fatalf("%d pods, %v", len(pods.Items), err)
	}
	traffic := sendTraffic(t, "http://"+pods.Items[0].Status.PodIP+":8080/load", sentPerSecond)
	eventually(t, 2*time.Minute, "what is received is what is sent", func(ctx context.Context) error {
		values, err := customValues(ctx, s.Cluster, "/namespaces/"+namespace+"/pods/"+pods.Items[0].Name+"/network_receive_bytes_per_second")
		if err != nil {
			return err
		}
		// Headers of TCP and IP come on top.
		return within("bytes per second", values[pods.Items[0].Name]/1000, sentPerSecond*21/20, sentPerSecond/8)
	})
	eventually(t, 2*time.Minute, "scaled up on received bytes", desired(s.client, namespace, "scaled", 2))
	traffic.stop()
	t.Logf("%d bytes were sent", traffic.sent.Load())
	eventually(t, 2*time.Minute, "scaled down on received bytes", desired(s.client, namespace, "scaled", 1))
}

// traffic is bytes on their way to a pod until stop.
type traffic struct {
	cancel context.CancelFunc
	done   chan struct{}
	sent   atomic.Int64
}

// sendTraffic posts to a URL, in ten requests a second. What the pod does with
// them does not matter: it has received them.
func sendTraffic(t *testing.T, url string, perSecond int) *traffic {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &traffic{cancel: cancel, done: make(chan struct{})}
	t.Cleanup(r.stop)
	body := make([]byte, perSecond/10)
	go func() {
		defer close(r.done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			if err := post(ctx, url, body); err == nil {
				r.sent.Add(int64(len(body)))
			} else if ctx.Err() == nil {
				t.Log(err)
			}
		}
	}()
	return r
}

// post sends a body and reads the answer, so that the connection is kept.
func post(ctx context.Context, url string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("send to %s: %s", url, response.Status)
	}
	return nil
}

func (r *traffic) stop() {
	r.cancel()
	<-r.done
}

// testRealKnown holds metrics of each source against what a program is known to
// do, and the sum over its namespace against that.
func testRealKnown(t *testing.T, s *realSite) {
	s.apply(t, "known", `
apiVersion: v1
kind: Pod
metadata: {name: known}
spec:
  containers:
  - {name: burner, image: IMAGE, args: [-cpu=150m], resources: {limits: {cpu: 100m, memory: 100Mi}}}
  - {name: holder, image: IMAGE, args: [-memory=50Mi], resources: {limits: {cpu: 100m, memory: 100Mi}}}
`)
	for metric, c := range map[string]struct{ want, tolerance int64 }{
		"cpu_usage_cores":                {100, 25},           // the limit
		"cpu_usage_limit_ratio":          {500, 125},          // of both containers' together
		"memory_rss_bytes":               {56 << 20, 8 << 20}, // with the programs' own
		"memory_working_set_limit_ratio": {280, 50},           // 56 of 200 MiB
		"cpu_throttled_periods_ratio":    {900, 200},          // nearly always
		"processes":                      {2_500, 500},        // the kubelet may count the sandbox's
		"container_restarts":             {0, 0},
		"filesystem_used_bytes":          {128 << 10, 127 << 10},
		"ephemeral_storage_used_bytes":   {128 << 10, 127 << 10},
	} {
		unit := int64(1)
		if strings.HasSuffix(metric, "_bytes") {
			unit = 1000
		}
		for _, path := range []string{"/namespaces/known/pods/known/" + metric, "/namespaces/known/metrics/" + metric} {
			eventually(t, 2*time.Minute, path, func(ctx context.Context) error {
				values, err := customValues(ctx, s.Cluster, path)
				if err != nil {
					return err
				}
				return within(metric, values["known"]/unit, c.want, c.tolerance)
			})
		}
	}
	// Whatever this node has, it is data or an absence with its reason.
	for _, metric := range []string{"cpu_pressure_some_ratio", "filesystem_reads_per_second", "memory_cache_bytes", "threads", "network_transmit_packets_dropped_per_second"} {
		values, err := customValues(t.Context(), s.Cluster, "/nodes/*/"+metric)
		t.Logf("%s of nodes: %v %v", metric, values, err)
		if err != nil && !strings.Contains(err.Error(), "no value of metric "+metric) {
			t.Error(err)
		}
	}
}

// testRealVolumes holds what there is of a claim's volume and of a pod's own storage,
// and how often a container was started again, against what is known of them.
func testRealVolumes(t *testing.T, s *realSite) {
	const namespace = "known-volumes"
	folder := t.TempDir()
	var below syscall.Statfs_t
	if err := errors.Join(os.Chmod(folder, 0o755), syscall.Statfs(folder, &below)); err != nil {
		t.Fatal(err)
	}
	s.apply(t, namespace, fmt.Sprintf(`
apiVersion: v1
kind: PersistentVolume
metadata: {name: known-volume}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: ""
  persistentVolumeReclaimPolicy: Retain
  local: {path: %q}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/os, operator: In, values: [linux]}]}]}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: claim}
spec: {accessModes: [ReadWriteOnce], storageClassName: "", volumeName: known-volume, resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: holder}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: IMAGE, args: ["-serve=:8080"], volumeMounts: [{name: data, mountPath: /data}]}
  volumes: [{name: data, persistentVolumeClaim: {claimName: claim}}]
---
apiVersion: v1
kind: Pod
metadata: {name: writer}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: IMAGE, args: [-write=/data/file, -write-rate=2Mi, -write-size=8Mi], volumeMounts: [{name: data, mountPath: /data}]}
  volumes: [{name: data, emptyDir: {}}]
---
apiVersion: v1
kind: Pod
metadata: {name: crasher}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: IMAGE, args: [-exit-after=4s, -exit-code=1]}]
`, folder))
	capacity := int64(below.Blocks) * below.Bsize
	for _, c := range []struct {
		pod, metric                 string
		atLeast, want, atMost, unit int64
	}{
		{"holder", "volume_capacity_bytes", capacity, capacity, capacity, 1000},
		{"holder", "volume_used_bytes", 1, int64(below.Blocks-below.Bfree) * below.Bsize, capacity, 1000},
		{"holder", "volume_used_ratio", 1, int64(below.Blocks-below.Bfree) * 1000 / int64(below.Blocks), 1000, 1},
		{"holder", "volume_inodes", int64(below.Files), int64(below.Files), int64(below.Files), 1000},
		{"writer", "ephemeral_storage_used_bytes", 8 << 20, 8 << 20, 9 << 20, 1000},
		{"writer", "ephemeral_storage_inodes_used", 2, 10, 100, 1000},
		{"crasher", "container_restarts", 1, 2, 50, 1000},
	} {
		path := "/namespaces/" + namespace + "/pods/" + c.pod + "/" + c.metric
		// The kubelet looks at volumes once a minute.
		eventually(t, 3*time.Minute, path, func(ctx context.Context) error {
			values, err := customValues(ctx, s.Cluster, path)
			if err != nil {
				return err
			}
			got := values[c.pod] / c.unit
			if got < c.atLeast || got > c.atMost {
				return fmt.Errorf("%d, want about %d, from %d to %d", got, c.want, c.atLeast, c.atMost)
			}
			t.Logf("%s of %s: %d, about %d is known", c.metric, c.pod, got, c.want)
			return nil
		})
	}
	// The others have the machine for themselves.
	s.kubectl(t, "-n", namespace, "delete", "pods", "--all", "--wait=false")
}

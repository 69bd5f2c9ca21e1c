// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
)

// staleness is how old usage may be at the resolution of manifests/base.
const staleness = 60 * time.Second

// witness asks for a pod's usage over and over and reports every answer that
// lacks it, or is not what it should be, from its making to the end of
// watchFor.
type witness struct {
	t     *testing.T
	until chan struct{}
	done  sync.WaitGroup
	// check, if set before the first bad answer, looks at every answer.
	check func(usage *metricsv1beta1.PodMetrics) error
}

// witness begins to watch a pod that has been answered once; containers are
// those that every answer must have.
func (s *realSite) witness(t *testing.T, namespace, name string, containers []string) *witness {
	w := &witness{t: t, until: make(chan struct{})}
	w.done.Go(func() {
		for failures := 0; failures < 3; {
			select {
			case <-w.until:
				return
			case <-time.After(200 * time.Millisecond):
			}
			usage, err := s.podUsage(t.Context(), namespace, name)
			if err == nil {
				err = sound(usage, containers)
			}
			if err == nil && w.check != nil {
				err = w.check(usage)
			}
			if err != nil && t.Context().Err() == nil {
				failures++
				t.Errorf("%s/%s, once answered: %v", namespace, name, err)
			}
		}
	})
	return w
}

// watchFor ends the watch after d.
func (w *witness) watchFor(d time.Duration) {
	w.t.Helper()
	select {
	case <-w.t.Context().Done():
	case <-time.After(d):
	}
	close(w.until)
	w.done.Wait()
}

// sound is what must be true of every answer.
func sound(usage *metricsv1beta1.PodMetrics, needed []string) error {
	if age := time.Since(usage.Timestamp.Time); age > staleness+2*time.Second || age < -time.Second {
		return fmt.Errorf("its timestamp is %v old", age)
	}
	if usage.Window.Duration <= 0 || usage.Window.Duration > staleness {
		return fmt.Errorf("its window is %v", usage.Window.Duration)
	}
	names := containers(usage)
	for _, name := range needed {
		if !slices.Contains(names, name) {
			return fmt.Errorf("it has only %v, not %s", names, name)
		}
	}
	for _, c := range usage.Containers {
		cpu, memory := c.Usage.Cpu(), c.Usage.Memory()
		if cpu.Sign() < 0 || memory.Sign() <= 0 || cpu.MilliValue() > 4000 {
			return fmt.Errorf("container %s uses %v CPU and %v of memory", c.Name, cpu, memory)
		}
	}
	return nil
}

// neverMissing lists all pods over and over while during runs: no request may
// fail, and no pod that was there may be missing.
func (s *realSite) neverMissing(t *testing.T, during func()) {
	t.Helper()
	list := func(ctx context.Context) (map[string]bool, error) {
		items, err := s.metrics.MetricsV1beta1().PodMetricses("").List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		there := map[string]bool{}
		for _, item := range items.Items {
			// Our own pods come and go with a rollout.
			if !strings.HasPrefix(item.Name, "metrics-server-") {
				there[item.Namespace+"/"+item.Name] = true
			}
		}
		return there, nil
	}
	before, err := list(t.Context())
	if err != nil || len(before) == 0 {
		t.Fatalf("%d pods have usage, %v", len(before), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	requests, failures := 0, 0
	group.Go(func() {
		for ctx.Err() == nil && failures < 5 {
			there, err := list(ctx)
			if ctx.Err() != nil {
				return
			}
			requests++
			if err != nil {
				failures++
				t.Errorf("request %d: %v", requests, err)
				continue
			}
			for pod := range before {
				if !there[pod] {
					failures++
					t.Errorf("request %d lacks %s", requests, pod)
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	during()
	cancel()
	group.Wait()
	t.Logf("%d requests, %d failures, %d pods", requests, failures, len(before))
}

// testRollingUpdate holds that clients notice nothing of a rollout.
func testRollingUpdate(t *testing.T, s *realSite) {
	s.neverMissing(t, func() {
		for range 2 {
			s.kubectl(t, "-n", "kube-system", "rollout", "restart", "deployment/metrics-server")
			s.kubectl(t, "-n", "kube-system", "rollout", "status", "deployment/metrics-server", "--timeout=2m")
			s.kubectl(t, "-n", "kube-system", "wait", "pods", "-l", "k8s-app=metrics-server", "--for=condition=Ready", "--timeout=1m")
		}
	})
}

// testRealServerRestart kills our pod: its successor's first list is complete.
func testRealServerRestart(t *testing.T, s *realSite) {
	before, err := s.metrics.MetricsV1beta1().PodMetricses("known").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.kubectl(t, "-n", "kube-system", "delete", "pods", "-l", "k8s-app=metrics-server", "--grace-period=1")
	eventually(t, time.Minute, "the next server answers", func(ctx context.Context) error {
		after, err := s.metrics.MetricsV1beta1().PodMetricses("known").List(ctx, metav1.ListOptions{})
		if err == nil && len(after.Items) != len(before.Items) {
			t.Errorf("an answer has %d pods, want %d", len(after.Items), len(before.Items))
		}
		return err
	})
}

// testRealAPIServerRestart holds that our server outlives the API server.
func testRealAPIServerRestart(t *testing.T, s *realSite) {
	restarts := func() string {
		return s.kubectl(t, "-n", "kube-system", "get", "pods", "-l", "k8s-app=metrics-server", "-o", "jsonpath={.items[*].metadata.name} {.items[*].status.containerStatuses[*].restartCount}")
	}
	before := restarts()
	if err := s.RestartComponent(t.Context(), cluster.APIServer); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "usage after the API server's restart", func(ctx context.Context) error {
		_, err := s.podUsage(ctx, "known", "burner")
		return err
	})
	if after := restarts(); after != before {
		t.Errorf("our pod was %s and is %s", before, after)
	}
}

// testKubeletAway stops the kubelet for a minute. What was read is served to
// its bound, then nothing is; a namespace can be deleted all the same; and what
// the node says is served again soon after it is back.
func testKubeletAway(t *testing.T, s *realSite) {
	last, err := s.podUsage(t.Context(), "known", "burner")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.node.StopKubelet(t.Context()); err != nil {
		t.Fatal(err)
	}
	stopped := time.Now()
	eventually(t, staleness+30*time.Second, "nothing stale is served", func(ctx context.Context) error {
		usage, err := s.podUsage(ctx, "known", "burner")
		if err != nil {
			return isGone(err)
		}
		if err := sound(usage, []string{"main"}); err != nil {
			t.Error(err)
		}
		last = usage
		return fmt.Errorf("it is, and %v old", time.Since(last.Timestamp.Time))
	})
	if age := time.Since(last.Timestamp.Time); age < staleness-3*time.Second {
		t.Errorf("what was read was served until it was %v old, want %v", age, staleness)
	}
	s.kubectl(t, "create", "namespace", "doomed")
	s.kubectl(t, "delete", "namespace", "doomed", "--timeout=60s")
	if away := time.Minute - time.Since(stopped); away > 0 {
		time.Sleep(away)
	}
	if err := s.node.StartKubelet(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "usage after the kubelet is back", func(ctx context.Context) error {
		usage, err := s.podUsage(ctx, "known", "burner")
		if err != nil {
			return err
		}
		return sound(usage, []string{"main"})
	})
}

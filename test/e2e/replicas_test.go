// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned"

	"github.com/metrics-apiserver/metrics-apiserver/hack/chaos/rig"
	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
)

// TestReplicas has two servers behind one Service: the one that kube-apiserver is
// connected to is killed, and later its successor hangs without ending. Each time
// the other answers, and every answer is complete.
//
// kube-apiserver takes a connection for dead that said nothing for 30 s, and nothing
// for 15 s after it was asked, which client-go reads from the environment of its
// process: this test has no time for that.
func TestReplicas(t *testing.T) {
	inLane(t, simulatedLane)
	site := rig.Start(t, "HTTP2_READ_IDLE_TIMEOUT_SECONDS=2", "HTTP2_PING_TIMEOUT_SECONDS=1")
	config, err := site.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	client, err := metricsclient.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	const nodes, pods = 3, 4
	w := site.World(t, "replicas")
	w.AddNodes(t, nodes, pods)
	balancer := rig.NewBalancer(t)
	first := w.Serve(t)
	// kube-apiserver's connection goes to the first, as it is alone.
	balancer.Add(first)
	api := cluster.GroupVersion{Group: "metrics.k8s.io", Version: "v1beta1", Priority: 100}
	if err := site.Register(t.Context(), cluster.External{Namespace: "kube-system", Name: "metrics-replicas", Port: balancer.Port, APIs: []cluster.GroupVersion{api}}); err != nil {
		t.Fatal(err)
	}
	if err := site.WaitForAPIs(t.Context(), api); err != nil {
		t.Fatal(err)
	}
	lacks := func(ctx context.Context) (int, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		list, err := client.MetricsV1beta1().PodMetricses(w.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return 0, err
		}
		return nodes*pods - len(list.Items), nil
	}
	eventually(t, time.Minute, "usage of all pods", func(ctx context.Context) error {
		n, err := lacks(ctx)
		if err == nil && n != 0 {
			err = fmt.Errorf("%d pods are missing", n)
		}
		return err
	})
	second := w.Serve(t)
	balancer.Add(second)

	answered := func(what string, timeout time.Duration) {
		t.Helper()
		eventually(t, timeout, what, func(ctx context.Context) error {
			n, err := lacks(ctx)
			if err == nil && n != 0 {
				t.Fatalf("%s: the answer lacks %d pods", what, n)
			}
			return err
		})
	}
	if err := site.KillComponent(first.Name); err != nil {
		t.Fatal(err)
	}
	answered("the second answers when the first is killed", 15*time.Second)
	balancer.Remove(first)

	third := w.Serve(t)
	balancer.Add(third)
	pid := second.Pid()
	second.Hang(t)
	// Without its probe of the connection, kube-apiserver waits on.
	answered("the third answers when the second hangs", 25*time.Second)
	second.Continue(t)
	eventually(t, 2*resolution, "the second goes on, and is complete", func(ctx context.Context) error {
		served, err := second.Pods(ctx)
		if err == nil && len(served) != nodes*pods {
			err = fmt.Errorf("%d of %d pods", len(served), nodes*pods)
		}
		return err
	})
	if second.Pid() != pid {
		t.Errorf("the second is process %d, and was %d", second.Pid(), pid)
	}
}

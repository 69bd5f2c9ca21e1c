// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned"

	"github.com/metrics-apiserver/metrics-apiserver/hack/chaos/rig"
	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
)

// rollingAPI is registered for the replicas of F9 and F21, and
// frozenAPI for the server of F20: an HPA asks v1beta1.
func rollingAPI() cluster.GroupVersion {
	return cluster.GroupVersion{Group: "metrics.k8s.io", Version: "v1", Priority: 110}
}

func frozenAPI() cluster.GroupVersion {
	return cluster.GroupVersion{Group: "metrics.k8s.io", Version: "v1beta1", Priority: 100}
}

// register puts what listens on a port behind the aggregation layer.
func (x *trial) register(name string, port int, api cluster.GroupVersion) {
	x.Helper()
	if err := x.site.Register(x.Context(), cluster.External{Namespace: "kube-system", Name: name, Port: port, APIs: []cluster.GroupVersion{api}}); err != nil {
		x.Fatal(err)
	}
	if err := x.site.WaitForAPIs(x.Context(), api); err != nil {
		x.Fatal(err)
	}
	x.Cleanup(func() {
		_, _ = x.site.Kubectl(context.WithoutCancel(x.Context()), "delete", "apiservice", api.Version+"."+api.Group)
	})
}

// tryRollingUpdates is F21, and F9: namespaces are deleted all the time, also
// while, at the end, all kubelets are down.
func tryRollingUpdates(x *trial) {
	rolls := x.times(20)
	w := x.world(20, 4)
	balancer := rig.NewBalancer(x)
	const flag = "--shutdown-delay-duration=5s" // As in manifests/base.
	servers := []*rig.Server{w.Serve(x, flag), w.Serve(x, flag)}
	for _, s := range servers {
		balancer.Add(s)
	}
	x.register("metrics-rolling", balancer.Port, rollingAPI())
	x.wait(30 * time.Second)

	load := &load{x: x, truth: truthOf(w.Nodes()...), namespace: w.Namespace}
	spaces := &namespaces{x: x}
	ctx, stop := context.WithCancel(x.Context())
	var group sync.WaitGroup
	group.Go(func() { load.run(ctx, 200) })
	group.Go(func() { spaces.churn(ctx) })
	group.Go(func() { spaces.watch(ctx, rollingAPI()) })
	for range rolls {
		for i, old := range servers {
			// A Deployment's rolling update: the new one first.
			servers[i] = w.Serve(x, flag)
			balancer.Add(servers[i])
			if err := old.Stop(x.Context()); err != nil {
				x.Error(err)
			}
			balancer.Remove(old)
		}
	}
	injected := fmt.Sprintf("%d rolling updates of 2 replicas under 200 requests a second", rolls)
	load.mu.Lock()
	x.none("F21", injected, "requests that failed", &load.failures, load.requests)
	x.none("F21", injected, "pods missing in an answer", &load.missing, load.requests)
	load.mu.Unlock()

	for _, node := range w.Nodes() {
		node.SetFault(kubelettest.Fault{Hang: true})
	}
	x.wait(x.lasting(2 * time.Minute))
	stop()
	group.Wait()
	injected = fmt.Sprintf("a namespace a second, through %d rolling updates, then all kubelets down for %v", rolls, x.lasting(2*time.Minute))
	x.none("F9", injected, "looks at which the APIService was not available", &spaces.unavailable, spaces.looks)
	x.none("F9", injected, "namespaces that could not be made or deleted", &spaces.failures, len(spaces.took))
	x.figure("F9", injected, fmt.Sprintf("the slowest of %d deletions (p50 %v)", len(spaces.took), quantile(spaces.took, 0.5).Round(100*time.Millisecond)),
		quantile(spaces.took, 1).Round(100*time.Millisecond), 10*time.Second, len(spaces.took) > 0 && quantile(spaces.took, 1) <= 10*time.Second)
}

// load asks for pods' usage through the aggregation layer.
type load struct {
	x         *trial
	truth     *truth
	namespace string

	mu                sync.Mutex
	requests          int
	failures, missing findings
}

// run asks that often a second until ctx ends.
func (l *load) run(ctx context.Context, perSecond int) {
	config, err := l.x.site.RESTConfig()
	if err != nil {
		l.x.Error(err)
		return
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := metricsclient.NewForConfig(config)
	if err != nil {
		l.x.Error(err)
		return
	}
	var group sync.WaitGroup
	defer group.Wait()
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		group.Go(func() {
			list, err := client.MetricsV1().PodMetricses(l.namespace).List(ctx, metav1.ListOptions{})
			if ctx.Err() == nil {
				l.note(list, err)
			}
		})
	}
}

func (l *load) note(list *metricsv1.PodMetricsList, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	if l.failures.err(err) {
		return
	}
	there := map[string]bool{}
	for i := range list.Items {
		there[list.Items[i].Name] = true
	}
	for name := range l.truth.pods {
		if !there[name] {
			l.missing.add("%s, %d of %d were there, at %s", name, len(there), len(l.truth.pods), time.Now().Format(time.TimeOnly))
		}
	}
}

// namespaces come and go, and an APIService stays.
type namespaces struct {
	x *trial

	mu          sync.Mutex
	took        []time.Duration
	failures    findings
	looks       int
	unavailable findings
}

// churn makes and deletes a namespace a second until ctx ends; those that were
// begun by then are waited for.
func (n *namespaces) churn(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		group.Go(func() {
			took, err := n.one(context.WithoutCancel(ctx), fmt.Sprintf("chaos-f9-doomed-%d", i))
			n.mu.Lock()
			defer n.mu.Unlock()
			if !n.failures.err(err) {
				n.took = append(n.took, took)
			}
		})
	}
}

// one makes a namespace, deletes it, and says how long that took.
func (n *namespaces) one(ctx context.Context, name string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	all := n.x.site.Client.CoreV1().Namespaces()
	if _, err := all.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		return 0, err
	}
	begun := time.Now()
	if err := all.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return 0, err
	}
	for {
		if _, err := all.Get(ctx, name, metav1.GetOptions{}); err != nil {
			if ctx.Err() != nil {
				return 0, fmt.Errorf("namespace %s is not gone after a minute", name)
			}
			return time.Since(begun), nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// watch looks five times a second whether the APIService is available.
func (n *namespaces) watch(ctx context.Context, api cluster.GroupVersion) {
	config, err := n.x.site.RESTConfig()
	if err != nil {
		n.x.Error(err)
		return
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		n.x.Error(err)
		return
	}
	services := client.Resource(schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"})
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		service, err := services.Get(ctx, api.Version+"."+api.Group, metav1.GetOptions{})
		if ctx.Err() != nil {
			return
		}
		n.mu.Lock()
		n.looks++
		if !n.unavailable.err(err) {
			conditions, _, _ := unstructured.NestedSlice(service.Object, "status", "conditions")
			for _, c := range conditions {
				if c, ok := c.(map[string]any); ok && c["type"] == "Available" && c["status"] != "True" {
					n.unavailable.add("%v: %v", c["reason"], c["message"])
				}
			}
		}
		n.mu.Unlock()
	}
}

// ok is whether an answer is one, with what it has.
func ok(status int, err error) error {
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	return err
}

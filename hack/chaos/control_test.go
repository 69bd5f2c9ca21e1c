// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/metrics-apiserver/metrics-apiserver/hack/chaos/rig"
	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster/clustertest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
)

// tryNewCertificate is F12.
func tryNewCertificate(x *trial) {
	const injected = "the serving certificate's files are replaced under 20 new connections a second"
	w := x.world(3, 2)
	dir := x.TempDir()
	issue := func() {
		cert, key, err := x.site.CA().Server("metrics-server", "127.0.0.1")
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "tls.key"), key, 0o600)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "tls.crt"), cert, 0o600)
		}
		if err != nil {
			x.Fatal(err)
		}
	}
	issue()
	server := w.Serve(x, "--tls-cert-file="+filepath.Join(dir, "tls.crt"), "--tls-private-key-file="+filepath.Join(dir, "tls.key"))
	failed, requests := &findings{}, 0
	path := "/apis/metrics.k8s.io/v1/namespaces/" + w.Namespace + "/pods"
	// ask asks on a connection of its own, and says whose certificate it met.
	client := server.As(x, rig.Reader)
	ask := func(ctx context.Context) string {
		requests++
		dialer := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}}
		conn, err := dialer.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", server.Port))
		if failed.err(err) {
			return ""
		}
		defer conn.Close()
		client.CloseIdleConnections()
		status, body, err := server.GetAs(ctx, client, path)
		if err := ok(status, err); err != nil {
			failed.add("the %dth, at %s: %v: %s", requests, time.Now().Format(time.TimeOnly), err, body)
		}
		secured, is := conn.(*tls.Conn)
		if !is {
			return ""
		}
		return secured.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	old := ask(x.Context())
	for begun := time.Now(); time.Since(begun) < 10*time.Second; x.wait(50 * time.Millisecond) {
		ask(x.Context())
	}
	issue()
	swapped, after := time.Now(), time.Duration(0)
	for (after == 0 || time.Since(swapped) < after+20*time.Second) && time.Since(swapped) < 3*time.Minute && x.Context().Err() == nil {
		if serial := ask(x.Context()); after == 0 && serial != "" && serial != old {
			after = time.Since(swapped)
		}
		x.wait(50 * time.Millisecond)
	}
	x.figure("F12", injected, "the new one is served after", after.Round(time.Millisecond), 70*time.Second, after > 0 && after <= 70*time.Second)
	x.none("F12", injected, "requests that failed", failed, requests)
}

// tryNoAPIServer is F13.
func tryNoAPIServer(x *trial) {
	away := x.lasting(5 * time.Minute)
	injected := fmt.Sprintf("kube-apiserver is away for %v", away)
	w := x.world(50, 2)
	server := w.Serve(x)
	truth := truthOf(w.Nodes()...)
	truth.within = 0.01
	x.wait(45 * time.Second)
	pid := server.Pid()
	path := "/apis/metrics.k8s.io/v1/namespaces/" + w.Namespace + "/pods"
	status, _, err := server.GetAs(x.Context(), server.As(x, rig.Reader), path)
	if err := ok(status, err); err != nil {
		x.Fatalf("before: %v", err)
	}
	scrapes := func() (n int) {
		for _, node := range w.Nodes() {
			n += node.Requests("/metrics/resource")
		}
		return n
	}
	if err := x.site.StopComponent(x.Context(), cluster.APIServer); err != nil {
		x.Fatal(err)
	}
	before, begun := scrapes(), time.Now()
	live, looks := &findings{}, 0
	for time.Since(begun) < away && x.Context().Err() == nil {
		// An administrator is authorized without asking anybody.
		pods, err := server.Pods(x.Context())
		if !truth.missing.err(err) {
			truth.hold(pods, freshness)
		}
		status, _, err := server.Get(x.Context(), "/livez")
		live.err(ok(status, err))
		looks++
		x.wait(time.Second)
	}
	want := int(float64(len(w.Nodes())) * (time.Since(begun).Seconds()/resolution.Seconds() - 1))
	scraped := scrapes() - before
	if err := x.site.StartComponent(x.Context(), cluster.APIServer); err != nil {
		x.Fatal(err)
	}
	back, first := time.Now(), time.Duration(0)
	for client := server.As(x, rig.Reader); first == 0 && time.Since(back) < time.Minute && x.Context().Err() == nil; x.wait(50 * time.Millisecond) {
		if status, _, err := server.GetAs(x.Context(), client, path); ok(status, err) == nil {
			first = max(time.Since(back), time.Millisecond)
		}
	}
	x.figure("F13", injected, "scrapes meanwhile", scraped, fmt.Sprintf("at least %d", want), scraped >= want)
	x.none("F13", injected, "answers missing", &truth.missing, truth.answers)
	x.none("F13", injected, "answers older than "+freshness.String(), &truth.aged, truth.answers)
	x.none("F13", injected, "/livez not ok", live, looks)
	x.figure("F13", injected, "the same process", server.Pid() == pid, true, server.Pid() == pid)
	x.figure("F13", "kube-apiserver is ready again", "the first authorized 200 after", first.Round(10*time.Millisecond), 5*time.Second, first > 0 && first <= 5*time.Second)
}

// tryFrozenKubelets is F20.
func tryFrozenKubelets(x *trial) {
	injected := fmt.Sprintf("3 of 10 kubelets under an HPA do not answer for %v", x.lasting(10*time.Minute))
	w := x.world(10, 0)
	manifest := fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: %[1]s, name: web}
spec:
  replicas: 20
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {%[3]s: 50m, %[4]s: 64Mi}
    spec:
      nodeSelector: {chaos/world: %[2]s}
      tolerations: [{operator: Exists}]
      topologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}]
      terminationGracePeriodSeconds: 0
      containers: [{name: main, image: none, resources: {requests: {cpu: 100m, memory: 100Mi}}}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {namespace: %[1]s, name: web}
spec:
  minReplicas: 2
  maxReplicas: 60
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}
`, w.Namespace, w.Name, clustertest.CPUAnnotation, clustertest.MemoryAnnotation)
	if err := x.site.Apply(x.Context(), []byte(manifest)); err != nil {
		x.Fatal(err)
	}
	clustertest.Eventually(x, time.Minute, "20 pods run", func(context.Context) error {
		if n := w.RunningPods(); n != 20 {
			return fmt.Errorf("%d do", n)
		}
		return nil
	})
	server := w.Serve(x)
	x.register("metrics-frozen", server.Port, frozenAPI())
	hpas := x.site.Client.AutoscalingV2().HorizontalPodAutoscalers(w.Namespace)
	clustertest.Eventually(x, 2*time.Minute, "the HPA sees 50 %", func(ctx context.Context) error {
		hpa, err := hpas.Get(ctx, "web", metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, m := range hpa.Status.CurrentMetrics {
			if m.Resource != nil && m.Resource.Current.AverageUtilization != nil && *m.Resource.Current.AverageUtilization == 50 {
				return nil
			}
		}
		return fmt.Errorf("it sees %+v", hpa.Status.CurrentMetrics)
	})
	clustertest.Eventually(x, time.Minute, "all pods are served", func(ctx context.Context) error {
		pods, err := server.Pods(ctx)
		if err == nil && len(pods) != 20 {
			err = fmt.Errorf("%d are", len(pods))
		}
		return err
	})
	frozen := w.Nodes()[:3]
	for _, node := range frozen {
		node.SetFault(kubelettest.Fault{Hang: true})
	}
	lost := truthOf(frozen...)
	zero, changed, inactive := &findings{}, &findings{}, &findings{}
	answers, looks, fewest := 0, 0, 20
	x.every(time.Second, 10*time.Minute, func(ctx context.Context) {
		pods, err := server.Pods(ctx)
		if zero.err(err) {
			return
		}
		fewest = min(fewest, len(pods))
		for name, usage := range pods {
			answers++
			if cpu := usage.Containers[0].Usage.Cpu().MilliValue(); cpu < 49 || cpu > 51 {
				zero.add("%s: %d m", name, cpu)
			}
		}
		looks++
		hpa, err := hpas.Get(ctx, "web", metav1.GetOptions{})
		if changed.err(err) {
			return
		}
		if hpa.Status.DesiredReplicas != 20 || hpa.Status.CurrentReplicas != 20 {
			changed.add("%d of %d at %s", hpa.Status.DesiredReplicas, hpa.Status.CurrentReplicas, time.Now().Format(time.TimeOnly))
		}
		if i := slices.IndexFunc(hpa.Status.Conditions, func(c autoscalingv2.HorizontalPodAutoscalerCondition) bool {
			return c.Type == "ScalingActive" && c.Status != corev1.ConditionTrue
		}); i >= 0 {
			inactive.add("%s", hpa.Status.Conditions[i].Message)
		}
	})
	x.none("F20", injected, "looks at which the HPA wanted other than 20 replicas", changed, looks)
	x.none("F20", injected, "looks at which the HPA could not scale", inactive, looks)
	x.none("F20", injected, "answers other than 50 m, of zero among them", zero, answers)
	x.figure("F20", injected, "the fewest pods that were served, so the frozen were not", fewest, 20-len(lost.pods), fewest == 20-len(lost.pods) || *pace < 0.3)
}

// tryTwoReplicas is F23.
func tryTwoReplicas(x *trial) {
	const injected = "two replicas are asked in turn, 500 times, for 80 pods"
	w := x.world(20, 4)
	servers := []*rig.Server{w.Serve(x), w.Serve(x)}
	truth := truthOf(w.Nodes()...)
	truth.within = 0.01
	x.wait(45 * time.Second)
	apart, compared := &findings{}, 0
	last := map[string]time.Time{}
	for i := range 500 {
		pods, err := servers[i%2].Pods(x.Context())
		if truth.missing.err(err) {
			continue
		}
		truth.hold(pods, freshness)
		for name, usage := range pods {
			if before, is := last[name]; is {
				compared++
				// Between two scrapes, a container that is refreshed every 10 s
				// has one or two new samples, and times are whole seconds.
				if d := usage.Timestamp.Sub(before).Abs(); d > 21*time.Second {
					apart.add("%s: %v", name, d)
				}
			}
			last[name] = usage.Timestamp.Time
		}
		x.wait(200 * time.Millisecond)
	}
	x.none("F23", injected, "answers more than one scrape apart", apart, compared)
	x.none("F23", injected, "answers more than 1 % off", &truth.values, truth.answers)
	x.none("F23", injected, "answers missing", &truth.missing, truth.answers)
}

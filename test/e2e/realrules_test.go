// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// testRealHPARatio has the real HPA scale on a ratio of two counters of the real
// kubelet: a container is given more work than its limit allows, and less again.
func testRealHPARatio(t *testing.T, s *realSite) {
	const namespace = "hpa-ratio"
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
      - {name: main, image: IMAGE, args: [-cpu=5m, "-serve=:8080"], resources: {limits: {cpu: 100m, memory: 50Mi}}}
---`+string(podsHPA(namespace, "scaled", "throttled_ratio", "500m")))
	s.scaleByLoad(t, namespace, "throttled_ratio", "cpu=200m", "cpu=5m")
}

// testRealPrometheus holds what rules serve against what a real Prometheus server
// says that scrapes the same kubelet.
//
// The two ask the kubelet at other moments, so one of them may already know a
// sample that the other does not. So each rule has a twin that says of which samples
// its value is made, and where these are the same on both sides, before and after,
// so has to be the value: as Prometheus says it at the moments before and after ours
// was asked for, which takes in that rate extrapolates to the moment of the question,
// and within a thousandth, which is what is left of it in between, and the three
// decimals that are served. At all other moments ours is behind, by no more than
// what two scrapes take.
func testRealPrometheus(t *testing.T, s *realSite) {
	prometheus := s.startPrometheus(t)
	// From here on, both see the same.
	s.apply(t, comparedNamespace, `
apiVersion: v1
kind: Pod
metadata: {name: compared-burner}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: IMAGE, args: [-cpu=150m], resources: {limits: {cpu: 100m, memory: 50Mi}}}
  - {name: side, image: IMAGE, args: [-cpu=20m]}
---
apiVersion: v1
kind: Pod
metadata: {name: compared-holder}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: IMAGE, args: [-memory=20Mi, "-serve=:8080"]}
`)
	c := &comparison{prometheus: prometheus, rules: comparedRules(t), client: unlimited(t, s)}
	s.kubectl(t, "-n", comparedNamespace, "wait", "--for=condition=Ready", "--timeout=1m", "pods", "--all")
	pod, err := s.client.CoreV1().Pods(comparedNamespace).Get(t.Context(), "compared-holder", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	load := "http://" + pod.Status.PodIP + ":8080/load"
	sendTraffic(t, load, 100_000)
	// Memory goes up and down, so that a gauge is not the same all the time.
	var changes sync.WaitGroup
	t.Cleanup(changes.Wait)
	changes.Go(func() {
		for size := 60; ; size = 80 - size {
			select {
			case <-time.After(7 * time.Second):
			case <-t.Context().Done():
				return
			}
			if err := post(t.Context(), fmt.Sprintf("%s?memory=%dMi", load, size), nil); err != nil && t.Context().Err() == nil {
				t.Error(err)
			}
		}
	})
	// A counter that is younger than the window is another matter: Prometheus 2 and 3
	// do not extrapolate it alike.
	select {
	case <-time.After(85 * time.Second):
	case <-t.Context().Done():
	}
	c.run(t)
	for _, r := range c.rules {
		t.Logf("%s: agreed %d times, at most %.1g of the value apart", r.name, r.agreed, r.furthest)
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// replica is the way of a sample from the kubelet to the store, in a bubble.
type replica struct {
	store   *storage.Store
	manager *scraper.Manager
}

// startReplica starts one that scrapes nodes of a network. It ends with the test.
func startReplica(t *testing.T, network *kubelettest.Network, nodes int) *replica {
	t.Helper()
	store, err := storage.New(storage.Options{Resolution: resolution})
	if err != nil {
		t.Fatal(err)
	}
	options := scraper.Options{Resolution: resolution}
	options.Client.Dial = network.Dial
	manager, err := scraper.New(options, store)
	if err != nil {
		t.Fatal(err)
	}
	for i := range nodes {
		manager.Set(scraper.Target{
			Name: nodeName(i), Addresses: []scraper.Address{{Type: "Hostname", Host: nodeName(i)}},
			Port: 10250, Scheme: "http", ResourcePath: scraper.DefaultResourcePath,
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- manager.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return &replica{store: store, manager: manager}
}

func nodeName(i int) string { return fmt.Sprintf("node-%d", i) }

// TestForeignPods is F7 in short: a node that reports others' pods changes none
// of 10,000 answers.
func TestForeignPods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const nodes = 25
		network := kubelettest.NewNetwork()
		kubelets := kubelettest.NewServer(t, kubelettest.Options{Network: network})
		began := time.Now().Add(-time.Hour)
		lies := kubelettest.Usage{CPU: 1e9, Memory: 1 << 30, Booted: began}
		var pods []kubelettest.Pod
		for i := range nodes {
			pod := kubelettest.Pod{Namespace: "shop", Name: fmt.Sprintf("pod-%d", i), Containers: []kubelettest.Container{
				{Name: "main", Started: began, CPU: uint64(i+1) * 10e6, Memory: uint64(i+1) << 20},
			}}
			pods = append(pods, pod)
			kubelets.Start(nodeName(i), nodeName(i)).SetUsage(kubelettest.Usage{CPU: 1e9, Memory: 1 << 30, Booted: began, Pods: []kubelettest.Pod{pod}})
			pod.Containers = slices.Clone(pod.Containers)
			pod.Containers[0].CPU, pod.Containers[0].Memory = 64e9, 1<<40
			lies.Pods = append(lies.Pods, pod)
		}
		kubelets.Start(nodeName(nodes), nodeName(nodes)).SetUsage(lies)
		r := startReplica(t, network, nodes+1)
		time.Sleep(time.Minute)
		right := 0
		for range 10_000 / nodes {
			time.Sleep(time.Second)
			for i, pod := range pods {
				usage, absence := r.store.Pod(nil, storage.PodQuery{Node: nodeName(i), Namespace: pod.Namespace, Name: pod.Name}, storage.MillisOf(time.Now()))
				if absence != storage.Present || off(float64(usage.Containers[0].CPU), float64(pod.Containers[0].CPU)) > 0.01 || usage.Containers[0].Memory != pod.Containers[0].Memory {
					t.Fatalf("%s: %v, %+v", pod.Name, absence, usage)
				}
				right++
			}
		}
		if right != 10_000 {
			t.Errorf("%d of 10000 answers are right", right)
		}
	})
}

// TestTwoReplicas is F23 in short: two replicas that began at different moments
// are at most one scrape apart.
func TestTwoReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const nodes = 10
		network := kubelettest.NewNetwork()
		kubelets := kubelettest.NewServer(t, kubelettest.Options{Network: network})
		usage := kubelettest.Uniform(3, 2, time.Now().Add(-time.Hour))
		for i := range nodes {
			kubelets.Start(nodeName(i), nodeName(i)).SetUsage(usage)
		}
		replicas := []*replica{startReplica(t, network, nodes)}
		time.Sleep(7 * time.Second)
		replicas = append(replicas, startReplica(t, network, nodes))
		time.Sleep(time.Minute)
		last := map[string]storage.Millis{}
		for i := range 500 {
			time.Sleep(300 * time.Millisecond)
			for n := range nodes {
				for _, pod := range usage.Pods {
					key := nodeName(n) + pod.Name
					got, absence := replicas[i%2].store.Pod(nil, storage.PodQuery{Node: nodeName(n), Namespace: pod.Namespace, Name: pod.Name}, storage.MillisOf(time.Now()))
					if absence != storage.Present {
						t.Fatalf("%s: %v", key, absence)
					}
					if before, is := last[key]; is && (got.Time-before).Duration().Abs() > 20*time.Second {
						t.Fatalf("%s: %v apart", key, (got.Time - before).Duration())
					}
					last[key] = got.Time
				}
			}
		}
	})
}

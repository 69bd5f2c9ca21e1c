// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package realnode

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/image"
)

// traces are all things on the machine that a node could leave behind, outside
// the directory of its cluster.
type traces struct {
	mounts, links, cgroups, files []string
}

func findTraces(t *testing.T) traces {
	t.Helper()
	var all traces
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		all.mounts = append(all.mounts, strings.Fields(line)[4])
	}
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		all.links = append(all.links, link.Name)
	}
	if all.cgroups, err = cgroupDirs("/"); err != nil {
		t.Fatal(err)
	}
	foreign := append([]string{"/run", "/opt", "/usr/libexec", "/var/lib"}, foreignDirs...)
	for _, dir := range foreign {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		for _, entry := range entries {
			// libmount's own, which the first mount on a machine makes and all share.
			if file := filepath.Join(dir, entry.Name()); file != "/run/mount" {
				all.files = append(all.files, file)
			}
		}
	}
	return all
}

// expectNoNewTraces fails the test for what was not there before.
func expectNoNewTraces(t *testing.T, before, after traces) {
	t.Helper()
	compare := func(what string, before, after []string) {
		for _, name := range after {
			if !slices.Contains(before, name) {
				t.Errorf("the node left the %s %s", what, name)
			}
		}
	}
	compare("mount", before.mounts, after.mounts)
	compare("interface", before.links, after.links)
	compare("cgroup", before.cgroups, after.cgroups)
	compare("file", before.files, after.files)
}

const testPods = `
apiVersion: v1
kind: Pod
metadata: {name: burner, namespace: default}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: burner, image: IMAGE, args: [-cpu=50m, -memory=50Mi]}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: default}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: client, image: IMAGE, args: ["-serve=:8080"]}
---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: default}
spec:
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers:
  - {name: agent, image: IMAGE}
`

// TestNode runs a whole real node, because nothing less shows that it works:
// pods run, kube-apiserver and this machine reach them, the kubelet can be
// stopped and frozen, and nothing is left in the end.
func TestNode(t *testing.T) {
	if testing.Short() {
		t.Skip("a real node takes half a minute")
	}
	if err := Supported(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	before := findTraces(t)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	n, err := Start(ctx, Options{Dir: dir, Name: "test", Progress: t.Output()})
	if errors.Is(err, ErrTaken) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		if err := n.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	}
	defer stop()

	kubectl := func(args ...string) string {
		t.Helper()
		out, err := n.Cluster().Kubectl(ctx, args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if err := n.Cluster().Apply(ctx, []byte(strings.ReplaceAll(testPods, "IMAGE", image.WorkloadReference))); err != nil {
		t.Fatal(err)
	}
	kubectl("wait", "--for=condition=Ready", "--timeout=2m", "pod", "--all")

	t.Run("kube-apiserver reaches kubelet and pods", func(t *testing.T) {
		kubectl("logs", "burner")
		answer := kubectl("get", "--raw", "/api/v1/namespaces/default/pods/client:8080/proxy/?bytes=100")
		if len(answer) != 100 {
			t.Errorf("a pod's answer has %d bytes, want 100", len(answer))
		}
	})
	t.Run("the kubelet has figures of containers", func(t *testing.T) {
		path := fmt.Sprintf("/api/v1/nodes/%s/proxy/metrics/resource", n.Name())
		err := n.wait(ctx, "figures of containers", func(ctx context.Context) error {
			out, err := n.Cluster().Kubectl(ctx, "get", "--raw", path)
			if err == nil && !strings.Contains(out, `container_cpu_usage_seconds_total{container="burner"`) {
				err = errors.New("none of the burner yet")
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("there is one node on a machine", func(t *testing.T) {
		if _, err := Start(ctx, Options{Dir: t.TempDir(), Name: "second"}); !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), dir) {
			t.Errorf("starting a second node: error %v does not say that %s has the first", err, dir)
		}
	})
	t.Run("the kubelet stops and comes back", func(t *testing.T) {
		if err := n.StopKubelet(ctx); err != nil {
			t.Fatal(err)
		}
		if err := n.StartKubelet(ctx); err != nil {
			t.Fatal(err)
		}
		if err := n.FreezeKubelet(); err != nil {
			t.Fatal(err)
		}
		if err := n.ThawKubelet(); err != nil {
			t.Fatal(err)
		}
		if err := n.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
		if out := kubectl("get", "pod", "burner", "--output=jsonpath={.status.containerStatuses[0].restartCount}"); out != "0" {
			t.Errorf("the burner was restarted %s times", out)
		}
	})

	stop()
	if pids, err := n.state.Network.processes(ctx); err != nil || len(pids) > 0 {
		t.Errorf("processes %v are left, error %v", pids, err)
	}
	expectNoNewTraces(t, before, findTraces(t))
}

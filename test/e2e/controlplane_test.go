// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
)

// startCluster starts a control plane that ends with the test.
func startCluster(t *testing.T, opts cluster.Options) *cluster.Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a control plane")
	}
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	opts.Progress = os.Stderr
	c, err := cluster.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The test's own context is done by now.
		if err := c.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestControlPlane(t *testing.T) {
	inLane(t, simulatedLane)
	for _, minor := range cluster.Minors {
		t.Run(minor, func(t *testing.T) {
			testControlPlane(t, minor)
		})
	}
}

func testControlPlane(t *testing.T, minor string) {
	c := startCluster(t, cluster.Options{Minor: minor})
	if err := c.Check(t.Context()); err != nil {
		t.Errorf("a component is not healthy: %v", err)
	}
	checkVersion(t, c)

	// Each component survives a crash of itself or of the one it needs.
	pids := map[string]int{}
	for _, name := range []string{cluster.Etcd, cluster.APIServer, cluster.ControllerManager, cluster.Scheduler} {
		pids[name] = c.Pid(name)
	}
	if err := c.KillComponent(cluster.APIServer); err != nil {
		t.Fatal(err)
	}
	if c.Running(cluster.APIServer) {
		t.Errorf("%s runs after it was killed", cluster.APIServer)
	}
	if err := c.StartComponent(t.Context(), cluster.APIServer); err != nil {
		t.Fatal(err)
	}
	if pid := c.Pid(cluster.APIServer); pid == 0 || pid == pids[cluster.APIServer] {
		t.Errorf("%s has process %d after a restart, and had %d", cluster.APIServer, pid, pids[cluster.APIServer])
	}
	checkVersion(t, c)

	kubeconfig, err := c.ClientKubeconfig("alice", "dev")
	if err != nil {
		t.Fatal(err)
	}
	who, err := c.Kubectl(t.Context(), "--kubeconfig="+kubeconfig, "auth", "whoami", "--output=jsonpath={.status.userInfo.username} {.status.userInfo.groups}")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(who, "alice ") || !strings.Contains(who, `"dev"`) {
		t.Errorf("the kubeconfig of alice in dev is that of %s", who)
	}

	pids[cluster.APIServer+" restarted"] = c.Pid(cluster.APIServer)
	if err := c.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	for name, pid := range pids {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("%s: process %d after Stop: %v", name, pid, err)
		}
	}
}

// checkVersion fails unless kubectl reaches kube-apiserver and both are of the
// cluster's version.
func checkVersion(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	out, err := c.Kubectl(t.Context(), "version", "--output=json")
	if err != nil {
		t.Fatal(err)
	}
	var version struct {
		ClientVersion, ServerVersion struct{ GitVersion string }
	}
	if err := json.Unmarshal([]byte(out), &version); err != nil {
		t.Fatal(err)
	}
	for who, got := range map[string]string{"kubectl": version.ClientVersion.GitVersion, "kube-apiserver": version.ServerVersion.GitVersion} {
		if !strings.HasPrefix(got, "v"+c.Minor()+".") {
			t.Errorf("%s has version %q, want v%s", who, got, c.Minor())
		}
	}
}

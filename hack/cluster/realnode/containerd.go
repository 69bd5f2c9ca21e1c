// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package realnode

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/hack/image"
)

// imageNamespace is the namespace of containerd that the kubelet's images and
// containers are in.
const imageNamespace = "k8s.io"

// capSysResource is the number of the capability that lets a process make
// another one less likely to be killed for memory.
const capSysResource = 24

// containerdConfig is containerd's configuration file. Everything is kept below
// the node's directory but the socket.
const containerdConfig = `version = 4
root = %[1]q
state = %[2]q

[plugins."io.containerd.server.v1.grpc"]
  address = %[3]q

[plugins."io.containerd.internal.v1.opt"]
  path = %[4]q

[plugins."io.containerd.nri.v1.nri"]
  disable = true

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"

[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = %[5]q

[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = %[6]t
  netns_mounts_under_state_dir = true

[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = [%[7]q]
  conf_dir = %[8]q
  use_internal_loopback = true
`

// podNetworkConfig connects pods to a bridge that has the first address of
// their range and is their way to the control plane.
const podNetworkConfig = `{
  "cniVersion": "1.0.0",
  "name": %[1]q,
  "plugins": [{
    "type": "bridge",
    "bridge": %[2]q,
    "isGateway": true,
    "hairpinMode": true,
    "ipam": {
      "type": "host-local",
      "dataDir": %[3]q,
      "ranges": [[{"subnet": %[4]q}]],
      "routes": [{"dst": "0.0.0.0/0"}]
    }
  }]
}
`

// writeContainerdConfig writes containerd's configuration and that of the pods'
// network, and returns the path of the first.
func (s state) writeContainerdConfig(pluginDir string) (string, error) {
	dir := s.containerdDir()
	networks := filepath.Join(dir, "networks")
	if err := os.MkdirAll(networks, 0o700); err != nil {
		return "", fmt.Errorf("configure containerd: %w", err)
	}
	restricted, err := lacksCapability(capSysResource)
	if err != nil {
		return "", fmt.Errorf("configure containerd: %w", err)
	}
	config := fmt.Sprintf(containerdConfig,
		filepath.Join(dir, "root"), filepath.Join(dir, "state"), containerdSocket, filepath.Join(dir, "opt"),
		"docker.io/library/"+image.PauseReference, restricted, pluginDir, networks)
	network := fmt.Sprintf(podNetworkConfig,
		s.Network.Namespace, podBridge, filepath.Join(dir, "addresses"), s.Network.Pods)
	file := filepath.Join(dir, "config.toml")
	for name, text := range map[string]string{file: config, filepath.Join(networks, "pods.conflist"): network} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("configure containerd: %w", err)
		}
	}
	return file, nil
}

// lacksCapability reports whether this process, and so each that it starts, is
// without the capability.
func lacksCapability(number uint) (bool, error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return false, fmt.Errorf("read this process's capabilities: %w", err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		text, ok := strings.CutPrefix(lines.Text(), "CapEff:")
		if !ok {
			continue
		}
		mask, err := strconv.ParseUint(strings.TrimSpace(text), 16, 64)
		if err != nil {
			return false, fmt.Errorf("read this process's capabilities: %w", err)
		}
		return mask&(1<<number) == 0, nil
	}
	return false, errors.New("read this process's capabilities: there is no line CapEff")
}

// startContainerd starts containerd and waits until it listens.
func (n *Node) startContainerd(ctx context.Context, pluginDir string) error {
	config, err := n.state.writeContainerdConfig(pluginDir)
	if err != nil {
		return err
	}
	binary := n.state.Tools[Containerd]
	err = n.cluster.Add(ctx, cluster.Component{
		Name: Containerd,
		Argv: []string{binary, "--config=" + config},
		// It looks for its shim in the PATH.
		Env: []string{"PATH=" + filepath.Dir(binary) + ":" + os.Getenv("PATH")},
	})
	if err != nil {
		return err
	}
	return n.wait(ctx, "containerd", func(context.Context) error {
		if !containerdAnswers() {
			return fmt.Errorf("nothing listens on %s", containerdSocket)
		}
		return nil
	})
}

// ImportImage puts the images of a docker-archive, which package image or
// `docker save` writes, where the kubelet finds them.
func (n *Node) ImportImage(ctx context.Context, archive string) error {
	_, err := run(ctx, n.state.Tools["ctr"], "--address="+containerdSocket, "--namespace="+imageNamespace,
		"images", "import", archive)
	if err != nil {
		return fmt.Errorf("import images: %w", err)
	}
	return nil
}

// wait asks until the check succeeds, a component fails or the time is over.
func (n *Node) wait(ctx context.Context, what string, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, n.readyTimeout)
	defer cancel()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		for _, name := range []string{Containerd, Kubelet} {
			if _, ok := n.cluster.Component(name); ok && !n.cluster.Running(name) {
				return fmt.Errorf("wait for %s: %w", what, n.cluster.Check(ctx))
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w (%w); see %s", what, err, ctx.Err(), filepath.Dir(n.cluster.LogPath(Kubelet)))
		}
	}
}

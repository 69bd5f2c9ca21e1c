// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package realnode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
)

const (
	// readyPoll is how often is looked whether something has begun or ended.
	readyPoll = 50 * time.Millisecond
	// killTimeout is how long killed processes may take to be gone. The kernel
	// gives a process's memory back first.
	killTimeout = 20 * time.Second
)

// foreignDirs are the directories outside a cluster's own that containerd, the
// kubelet and the ip command write to and cannot be told not to.
var foreignDirs = []string{
	"/run/containerd",
	namespaceDir,
	"/var/lib/cni",
	"/var/lib/kubelet",
	"/var/log/containers",
}

// absentDirs returns those of the directories that do not exist.
func absentDirs() []string {
	var absent []string
	for _, dir := range foreignDirs {
		if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
			absent = append(absent, dir)
		}
	}
	return absent
}

// Clear ends the real node whose cluster is in the directory, whether it runs
// or was killed, and removes all that it has made but its logs. It is no error
// if there is none.
func Clear(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("clear a real node: %w", err)
	}
	lock, claimErr := claim()
	if claimErr == nil {
		defer lock.Close()
	}
	// Who has the claim instead of us may have a node of its own, and has then
	// cleared ours away.
	s, err := readState()
	if errors.Is(err, fs.ErrNotExist) || err == nil && s.Dir != dir {
		return nil
	}
	if err := errors.Join(claimErr, err); err != nil {
		return err
	}
	c, err := cluster.Open(dir, io.Discard)
	if err != nil && !errors.Is(err, cluster.ErrNoCluster) {
		return err
	}
	return s.clear(ctx, c)
}

// clear ends and removes everything, going on where a step fails. The cluster
// is nil where there is none to stop.
func (s state) clear(ctx context.Context, c *cluster.Cluster) error {
	// The kubelet first: it would start again what is ended after it.
	var errs []error
	if c != nil && c.Running(Kubelet) {
		errs = append(errs, c.StopComponent(ctx, Kubelet))
	}
	pods := func() ([]int, error) { return cgroupProcesses(s.cgroup()) }
	errs = append(errs, killAll(ctx, "the pods", pods))
	if c != nil {
		errs = append(errs, c.Stop(ctx))
	}
	// What is left in the namespace are containerd's shims, which outlive it by
	// design, and after a crash everything else.
	rest := func() ([]int, error) { return s.Network.processes(ctx) }
	errs = append(errs,
		killAll(ctx, "the node's processes", rest),
		// A killed kubelet may have started a pod meanwhile.
		killAll(ctx, "the pods", pods),
		s.unmountAll(ctx),
		s.Network.remove(ctx),
		removeCgroup(s.cgroup()),
		os.RemoveAll(s.containerdDir()),
		os.RemoveAll(s.kubeletDir()),
		s.removeTraces(ctx),
	)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("clear the real node of %s: %w", s.Dir, err)
	}
	return forget()
}

// killAll kills the listed processes, and lists again, until there are none.
func killAll(ctx context.Context, what string, list func() ([]int, error)) error {
	ctx, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		pids, err := list()
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			// One that has just ended is as good as killed.
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("kill %s: process %d: %w", what, pid, err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("kill %s: %d are still there: %w", what, len(pids), ctx.Err())
		}
	}
}

// unmountAll unmounts what is mounted below the cluster's directory: the root
// file systems of containers, and volumes.
func (s state) unmountAll(ctx context.Context) error {
	points, err := mountPoints(s.Dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, point := range slices.Backward(points) {
		_, err := run(ctx, "umount", "--lazy", point)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// mountPoints returns what is mounted below the directory, in the order in
// which it was mounted.
func mountPoints(dir string) ([]string, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	var points []string
	// The kernel writes a space in a name as \040, and some more like it.
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(string(b)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			return nil, fmt.Errorf("list mounts: %q has no mount point", line)
		}
		if point := unescape.Replace(fields[4]); point == dir || strings.HasPrefix(point, dir+"/") {
			points = append(points, point)
		}
	}
	return points, nil
}

// removeTraces removes what the node has left in directories that are not its
// own. A directory that was not there before goes as a whole.
func (s state) removeTraces(ctx context.Context) error {
	var errs []error
	for _, dir := range s.Absent {
		if points, err := mountPoints(dir); err == nil && len(points) > 0 {
			for _, point := range slices.Backward(points) {
				_, err := run(ctx, "umount", "--lazy", point)
				errs = append(errs, err)
			}
		}
		errs = append(errs, os.RemoveAll(dir))
	}
	traces := []string{
		containerdSocket,
		containerdSocket + ".ttrpc",
		"/run/containerd/runc/" + imageNamespace,
		"/var/lib/kubelet/device-plugins/kubelet.sock",
	}
	results, err := filepath.Glob("/var/lib/cni/results/" + s.Network.Namespace + "-*")
	errs = append(errs, err)
	links, err := s.logLinks()
	errs = append(errs, err)
	for _, path := range slices.Concat(traces, results, links) {
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}

// logLinks returns the links that the kubelet has made to the logs of this
// node's pods.
func (s state) logLinks() ([]string, error) {
	all, err := filepath.Glob("/var/log/containers/*")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(link string) bool {
		target, err := os.Readlink(link)
		return err != nil || !strings.HasPrefix(target, s.podLogs()+"/")
	}), nil
}

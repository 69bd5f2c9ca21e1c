// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/procfs"
	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
)

const (
	// atRest is how much of a CPU kube-apiserver uses at most when it is at rest:
	// pods that come and go take a hundredth.
	atRest = 0.05
	// restWindow is how long it must have been so.
	restWindow = 3 * time.Second
	// restTimeout is how long that is waited for.
	restTimeout = time.Minute
)

// measureStarts starts a server as often as is asked for, until its first complete
// list, each time after kube-apiserver has come to rest, and leaves the last one.
func (s *site) measureStarts(ctx context.Context, o Options, name string, v values) (*server, error) {
	for n := 1; ; n++ {
		server, err := s.measureStart(ctx, o, name, v)
		if err != nil || n == o.Starts {
			return server, err
		}
		if err := errors.Join(server.process.Failure(), server.stop()); err != nil {
			return nil, err
		}
	}
}

func (s *site) measureStart(ctx context.Context, o Options, name string, v values) (_ *server, err error) {
	rested, err := s.rest(ctx)
	if err != nil {
		return nil, err
	}
	without := ""
	if !rested {
		v.add(restlessStart, 1)
		without = ", without rest before it"
	}
	before := s.used(nil)
	server, err := s.startServer(name, o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, server.stop())
		}
	}()
	first, err := server.firstList(ctx)
	if err != nil {
		return nil, err
	}
	after := s.used(server)
	v.add(firstComplete, first.Seconds())
	v.add(startCPU, after[theServer].Seconds())
	v.add(startAPIServerCPU, (after[cluster.APIServer] - before[cluster.APIServer]).Seconds())
	fmt.Fprintf(o.Progress, "%s: first complete list after %.2f s; CPU since it was started%s: %s\n", name, first.Seconds(), without, used(before, after))
	return server, nil
}

// rest has kube-apiserver collect its garbage and waits until it has come to rest,
// after so many new objects or after the end of who watched them: what it still does
// then would be taken for what a start costs, as would a collection of all its objects,
// which every other start ran into and which took longer than the start. It does not
// wait for ever, and says whether there was rest.
func (s *site) rest(ctx context.Context) (rested bool, err error) {
	client, err := s.client()
	if err != nil {
		return false, err
	}
	collect := client.CoreV1().RESTClient().Get().AbsPath("/debug/pprof/heap").Param("gc", "1")
	if err := collect.Do(ctx).Error(); err != nil {
		return false, fmt.Errorf("have kube-apiserver collect its garbage: %w", err)
	}
	id, _ := s.cluster.Process(cluster.APIServer)
	for begun := time.Now(); time.Since(begun) < restTimeout; {
		before, err := procfs.CPU(id.Pid)
		if err != nil {
			return false, err
		}
		if err := pause(ctx, restWindow); err != nil {
			return false, err
		}
		after, err := procfs.CPU(id.Pid)
		if err != nil {
			return false, err
		}
		if (after - before).Seconds() <= atRest*restWindow.Seconds() {
			return true, nil
		}
	}
	return false, nil
}

// theServer is what the server under test is called among those that take part.
const theServer = "the server"

// used is the CPU time that everything that takes part in a start has used by now:
// the server, if there is one, the kubelets, kube-apiserver, etcd, and ourselves.
func (s *site) used(server *server) map[string]time.Duration {
	pids := map[string]int{"kubelets": s.kubelets.ID().Pid, "this client": os.Getpid()}
	if server != nil {
		pids[theServer] = server.pid()
	}
	for _, name := range []string{cluster.APIServer, cluster.Etcd} {
		if id, ok := s.cluster.Process(name); ok {
			pids[name] = id.Pid
		}
	}
	times := map[string]time.Duration{}
	for name, pid := range pids {
		if cpu, err := procfs.CPU(pid); err == nil { // A process that has failed is reported where it is waited for.
			times[name] = cpu
		}
	}
	return times
}

// used says who used how much between two moments.
func used(before, after map[string]time.Duration) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(after)) {
		parts = append(parts, fmt.Sprintf("%s %.2f s", name, (after[name]-before[name]).Seconds()))
	}
	return strings.Join(parts, ", ")
}

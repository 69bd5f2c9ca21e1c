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

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/listing"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/procfs"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/world"
	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
)

const (
	// firstTimeout is how long a server may take to its first complete list.
	firstTimeout = 5 * time.Minute
	// settled is how old a pod must be at a server's start to be required.
	settled = time.Minute
	// firstPoll is how often is asked. It is a small list, so as not to keep
	// the server from its work.
	firstPoll = 20 * time.Millisecond
)

// errIncomplete is why a list is not the first complete one.
var errIncomplete = errors.New("the list is not complete")

// firstList returns the time from the process's start until a full list had
// come that had every pod with a busy container. It asks for namespaces one by
// one, and for the full list when they were complete.
func (s *server) firstList(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, firstTimeout)
	defer cancel()
	namespace := s.site.world.Pod(s.site.world.TotalPods()-1, 0).Namespace
	tick := time.NewTicker(firstPoll)
	defer tick.Stop()
	var last error
	for {
		missing, _, err := s.missing(ctx, namespaceList(namespace), namespace)
		if err == nil && missing == nil {
			var end time.Time
			if missing, end, err = s.missing(ctx, fullList(listing.Protobuf, false), ""); err == nil && missing == nil {
				return end.Sub(s.started), nil
			}
		}
		if err != nil {
			last = err // Not listening, not authorized, or not synced yet.
		} else {
			last, namespace = fmt.Errorf("%w: pod %s/%s is missing", errIncomplete, missing.Namespace, missing.Name), missing.Namespace
		}
		if err := s.process.Failure(); err != nil {
			return 0, err
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for the first complete list of %s: %w", s.name, errors.Join(last, ctx.Err()))
		case <-tick.C:
		}
	}
}

// missing returns a pod, of the namespace or of all, that a list lacks and must
// have, or nil, and when the list had come.
func (s *server) missing(ctx context.Context, r listing.Request, namespace string) (*world.Pod, time.Time, error) {
	body, result, err := s.client.Fetch(ctx, r)
	if err != nil {
		return nil, time.Time{}, err
	}
	list, err := decodeList(body)
	if err != nil {
		return nil, time.Time{}, err
	}
	type key struct{ namespace, name string }
	there := make(map[key]bool, len(list.Items))
	for i := range list.Items {
		item := &list.Items[i]
		there[key{item.Namespace, item.Name}] = len(item.Containers) == s.site.world.Containers
	}
	for _, pod := range s.site.churn.Pods() {
		required := !pod.Idle && pod.Started.Before(s.started.Add(-settled)) && (namespace == "" || pod.Namespace == namespace)
		if required && !there[key{pod.Namespace, pod.Name}] {
			return &pod, result.End, nil
		}
	}
	return nil, result.End, nil
}

// used is the CPU time that everything that takes part in a start has used by now:
// the server, if there is one, the kubelets, kube-apiserver, etcd, and ourselves.
func (s *site) used(server *server) map[string]time.Duration {
	pids := map[string]int{"kubelets": s.kubelets.ID().Pid, "this client": os.Getpid()}
	if server != nil {
		pids["the server"] = server.pid()
	}
	for _, name := range []string{cluster.APIServer, cluster.Etcd} {
		if id, ok := s.cluster.Process(name); ok {
			pids[name] = id.Pid
		}
	}
	times := map[string]time.Duration{}
	for name, pid := range pids {
		if cpu, err := procfs.CPU(pid); err == nil { // Only a line of the progress.
			times[name] = cpu
		}
	}
	return times
}

// used says who used how much between two moments.
func used(before, after map[string]time.Duration) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(after)) {
		parts = append(parts, fmt.Sprintf("%s %.1f s", name, (after[name]-before[name]).Seconds()))
	}
	return strings.Join(parts, ", ")
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/listing"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/world"
)

const (
	// firstTimeout is how long a server may take to its first complete list.
	firstTimeout = 5 * time.Minute
	// settled is how old a pod must be at a server's start to be required.
	settled = time.Minute
	// firstPoll is how often is asked, and laterPoll how often once quick has passed.
	// It is a small list, so as not to keep the server from its work.
	firstPoll = 20 * time.Millisecond
	laterPoll = 200 * time.Millisecond
	quick     = 5 * time.Second
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
	for hurried := true; ; {
		if hurried && time.Since(s.started) > quick {
			hurried = false
			tick.Reset(laterPoll)
		}
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
	before := s.started.Add(-settled)
	// While a server starts this is done many times a second, beside it.
	pod, ok := s.site.churn.Find(func(pod *world.Pod) bool {
		required := (namespace == "" || pod.Namespace == namespace) && !pod.Idle && pod.Started.Before(before)
		return required && !there[key{pod.Namespace, pod.Name}]
	})
	if !ok {
		return nil, result.End, nil
	}
	return &pod, result.End, nil
}

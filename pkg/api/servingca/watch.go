// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package servingca

import (
	"context"
	"math/rand/v2"
	"time"

	"k8s.io/klog/v2"
)

// watchPause is the least time between two watches of one object; the most is
// twice that.
const watchPause = 5 * time.Second

// watch wakes the Keeper whenever the object below path changes, until ctx ends.
// What changed is of no interest here: a look at all there is follows. So
// nothing of the stream is kept or decoded. Every watch begins with the object
// as it is, and so makes up for what happened since the last one.
func (k *Keeper) watch(ctx context.Context, path, name string) {
	chunk := make([]byte, 4096)
	for ctx.Err() == nil {
		// The right to watch covers one object; kube-apiserver sees that only
		// this one is asked for by its name.
		stream, err := k.rest.Get().AbsPath(path).
			Param("watch", "true").Param("fieldSelector", "metadata.name="+name).
			SetHeader("Accept", "application/json").Stream(ctx)
		for err == nil {
			var n int
			if n, err = stream.Read(chunk); n > 0 {
				k.wake()
			}
		}
		if stream != nil {
			stream.Close()
		}
		klog.FromContext(ctx).V(4).Info("Watch ended", "path", path, "name", name, "reason", err)
		pause(ctx, watchPause+rand.N(watchPause))
	}
}

// wake makes the Keeper look at everything soon.
func (k *Keeper) wake() {
	select {
	case k.changed <- struct{}{}:
	default: // It will look anyway.
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// observePeriod is how often an observer looks.
const observePeriod = 200 * time.Millisecond

// observer looks again and again whether things are as they should be, and
// remembers for how long each was not.
type observer struct {
	stop func()

	mu struct {
		sync.Mutex
		gaps map[string]*gap // by what is observed
	}
}

// gap is how long something was not as it should be.
type gap struct {
	since   time.Time // Of the failures in a row that it is in; zero: of none.
	longest time.Duration
	reason  error // Of the longest.
}

// errAbsent says that there is nothing to observe, which is no failure.
var errAbsent = errors.New("absent")

// observe watches the API that both servers have answer, and the APIServices
// that are registered be available, until expect is called or the test ends.
func (r *replacement) observe(t *testing.T) *observer {
	t.Helper()
	config, err := r.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	available := func(version string) func(context.Context) error {
		services := client.Resource(schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"})
		return func(ctx context.Context) error {
			service, err := services.Get(ctx, version+".metrics.k8s.io", metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return errAbsent
			}
			if err != nil {
				return err
			}
			return availableCondition(service)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	o := &observer{}
	o.mu.gaps = map[string]*gap{}
	var group sync.WaitGroup
	o.stop = func() { cancel(); group.Wait() }
	t.Cleanup(o.stop)
	for name, check := range map[string]func(context.Context) error{
		"v1beta1 answers":      r.hasUsage,
		"v1beta1 is available": available("v1beta1"),
		"v1 is available":      available("v1"),
	} {
		g := &gap{}
		o.mu.gaps[name] = g
		group.Go(func() { o.run(ctx, g, check) })
	}
	return o
}

func availableCondition(service *unstructured.Unstructured) error {
	conditions, _, err := unstructured.NestedSlice(service.Object, "status", "conditions")
	if err != nil {
		return err
	}
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok && c["type"] == "Available" {
			if c["status"] == "True" {
				return nil
			}
			return fmt.Errorf("%v: %v", c["reason"], c["message"])
		}
	}
	return errors.New("not checked yet")
}

func (o *observer) run(ctx context.Context, g *gap, check func(context.Context) error) {
	tick := time.NewTicker(observePeriod)
	defer tick.Stop()
	for {
		asked := time.Now()
		err := check(ctx)
		if ctx.Err() != nil {
			return
		}
		o.mu.Lock()
		g.record(asked, time.Now(), err)
		o.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// record notes what a check that began at asked found at now.
func (g *gap) record(asked, now time.Time, err error) {
	if err == nil || errors.Is(err, errAbsent) {
		g.since = time.Time{}
		return
	}
	if g.since.IsZero() {
		g.since = asked
	}
	if length := now.Sub(g.since); length > g.longest {
		g.longest, g.reason = length, err
	}
}

// expect stops the observer and fails the test if the thing so named was amiss
// for longer than that.
func (o *observer) expect(t *testing.T, name string, most time.Duration) {
	t.Helper()
	o.stop()
	o.mu.Lock()
	defer o.mu.Unlock()
	g, ok := o.mu.gaps[name]
	if !ok {
		t.Fatalf("nobody observes %q, only %q", name, slices.Sorted(maps.Keys(o.mu.gaps)))
	}
	t.Logf("%s: amiss for %v at most (%v)", name, g.longest.Round(10*time.Millisecond), g.reason)
	if g.longest > most {
		t.Errorf("%s: amiss for %v, more than %v: %v", name, g.longest, most, g.reason)
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/component-base/metrics"

	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/configfile"
	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/sinks"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// configured is what the configuration file asks for, and what keeps it so.
type configured struct {
	rules    *ruleMetrics
	past     *historyOptions
	watcher  *configfile.Watcher
	pressure *pressure
	ship     *shipping
	results  *ruleResults
	// changed is told when kubelets are to be asked for something else.
	changed func()
}

// newConfigured applies the file for the first time. It starts nothing. instance is
// the address and port of a node's kubelet, for labels; client is for the Lease by
// which one of several replicas ships.
func newConfigured(o *options, client kubernetes.Interface, rules *ruleMetrics, registry metrics.KubeRegistry, instance func(node string) string, changed func()) (*configured, error) {
	c := &configured{rules: rules, past: o.history, pressure: newPressure(rules.history), changed: changed}
	var err error
	if c.ship, err = o.newShipping(client, instance); err != nil {
		return nil, err
	}
	c.results = newRuleResults(rules.provider, c.ship, o.metricResolution)
	registry.CustomMustRegister(newSeriesMetrics(rules.recent, rules.history))
	registry.RawMustRegister(newEvaluationMetrics(rules.provider))
	if c.watcher, err = configfile.NewWatcher(configfile.Options{Path: o.customMetrics.config, Apply: c.apply, Registry: registry}); err != nil {
		return nil, err
	}
	if err := c.watcher.Load(); err != nil {
		return nil, err
	}
	registry.CustomMustRegister(sinks.NewMetrics(c.ship.set))
	return c, nil
}

// apply puts a configuration in force: all of it, but for rules that cannot be used,
// or nothing.
func (c *configured) apply(config *configfile.Config) (refused []error, err error) {
	if err := checkSinks(config); err != nil {
		return nil, err
	}
	// What may be refused as a whole comes before what cannot be taken back.
	if _, err := c.past.keep(config, 0); err != nil {
		return nil, err
	}
	if err := c.ship.apply(config); err != nil {
		return nil, err
	}
	refused = c.rules.apply(config)
	keep, err := c.past.keep(config, c.rules.recent.Sources())
	if err == nil {
		err = c.rules.history.Keep(keep)
	}
	c.changed()
	return refused, err
}

// consumers are those of labelled series.
func (c *configured) consumers() []series.Consumer {
	return append([]series.Consumer{c.rules.recent, c.rules.history}, c.ship.set.Consumers()...)
}

// Run keeps in force what the file says until ctx ends. Shipping is run apart from
// it: it ends after what is shipped.
func (c *configured) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.watcher.Run(ctx) })
	group.Go(func() error { return c.pressure.Run(ctx) })
	group.Go(func() error { return c.results.Run(ctx) })
	return group.Wait()
}

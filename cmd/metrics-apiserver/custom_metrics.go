// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/klog/v2"
	custommetricsv1beta1 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta1"
	custommetricsv1beta2 "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/catalogue"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// customMetricsOptions are which custom metrics are served.
type customMetricsOptions struct {
	enabled bool
	always  []string
	// external is external.metrics.k8s.io, and config the file with rules.
	external bool
	config   string
}

func (o *customMetricsOptions) addFlags(fs *pflag.FlagSet) {
	fs.BoolVar(&o.enabled, "custom-metrics", o.enabled, "Serve custom.metrics.k8s.io: the metrics of pods, nodes and namespaces that docs/metrics.md lists. Kubelets are asked for more only while a HorizontalPodAutoscaler names one of them, or somebody asked for one in the last ten minutes. Needs list and watch on horizontalpodautoscalers. Not in metrics-server, like --custom-metrics-always.")
	fs.BoolVar(&o.external, "external-metrics", o.external, "Serve external.metrics.k8s.io: the metrics that rules in --config attach to no object. Not in metrics-server, like --config.")
	fs.StringVar(&o.config, "config", o.config, "The configuration file: rules that make metrics of what kubelets say, and more; see docs/configuration.md. It is read again when it changes.")
	fs.StringSliceVar(&o.always, "custom-metrics-always", o.always, "Metrics that are collected although nobody asks for them, so that the first who does is answered at once; '"+catalogue.AllMetrics+"' is all of them.")
}

func (o *customMetricsOptions) validate() []error {
	if o.external && o.config == "" {
		return []error{errors.New("--external-metrics is of no use without --config, whose rules define them: give both or none")}
	}
	if len(o.always) == 0 {
		return nil
	}
	if !o.enabled {
		return []error{errors.New("--custom-metrics-always is of no use without --custom-metrics: give both or none")}
	}
	if _, err := catalogue.NewDemand(o.always, nil); err != nil {
		return []error{fmt.Errorf("--custom-metrics-always: %w", err)}
	}
	return nil
}

// servedVersions are the versions of all API groups that are served.
func (o *options) servedVersions() []schema.GroupVersion {
	versions := []schema.GroupVersion{metricsv1.SchemeGroupVersion, metricsv1beta1.SchemeGroupVersion}
	if o.customMetrics.enabled {
		versions = append(versions, custommetricsv1beta2.SchemeGroupVersion, custommetricsv1beta1.SchemeGroupVersion)
	}
	if o.customMetrics.external {
		versions = append(versions, externalmetricsv1beta1.SchemeGroupVersion)
	}
	return versions
}

// customMetrics is what custom metrics are computed from, and which of it is
// wanted.
type customMetrics struct {
	inputs     *input.Store
	demand     *catalogue.Demand
	off        input.Set
	offBecause string
}

// newCustomMetrics is nil where custom metrics are not enabled. want is told which
// inputs to collect.
func (o *options) newCustomMetrics(want func(input.Set)) (*customMetrics, error) {
	if !o.customMetrics.enabled {
		return nil, nil
	}
	c := &customMetrics{}
	var err error
	if c.inputs, err = input.New(storage.Options{Resolution: o.metricResolution}); err != nil {
		return nil, err
	}
	if c.demand, err = catalogue.NewDemand(o.customMetrics.always, want); err != nil {
		return nil, err
	}
	if !o.kubelet.summary {
		c.off, c.offBecause = input.Summary.Of(), "--kubelet-summary=false keeps /stats/summary from being read"
	}
	return c, nil
}

// installMetrics puts the groups that are enabled into the server: the catalogue,
// the rules, or the catalogue behind the rules.
func (s *server) installMetrics(source *api.Source) error {
	var custom custommetrics.Provider
	var external custommetrics.ExternalProvider
	if c := s.customMetrics; c != nil {
		custom = c.provider(source)
		if s.rules != nil {
			custom = custommetrics.NewMux(custom, s.rules.provider)
		}
	}
	if s.rules != nil && s.rules.external {
		external = s.rules.provider
	}
	return custommetrics.Install(s.generic, custom, external)
}

// provider is the catalogue.
func (c *customMetrics) provider(source *api.Source) *catalogue.Provider {
	return catalogue.New(catalogue.Options{
		Usage:      source.Usage,
		Inputs:     c.inputs,
		Nodes:      source.Nodes,
		Pods:       source.Pods,
		Demand:     c.demand,
		Off:        c.off,
		OffBecause: c.offBecause,
	})
}

// wantInputs has inputs collected from now on, and no others.
func (s *server) wantInputs(set input.Set) {
	names := make([]string, 0, set.Len())
	for id := range set.Each() {
		names = append(names, input.Table()[id].Name)
	}
	klog.InfoS("Collecting for custom metrics", "inputs", names)
	s.scraper.Demand(set)
}

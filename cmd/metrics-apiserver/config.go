// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"time"

	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/component-base/compatibility"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/version"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/openapi"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
)

// clusterConfig is how to reach the cluster's API server.
func (o *options) clusterConfig() (*rest.Config, error) {
	var config *rest.Config
	var err error
	if o.kubeconfig != "" {
		config, err = clientcmd.BuildConfigFromFlags("", o.kubeconfig)
		if err != nil {
			return nil, fmt.Errorf("read --kubeconfig %s: %w", o.kubeconfig, err)
		}
	} else {
		config, err = rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("read the pod's service account (outside of a cluster, give --kubeconfig): %w", err)
		}
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.UserAgent = "metrics-apiserver/" + version.Get().GitVersion
	return config, nil
}

// serverConfig is the generic API server's configuration.
func (o *options) serverConfig() (*genericapiserver.Config, error) {
	began := time.Now()
	if err := o.provideCertificate(began); err != nil {
		return nil, err
	}
	if err := o.generic.ComponentGlobalsRegistry.Set(); err != nil {
		return nil, fmt.Errorf("set feature gates: %w", err)
	}
	config := genericapiserver.NewConfig(api.Codecs)
	config.BuildHandlerChainFunc = custommetrics.BuildHandlerChain
	if err := o.generic.ApplyTo(config); err != nil {
		return nil, fmt.Errorf("apply generic flags: %w", err)
	}
	if err := o.serving.ApplyTo(&config.SecureServing); err != nil {
		return nil, fmt.Errorf("apply secure serving flags: %w", err)
	}
	var err error
	if config.LoopbackClientConfig, err = loopback(began, config.SecureServing); err != nil {
		return nil, err
	}
	if err := o.authentication.ApplyTo(&config.Authentication, config.SecureServing, nil); err != nil {
		return nil, fmt.Errorf("apply authentication flags: %w", err)
	}
	if err := o.authorization.ApplyTo(&config.Authorization); err != nil {
		return nil, fmt.Errorf("apply authorization flags: %w", err)
	}
	if err := o.audit.ApplyTo(config); err != nil {
		return nil, fmt.Errorf("apply audit flags: %w", err)
	}
	// Of the feature flags only profiling means something here: requests are
	// bounded by the plain max-in-flight filter, whose hook monitoring looks
	// for in /readyz, so --enable-priority-and-fairness is taken and has no
	// effect, as in metrics-server.
	config.EnableProfiling = o.features.EnableProfiling
	config.EnableContentionProfiling = o.features.EnableContentionProfiling
	config.DebugSocketPath = o.features.DebugSocketPath

	// The library's features go by the version of Kubernetes that it is of; our
	// own version says nothing of that, and need not even parse.
	config.EffectiveVersion = compatibility.NewEffectiveVersionFromString(version.DefaultKubeBinaryVersion, "", "")
	namer := openapinamer.NewDefinitionNamer(api.Scheme)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(openapi.GetOpenAPIDefinitions, namer)
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(openapi.GetOpenAPIDefinitions, namer)
	release, _, _ := strings.Cut(version.Get().String(), "-")
	config.OpenAPIConfig.Info.Title, config.OpenAPIV3Config.Info.Title = "metrics-apiserver", "metrics-apiserver"
	config.OpenAPIConfig.Info.Version, config.OpenAPIV3Config.Info.Version = release, release
	return config, nil
}

// scraperOptions are how, when and within which bounds nodes are scraped.
func (o *options) scraperOptions(cluster *rest.Config, registry metrics.KubeRegistry) scraper.Options {
	bounds := o.kubelet.bounds
	return scraper.Options{
		Resolution:     o.metricResolution,
		RequestTimeout: o.kubelet.requestTimeout,
		NoSummary:      !o.kubelet.summary,
		Client: nodeclient.Options{
			Config:             o.kubelet.access.Config(cluster),
			AcceptGzip:         o.kubelet.gzip,
			MaxConnections:     maxConnections(openFiles()),
			MaxBodyBytes:       bounds.bodyBytes,
			MaxCompressedBytes: bounds.compressedBytes,
			MaxInFlightBytes:   bounds.inFlightBytes,
		},
		Decoder: kubelet.Options{
			MaxLineBytes:  bounds.lineBytes,
			MaxSeries:     bounds.series,
			MaxContainers: bounds.containers,
		},
		Registry: registry,
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapiserver "k8s.io/apiserver/pkg/server"
)

// Install puts custom.metrics.k8s.io into server if custom is not nil, and
// external.metrics.k8s.io if external is not nil.
func Install(server *genericapiserver.GenericAPIServer, custom Provider, external ExternalProvider) error {
	codecs, err := newCodecs()
	if err != nil {
		return fmt.Errorf("register the types of metrics: %w", err)
	}
	// The empty version is that of discovery.
	writer := newWriter(codecs, append(append(customVersions(), externalVersions()...), schema.GroupVersion{}))
	if custom != nil {
		installCustom(server, writer, custom)
	}
	if external != nil {
		installExternal(server, writer, external)
	}
	return nil
}

func installCustom(server *genericapiserver.GenericAPIServer, writer *writer, provider Provider) {
	versions := customVersions()
	s := &customServer{writer: writer, provider: provider, listed: &listed[MetricInfo]{
		metrics: provider.Metrics,
		list:    listCustom,
		publish: func(entries []entry) {
			for _, version := range versions {
				aggregate(server.AggregatedDiscoveryGroupManager, version, aggregateCustom(entries, customBytes))
			}
		},
	}}
	s.listed.get()
	g := &group{writer: writer, name: customGroup, versions: versions, resources: s.resources, metric: s.metric}
	g.count("GET", "resource")
	g.install(server)
}

func installExternal(server *genericapiserver.GenericAPIServer, writer *writer, provider ExternalProvider) {
	versions := externalVersions()
	s := &externalServer{writer: writer, provider: provider, listed: &listed[string]{
		metrics: provider.ExternalMetrics,
		list:    listExternal,
		publish: func(entries []entry) {
			for _, version := range versions {
				aggregate(server.AggregatedDiscoveryGroupManager, version, aggregateExternal(entries, externalBytes))
			}
		},
	}}
	s.listed.get()
	g := &group{writer: writer, name: externalGroup, versions: versions, resources: s.resources, metric: s.metric}
	g.count("LIST", "namespace")
	g.install(server)
}

// install registers the group's paths and its document.
func (g *group) install(server *genericapiserver.GenericAPIServer) {
	server.DiscoveryGroupManager.AddGroup(g.document())
	server.Handler.NonGoRestfulMux.Handle(groupPath(g.name), g)
	server.Handler.NonGoRestfulMux.HandlePrefix(groupPath(g.name)+"/", g)
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/metrics/pkg/apis/metrics"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// Usage is where usage is read from; *storage.Store is one. Its methods are
// called concurrently.
type Usage interface {
	// Posted is the quick part of Pod, for lists: ok is false where Pod has to be asked.
	Posted(dst *storage.Posted, q *storage.PodQuery, now storage.Millis) (ok bool)
	Pod(dst []storage.ContainerUsage, q storage.PodQuery, now storage.Millis) (storage.PodUsage, storage.Absence)
	Node(name string, now storage.Millis) (storage.NodeUsage, storage.Absence)
	// Offset is what has to be added to times by a node's clock to make them ours.
	Offset(node string) storage.Millis
}

// Source is all that answers are made from. All fields but Metrics are required.
type Source struct {
	Usage Usage
	Nodes *objects.Nodes
	Pods  *objects.Pods
	// Metrics counts what is served; nil counts nothing.
	Metrics *Metrics
}

// now is the moment of an answer.
func now() storage.Millis { return storage.MillisOf(time.Now()) }

// ErrNotSynced is why nothing is served in the first moments after a start.
var ErrNotSynced = errors.New("the cluster's nodes and pods have not been listed yet")

// synced is ErrNotSynced, as an API error, until the objects have been listed:
// before that, an empty list or a "not found" would be untrue.
func (s *Source) synced() error {
	if s.Nodes.HasSynced() && s.Pods.HasSynced() {
		return nil
	}
	return serviceUnavailable(ErrNotSynced)
}

// Install puts metrics.k8s.io in both versions into server.
func Install(server *genericapiserver.GenericAPIServer, source *Source) error {
	_, err := installGroup(server, source)
	return err
}

// installGroup also returns how lists are served, for tests to look into.
func installGroup(server *genericapiserver.GenericAPIServer, source *Source) (*served, error) {
	group := genericapiserver.NewDefaultAPIGroupInfo(metrics.GroupName, Scheme, metav1.ParameterCodec, Codecs)
	versions := []schema.GroupVersion{metricsv1.SchemeGroupVersion, metricsv1beta1.SchemeGroupVersion}
	served := newServed(group.NegotiatedSerializer, versions)
	resources := map[string]rest.Storage{
		"nodes": &nodeStorage{source: source, served: served},
		"pods":  &podStorage{source: source, served: served},
	}
	for _, version := range versions {
		group.VersionedResourcesStorageMap[version.Version] = resources
	}
	if err := server.InstallAPIGroup(&group); err != nil {
		return nil, fmt.Errorf("install API group %s: %w", metrics.GroupName, err)
	}
	return served, nil
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/metrics/pkg/apis/custom_metrics/v1beta1"
	"k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
)

// The groups, and their versions with the preferred one first.
const (
	customGroup   = v1beta2.GroupName
	externalGroup = externalv1beta1.GroupName
)

func customVersions() []schema.GroupVersion {
	return []schema.GroupVersion{v1beta2.SchemeGroupVersion, v1beta1.SchemeGroupVersion}
}

func externalVersions() []schema.GroupVersion {
	return []schema.GroupVersion{externalv1beta1.SchemeGroupVersion}
}

// newCodecs encodes the types of both groups. There is no internal version, as
// typed answers are made in the version that is asked for.
func newCodecs() (serializer.CodecFactory, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1beta2.AddToScheme, v1beta1.AddToScheme, externalv1beta1.AddToScheme} {
		if err := add(scheme); err != nil {
			return serializer.CodecFactory{}, err
		}
	}
	// The option and status types that every API server answers with.
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	return serializer.NewCodecFactory(scheme), nil
}

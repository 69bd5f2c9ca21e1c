// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/metrics/pkg/apis/metrics"
)

// The not-found errors tell an object that does not exist from one that has no
// usage (yet). Clients of metrics-server match on both texts.

func podNotFound(name string) error {
	return apierrors.NewNotFound(corev1.Resource("pods"), name)
}

func podUsageNotFound(namespace, name string) error {
	return apierrors.NewNotFound(metrics.Resource("podmetrics"), namespace+"/"+name)
}

func nodeNotFound(name string) error {
	return apierrors.NewNotFound(corev1.Resource("nodes"), name)
}

func nodeUsageNotFound(name string) error {
	return apierrors.NewNotFound(metrics.Resource("nodemetrics"), name)
}

func serviceUnavailable(why error) error {
	return apierrors.NewServiceUnavailable(why.Error())
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/metrics/pkg/apis/metrics"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// The not-found errors tell an object that does not exist from one that has no
// usage (yet). Clients of metrics-server match on both texts.

func podNotFound(name string) error {
	return apierrors.NewNotFound(corev1.Resource("pods"), name)
}

func podUsageNotFound(namespace, name string, why storage.Absence) error {
	return because(apierrors.NewNotFound(metrics.Resource("podmetrics"), namespace+"/"+name), why)
}

func nodeNotFound(name string) error {
	return apierrors.NewNotFound(corev1.Resource("nodes"), name)
}

func nodeUsageNotFound(name string, why storage.Absence) error {
	return because(apierrors.NewNotFound(metrics.Resource("nodemetrics"), name), why)
}

// causeUsageAbsent is the type of the cause that says why there is no usage. The
// message has no room for it, because clients match on its text.
const causeUsageAbsent metav1.CauseType = "UsageAbsent"

func because(err *apierrors.StatusError, why storage.Absence) error {
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Type: causeUsageAbsent, Message: why.String()})
	return err
}

func serviceUnavailable(why error) error {
	return apierrors.NewServiceUnavailable(why.Error())
}

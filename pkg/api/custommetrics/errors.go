// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// errTooMany is that a provider breaks its contract.
var errTooMany = errors.New("BUG: more than one value of one object")

// notFound is a 404 whose message is the given one and nothing else: an HPA shows
// it as it is.
func notFound(format string, args ...any) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status:  metav1.StatusFailure,
		Code:    http.StatusNotFound,
		Reason:  metav1.StatusReasonNotFound,
		Message: fmt.Sprintf(format, args...),
	}}
}

func badRequest(format string, args ...any) error {
	return apierrors.NewBadRequest(fmt.Sprintf(format, args...))
}

func methodNotAllowed(group, verb string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status:  metav1.StatusFailure,
		Code:    http.StatusMethodNotAllowed,
		Reason:  metav1.StatusReasonMethodNotAllowed,
		Message: fmt.Sprintf("%s can only be read, with GET; %s is not supported", group, verb),
	}}
}

// providerError is what a provider's error is to a client.
func providerError(err error) error {
	if absent, ok := errors.AsType[*NotFound](err); ok {
		return notFound("%s", absent.Message)
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return withoutDelay(status.Status())
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return apierrors.NewServiceUnavailable(fmt.Sprintf("no answer within %s", maxWait))
	}
	return apierrors.NewServiceUnavailable(err.Error())
}

// withoutDelay is status without what would become a Retry-After.
func withoutDelay(status metav1.Status) error {
	if status.Details != nil && status.Details.RetryAfterSeconds != 0 {
		status.Details = status.Details.DeepCopy()
		status.Details.RetryAfterSeconds = 0
	}
	return &apierrors.StatusError{ErrStatus: status}
}

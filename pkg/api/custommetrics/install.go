// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"errors"

	genericapiserver "k8s.io/apiserver/pkg/server"
)

// Install puts custom.metrics.k8s.io into server if custom is not nil, and
// external.metrics.k8s.io if external is not nil.
func Install(server *genericapiserver.GenericAPIServer, custom Provider, external ExternalProvider) error {
	return errors.New("not there yet")
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"time"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
)

// clientsWait is how long after the start the CA of clients is waited for. A cluster
// need not have one, and nobody who comes through kube-apiserver needs it.
const clientsWait = 10 * time.Second

// identities is a check that is nil once it is known whose client certificates count:
// those of the front proxy, which kube-apiserver shows us, and those of clients who
// ask us themselves. The library begins to read their CAs from the cluster when it
// begins to serve, and serves meanwhile: everybody with a certificate is nobody then,
// and forbidden what he may. A replica that is ready must not be like that.
func identities(config *genericapiserver.Config, started time.Time) func() error {
	var proxies, all dynamiccertificates.CAContentProvider
	if header := config.Authentication.RequestHeaderConfig; header != nil {
		proxies = header.CAContentProvider
	}
	if config.SecureServing != nil {
		all = config.SecureServing.ClientCA
	}
	return func() error {
		known := 0
		if proxies != nil {
			if known = len(proxies.CurrentCABundleContent()); known == 0 {
				return errors.New("the front proxy's CA is not known yet")
			}
		}
		// It has the front proxy's and that of clients, as far as they are known.
		if all != nil && all != proxies && len(all.CurrentCABundleContent()) <= known && time.Since(started) < clientsWait {
			return errors.New("the CA of clients is not known yet")
		}
		return nil
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
)

// someCA is a CA that may not be there yet.
type someCA struct {
	dynamiccertificates.CAContentProvider
	content []byte
}

func (c *someCA) CurrentCABundleContent() []byte { return c.content }

func TestIdentities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proxies, clients := &someCA{}, &someCA{}
		config := func(proxies *someCA, all ...dynamiccertificates.CAContentProvider) *genericapiserver.Config {
			c := &genericapiserver.Config{SecureServing: &genericapiserver.SecureServingInfo{}}
			if proxies != nil {
				c.Authentication.RequestHeaderConfig = &authenticatorfactory.RequestHeaderConfig{CAContentProvider: proxies}
			}
			switch len(all) {
			case 1:
				c.SecureServing.ClientCA = all[0]
			case 2:
				c.SecureServing.ClientCA = dynamiccertificates.NewUnionCAContentProvider(all...)
			}
			return c
		}
		both, alone := identities(config(proxies, clients, proxies), time.Now()), identities(config(proxies, proxies), time.Now())
		without, none := identities(config(nil, clients), time.Now()), identities(config(nil), time.Now())
		want := func(when string, wantBoth, wantAlone, wantWithout bool) {
			t.Helper()
			for name, c := range map[string]struct {
				known error
				want  bool
			}{"both": {both(), wantBoth}, "the front proxy alone": {alone(), wantAlone}, "clients alone": {without(), wantWithout}, "none": {none(), true}} {
				if (c.known == nil) != c.want {
					t.Errorf("%s, %s: %v", when, name, c.known)
				}
			}
		}
		want("nothing is known", false, false, false)
		clients.content = []byte("clients")
		want("clients are", false, false, true)
		proxies.content = []byte("the front proxy")
		want("both are", true, true, true)
		clients.content = nil
		want("the front proxy is", false, true, false)
		time.Sleep(clientsWait)
		want("it is, for long", true, true, true)
	})
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"net/http"
	"strings"

	"k8s.io/apiserver/pkg/endpoints/responsewriter"
	genericapiserver "k8s.io/apiserver/pkg/server"
)

// BuildHandlerChain is the generic server's usual chain of handlers, for its
// Config's BuildHandlerChainFunc, but that nobody who asks for custom or external
// metrics is told to come back later: not when too many ask at once, nor while the
// server ends, which filters of the chain answer with Retry-After. client-go would
// sleep on that, several times over, inside one of the HPA's few workers, which has
// other HPAs to look after.
func BuildHandlerChain(handler http.Handler, config *genericapiserver.Config) http.Handler {
	return withoutRetryAfter(genericapiserver.DefaultBuildHandlerChain(handler, config))
}

// withoutRetryAfter takes the header from all that handler answers below the groups'
// paths.
func withoutRetryAfter(handler http.Handler) http.Handler {
	custom, external := groupPath(customGroup)+"/", groupPath(externalGroup)+"/"
	return http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		if path := request.URL.Path; strings.HasPrefix(path, custom) || strings.HasPrefix(path, external) {
			response = responsewriter.WrapForHTTP1Or2(&undelayed{ResponseWriter: response})
		}
		handler.ServeHTTP(response, request)
	})
}

// undelayed is a response that says nothing of when to come back. An answer with
// Retry-After is an error, so it has a status that is written explicitly.
type undelayed struct{ http.ResponseWriter }

var _ responsewriter.UserProvidedDecorator = (*undelayed)(nil)

// WriteHeader is http.ResponseWriter's.
func (u *undelayed) WriteHeader(code int) {
	u.Header().Del("Retry-After")
	u.ResponseWriter.WriteHeader(code)
}

// Unwrap is responsewriter.UserProvidedDecorator's.
func (u *undelayed) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	utilcompatibility "k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/client-go/rest"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/openapi"
)

// chain is the provider behind the generic server's whole chain of handlers.
func chain(b *testing.B, p *Provider) http.Handler {
	b.Helper()
	config := genericapiserver.NewConfig(api.Codecs)
	config.BuildHandlerChainFunc = custommetrics.BuildHandlerChain
	config.ExternalAddress = "metrics.example:443"
	config.LoopbackClientConfig = &rest.Config{}
	config.EffectiveVersion = utilcompatibility.DefaultBuildEffectiveVersion()
	namer := openapinamer.NewDefinitionNamer(api.Scheme)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(openapi.GetOpenAPIDefinitions, namer)
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(openapi.GetOpenAPIDefinitions, namer)
	config.Authentication.Authenticator = authenticator.RequestFunc(func(*http.Request) (*authenticator.Response, bool, error) {
		return &authenticator.Response{User: &user.DefaultInfo{Name: "hpa"}}, true, nil
	})
	config.Authorization.Authorizer = authorizerfactory.NewAlwaysAllowAuthorizer()
	server, err := config.Complete(nil).New("test", genericapiserver.NewEmptyDelegate())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(server.Destroy)
	if err := custommetrics.Install(server, p, nil); err != nil {
		b.Fatal(err)
	}
	server.PrepareRun()
	return server.Handler
}

// BenchmarkRequest is what a list of 1,000 pods' values costs from the request to the
// last byte: the chain of handlers, the values from the stores, and their encoding,
// without TLS.
func BenchmarkRequest(b *testing.B) {
	handler := chain(b, scraped(b, 40, 25))
	for name, metric := range benchmarked() {
		for encoding, accept := range map[string]string{"protobuf": "application/vnd.kubernetes.protobuf, */*", "JSON": "application/json"} {
			b.Run(name+"/"+encoding, func(b *testing.B) {
				body := &bytes.Buffer{}
				b.ReportAllocs()
				for b.Loop() {
					body.Reset()
					recorder := httptest.NewRecorder()
					recorder.Body = body
					request := httptest.NewRequest(http.MethodGet, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/%2A/"+metric+"?labelSelector=app.kubernetes.io%2Fpart-of%3Dshop", http.NoBody)
					request.Header.Set("Accept", accept)
					handler.ServeHTTP(recorder, request)
					if recorder.Code != http.StatusOK || body.Len() < 50_000 {
						b.Fatal(recorder.Code, body.Len())
					}
				}
			})
		}
	}
}

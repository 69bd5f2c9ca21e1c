// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/apitest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
)

// chain is the provider behind the generic server's whole chain of handlers.
func chain(b *testing.B, p *Provider) http.Handler {
	b.Helper()
	config := apitest.Config(api.Scheme, api.Codecs)
	config.BuildHandlerChainFunc = custommetrics.BuildHandlerChain
	config.Authentication.Authenticator = authenticator.RequestFunc(func(*http.Request) (*authenticator.Response, bool, error) {
		return &authenticator.Response{User: &user.DefaultInfo{Name: "hpa"}}, true, nil
	})
	config.Authorization.Authorizer = authorizerfactory.NewAlwaysAllowAuthorizer()
	server := apitest.New(b, config)
	if err := custommetrics.Install(server, p, nil); err != nil {
		b.Fatal(err)
	}
	server.PrepareRun()
	return server.Handler
}

// BenchmarkRequest is what a list of 1,000 pods' values costs from the request to the
// last byte: the chain of handlers, the values from the stores, and their encoding,
// without TLS. What each request costs whatever it asks for, nearly all of it the
// chain of k8s.io/apiserver, is that of one pod's value.
func BenchmarkRequest(b *testing.B) {
	handler := chain(b, scraped(b, 40, 25))
	answer := func(b *testing.B, path, accept string, body *bytes.Buffer) {
		body.Reset()
		recorder := httptest.NewRecorder()
		recorder.Body = body
		request := httptest.NewRequest(http.MethodGet, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/"+path, http.NoBody)
		request.Header.Set("Accept", accept)
		if handler.ServeHTTP(recorder, request); recorder.Code != http.StatusOK {
			b.Fatal(recorder.Code, body)
		}
	}
	const protobuf, json = "application/vnd.kubernetes.protobuf, */*", "application/json"
	all := func(metric string) string {
		return "%2A/" + metric + "?labelSelector=app.kubernetes.io%2Fpart-of%3Dshop"
	}
	body := &bytes.Buffer{}
	answer(b, all("cpu_usage_cores"), json, body)
	pod := regexp.MustCompile(`"describedObject":{[^}]*"name":"([^"]+)"`).FindStringSubmatch(body.String())
	if pod == nil {
		b.Fatalf("no pod in %.300s", body)
	}
	b.Run("one pod/protobuf", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			answer(b, pod[1]+"/cpu_usage_cores", protobuf, body)
		}
	})
	for name, metric := range benchmarked() {
		for encoding, accept := range map[string]string{"protobuf": protobuf, "JSON": json} {
			b.Run(name+"/"+encoding, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if answer(b, all(metric), accept, body); body.Len() < 50_000 {
						b.Fatal(body.Len())
					}
				}
			})
		}
	}
}

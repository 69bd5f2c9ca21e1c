// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package apitest

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	utilcompatibility "k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/client-go/rest"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/openapi"
)

// Config is the configuration of a server of types of scheme, which are those of
// package api; it is given, so that tests within that package can use this one.
func Config(scheme *runtime.Scheme, codecs serializer.CodecFactory) *genericapiserver.Config {
	config := genericapiserver.NewConfig(codecs)
	config.ExternalAddress = "metrics.example:443"
	config.LoopbackClientConfig = &rest.Config{}
	config.EffectiveVersion = utilcompatibility.DefaultBuildEffectiveVersion()
	namer := openapinamer.NewDefinitionNamer(scheme)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(openapi.GetOpenAPIDefinitions, namer)
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(openapi.GetOpenAPIDefinitions, namer)
	return config
}

// New is a server with a configuration, which ends with the test. PrepareRun is left
// to the caller, who installs groups before.
func New(t testing.TB, config *genericapiserver.Config) *genericapiserver.GenericAPIServer {
	t.Helper()
	server, err := config.Complete(nil).New("test", genericapiserver.NewEmptyDelegate())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Destroy)
	return server
}

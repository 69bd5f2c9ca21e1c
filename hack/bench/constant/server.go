// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package constant

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	utilcompatibility "k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/component-base/compatibility"
	"k8s.io/metrics/pkg/apis/metrics"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/openapi"
)

// Options of a server.
type Options struct {
	// Port is where it listens on loopback. CertDir is where it writes its
	// certificate.
	Port    int
	CertDir string
	// Kubeconfig is how it asks kube-apiserver who may what.
	Kubeconfig string
	// Bodies are its answers.
	Bodies Bodies
}

// Run serves until ctx ends.
func Run(ctx context.Context, o Options) error {
	config, err := o.config()
	if err != nil {
		return err
	}
	server, err := config.Complete(nil).New("constant", genericapiserver.NewEmptyDelegate())
	if err != nil {
		return fmt.Errorf("make the API server: %w", err)
	}
	group := genericapiserver.NewDefaultAPIGroupInfo(metrics.GroupName, api.Scheme, metav1.ParameterCodec, api.Codecs)
	group.VersionedResourcesStorageMap["v1beta1"] = map[string]rest.Storage{"pods": &pods{bodies: o.Bodies}}
	if err := server.InstallAPIGroup(&group); err != nil {
		return fmt.Errorf("install the API group: %w", err)
	}
	return server.PrepareRun().RunWithContext(ctx)
}

// config is the product's, less what only flags can change.
func (o Options) config() (*genericapiserver.Config, error) {
	serving := genericoptions.NewSecureServingOptions().WithLoopback()
	serving.BindPort = o.Port
	serving.BindAddress = []byte{127, 0, 0, 1}
	serving.ServerCert.CertDirectory = o.CertDir
	authentication := genericoptions.NewDelegatingAuthenticationOptions()
	authentication.RemoteKubeConfigFile = o.Kubeconfig
	authorization := genericoptions.NewDelegatingAuthorizationOptions()
	authorization.RemoteKubeConfigFile = o.Kubeconfig
	generic := genericoptions.NewServerRunOptionsForComponent("constant", compatibility.NewComponentGlobalsRegistry())

	config := genericapiserver.NewConfig(api.Codecs)
	if err := serving.MaybeDefaultWithSelfSignedCerts("localhost", nil, nil); err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	if err := generic.ApplyTo(config); err != nil {
		return nil, fmt.Errorf("apply the generic options: %w", err)
	}
	if err := serving.ApplyTo(&config.SecureServing, &config.LoopbackClientConfig); err != nil {
		return nil, fmt.Errorf("apply the serving options: %w", err)
	}
	if err := authentication.ApplyTo(&config.Authentication, config.SecureServing, nil); err != nil {
		return nil, fmt.Errorf("apply the authentication options: %w", err)
	}
	if err := authorization.ApplyTo(&config.Authorization); err != nil {
		return nil, fmt.Errorf("apply the authorization options: %w", err)
	}
	config.EnableProfiling = false
	config.EffectiveVersion = utilcompatibility.DefaultBuildEffectiveVersion()
	namer := openapinamer.NewDefinitionNamer(api.Scheme)
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(openapi.GetOpenAPIDefinitions, namer)
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(openapi.GetOpenAPIDefinitions, namer)
	config.OpenAPIConfig.Info.Title, config.OpenAPIV3Config.Info.Title = "constant", "constant"
	return config, nil
}

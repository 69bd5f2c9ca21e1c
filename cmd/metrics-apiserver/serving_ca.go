// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/client-go/kubernetes"
	"k8s.io/component-base/metrics"
	"k8s.io/klog/v2"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/servingca"
)

// serviceName is the Service through which the API server reaches us: the name
// in our manifests, which is metrics-server's.
const serviceName = "metrics-server"

// servingCAOptions are where the CA of our serving certificate is kept.
type servingCAOptions struct {
	secret string // NAMESPACE/NAME; empty: there is no such CA.
}

func (o *servingCAOptions) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.secret, "serving-ca-secret", o.secret, "A Secret, as NAMESPACE/NAME, that exists and that may be empty: a CA is kept in it and renewed, the serving certificate is one of that CA, "+
		"and its bundle is written into the APIServices of what is served that refer to the Service "+serviceName+" in that namespace and do not have insecureSkipTLSVerify. "+
		"Excludes --tls-cert-file; --cert-dir is then not used. Not in metrics-server.")
}

func (o *servingCAOptions) validate(serving *genericoptions.SecureServingOptions) []error {
	if o.secret == "" {
		return nil
	}
	var errs []error
	if _, err := o.secretName(); err != nil {
		errs = append(errs, err)
	}
	if pair := serving.ServerCert.CertKey; pair.CertFile != "" || pair.KeyFile != "" {
		errs = append(errs, errors.New("--serving-ca-secret and --tls-cert-file or --tls-private-key-file exclude each other: leave one of them out"))
	}
	if serving.BindPort == 0 {
		errs = append(errs, errors.New("--serving-ca-secret is of no use with --secure-port=0: leave one of them out"))
	}
	return errs
}

// secretName is the flag's value in its two parts.
func (o *servingCAOptions) secretName() (types.NamespacedName, error) {
	namespace, name, ok := strings.Cut(o.secret, "/")
	if !ok {
		return types.NamespacedName{}, fmt.Errorf("--serving-ca-secret is %q: must be NAMESPACE/NAME", o.secret)
	}
	if err := checkName("serving-ca-secret", o.secret, "namespace", namespace, validation.IsDNS1123Label); err != nil {
		return types.NamespacedName{}, err
	}
	if err := checkName("serving-ca-secret", o.secret, "Secret", name, validation.IsDNS1123Subdomain); err != nil {
		return types.NamespacedName{}, err
	}
	return types.NamespacedName{Namespace: namespace, Name: name}, nil
}

// keeper is what keeps the CA and makes our serving certificate, which serving
// is told to use; nil where nobody asked for it. Its bundle is for those who ask
// for what is served.
func (o *servingCAOptions) keeper(client kubernetes.Interface, registry metrics.KubeRegistry, serving *genericoptions.SecureServingOptions, served ...schema.GroupVersion) (*servingca.Keeper, error) {
	if o.secret == "" {
		return nil, nil
	}
	secret, err := o.secretName()
	if err != nil {
		return nil, err
	}
	apiServices := make([]string, 0, len(served))
	for _, version := range served {
		apiServices = append(apiServices, version.Version+"."+version.Group)
	}
	keeper, err := servingca.New(servingca.Options{
		Client:      client,
		Secret:      secret,
		Service:     types.NamespacedName{Namespace: secret.Namespace, Name: serviceName},
		APIServices: apiServices,
		Registry:    registry,
	})
	if err != nil {
		return nil, err
	}
	serving.ServerCert.GeneratedCert = keeper.Certificate()
	return keeper, nil
}

// awaitCertificate waits until there is a certificate to serve with, where a CA
// is kept. To be stopped while waiting is no error.
func (s *server) awaitCertificate(ctx context.Context) error {
	if s.servingCA == nil {
		return nil
	}
	klog.FromContext(ctx).Info("Waiting for a serving certificate", "from", s.servingCA.Certificate().Name())
	if err := s.servingCA.Ready(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

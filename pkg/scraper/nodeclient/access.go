// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"errors"
	"fmt"

	"k8s.io/client-go/rest"
)

// Access says how nodes are trusted and what is shown to them, on top of the
// configuration with which the Kubernetes API is reached. It has the meaning of
// metrics-server's flags of these names.
type Access struct {
	// CAFile replaces the certificate authorities (--kubelet-certificate-authority).
	CAFile string
	// CertFile and KeyFile replace the client certificate
	// (--kubelet-client-certificate, --kubelet-client-key).
	CertFile, KeyFile string
	// InsecureTLS leaves nodes' certificates unverified
	// (--kubelet-insecure-tls). Whoever sets it says that the credentials may
	// be sent to whom nobody verified.
	InsecureTLS bool
	// CompletelyInsecure is plain http without any credentials
	// (--deprecated-kubelet-completely-insecure).
	CompletelyInsecure bool
}

// Validate says what is wrong with the combination, in the words of the flags.
func (a Access) Validate() error {
	const (
		ca                 = "--kubelet-certificate-authority"
		cert, key          = "--kubelet-client-certificate", "--kubelet-client-key"
		insecure           = "--kubelet-insecure-tls"
		completelyInsecure = "--deprecated-kubelet-completely-insecure"
	)
	var errs []error
	exclude := func(aSet bool, a string, bSet bool, b string) {
		if aSet && bSet {
			errs = append(errs, fmt.Errorf("%s and %s exclude each other: leave one of them out", a, b))
		}
	}
	exclude(a.CAFile != "", ca, a.InsecureTLS, insecure)
	exclude(a.InsecureTLS, insecure, a.CompletelyInsecure, completelyInsecure)
	exclude(a.CAFile != "", ca, a.CompletelyInsecure, completelyInsecure)
	exclude(a.CertFile != "", cert, a.CompletelyInsecure, completelyInsecure)
	exclude(a.KeyFile != "", key, a.CompletelyInsecure, completelyInsecure)
	if (a.CertFile == "") != (a.KeyFile == "") {
		errs = append(errs, fmt.Errorf("%s and %s go together: give both or none", cert, key))
	}
	return errors.Join(errs...)
}

// Scheme is how nodes are spoken to.
func (a Access) Scheme() string {
	if a.CompletelyInsecure {
		return "http"
	}
	return "https"
}

// Config is the configuration for nodes: base, which is not written, with what
// Access says. What base says of the API server alone is left out: its name in
// its certificate, its proxy, and its way to dial.
func (a Access) Config(base *rest.Config) *rest.Config {
	config := rest.CopyConfig(base)
	if a.CompletelyInsecure {
		config = rest.AnonymousClientConfig(config)
		config.TLSClientConfig = rest.TLSClientConfig{}
	}
	config.ServerName, config.Proxy, config.Dial = "", nil, nil
	tls := &config.TLSClientConfig
	if a.InsecureTLS {
		tls.Insecure, tls.CAFile, tls.CAData = true, "", nil
	}
	if a.CAFile != "" {
		// Who names an authority wants it asked, whatever base says.
		tls.Insecure, tls.CAFile, tls.CAData = false, a.CAFile, nil
	}
	if a.CertFile != "" {
		tls.CertFile, tls.CertData = a.CertFile, nil
	}
	if a.KeyFile != "" {
		tls.KeyFile, tls.KeyData = a.KeyFile, nil
	}
	return config
}

// hasCredentials says whether requests made with config would carry any.
func hasCredentials(config *rest.Config) bool {
	return config.BearerToken != "" || config.BearerTokenFile != "" || config.Username != "" ||
		len(config.CertData) > 0 || config.CertFile != "" ||
		config.ExecProvider != nil || config.AuthProvider != nil
}

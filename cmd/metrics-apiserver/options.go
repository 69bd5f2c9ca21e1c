// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/compatibility"
	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
	_ "k8s.io/component-base/logs/json/register" // --logging-format=json
)

// options are all that the command line says. Names, meaning and defaults are
// metrics-server's, so that its manifests work unchanged; what differs says so.
type options struct {
	metricResolution time.Duration
	showVersion      bool
	kubeconfig       string

	kubelet        *kubeletOptions
	customMetrics  *customMetricsOptions
	history        *historyOptions
	remoteWrite    *remoteWriteOptions
	generic        *genericoptions.ServerRunOptions
	serving        *genericoptions.SecureServingOptions
	servingCA      *servingCAOptions
	authentication *genericoptions.DelegatingAuthenticationOptions
	authorization  *genericoptions.DelegatingAuthorizationOptions
	audit          *genericoptions.AuditOptions
	features       *genericoptions.FeatureOptions
	logging        *logs.Options
}

func newOptions() *options {
	o := &options{
		metricResolution: 60 * time.Second,

		kubelet:        newKubeletOptions(),
		customMetrics:  &customMetricsOptions{},
		history:        &historyOptions{},
		remoteWrite:    &remoteWriteOptions{lease: defaultLease},
		generic:        genericoptions.NewServerRunOptionsForComponent("metrics-apiserver", compatibility.NewComponentGlobalsRegistry()),
		serving:        genericoptions.NewSecureServingOptions(),
		servingCA:      &servingCAOptions{},
		authentication: genericoptions.NewDelegatingAuthenticationOptions(),
		authorization:  genericoptions.NewDelegatingAuthorizationOptions(),
		audit:          genericoptions.NewAuditOptions(),
		features:       genericoptions.NewFeatureOptions(),
		logging:        logs.NewOptions(),
	}
	// The HPA asks every 15 s for each of its metrics. With the library's 10 s
	// every such request would cost kube-apiserver a SubjectAccessReview. The
	// price: a right that is revoked lives a minute longer.
	o.authorization.AllowCacheTTL = 60 * time.Second
	// Profiling shows memory to whoever may read non-resource paths, so it is
	// there only where asked for. metrics-server has it always on.
	o.features.EnableProfiling = false
	return o
}

// flags are the command line's flags in their sections.
func (o *options) flags() (sets cliflag.NamedFlagSets) {
	fs := sets.FlagSet("metrics server")
	fs.DurationVar(&o.metricResolution, "metric-resolution", o.metricResolution, "The time between two scrapes of one node, at least 10s. Usage is served as long as it is not older than three times this, or twice this and 30s.")
	fs.BoolVar(&o.showVersion, "version", false, "Print the version and exit.")
	fs.StringVar(&o.kubeconfig, "kubeconfig", o.kubeconfig, "The kubeconfig file with which to reach the Kubernetes API server and the kubelets. Without it, the pod's service account is used.")

	o.generic.AddUniversalFlags(sets.FlagSet("generic"))
	o.kubelet.addFlags(sets.FlagSet("kubelet client"))
	o.customMetrics.addFlags(sets.FlagSet("custom metrics"))
	o.history.addFlags(sets.FlagSet("custom metrics"))
	o.remoteWrite.addFlags(sets.FlagSet("remote-write"))
	o.serving.AddFlags(sets.FlagSet("apiserver secure serving"))
	o.servingCA.addFlags(sets.FlagSet("apiserver secure serving"))
	o.authentication.AddFlags(sets.FlagSet("apiserver authentication"))
	o.authorization.AddFlags(sets.FlagSet("apiserver authorization"))
	o.audit.AddFlags(sets.FlagSet("apiserver audit log"))
	o.features.AddFlags(sets.FlagSet("features"))
	logsapi.AddFlags(o.logging, sets.FlagSet("logging"))
	return sets
}

// complete fills in what follows from other flags.
func (o *options) complete(inCluster bool) {
	// Outside of a cluster there is no other kubeconfig that could be meant.
	if inCluster || o.kubeconfig == "" {
		return
	}
	if o.authentication.RemoteKubeConfigFile == "" {
		o.authentication.RemoteKubeConfigFile = o.kubeconfig
	}
	if o.authorization.RemoteKubeConfigFile == "" {
		o.authorization.RemoteKubeConfigFile = o.kubeconfig
	}
}

// validate says all that is wrong with the flags, not just the first.
func (o *options) validate() error {
	errs := o.kubelet.validate()
	if o.metricResolution < 10*time.Second {
		errs = append(errs, fmt.Errorf("--metric-resolution is %v: must be at least 10s, because kubelets do not refresh their figures more often", o.metricResolution))
	} else if o.metricResolution*9/10 < o.kubelet.requestTimeout {
		errs = append(errs, fmt.Errorf("--kubelet-request-timeout is %v: must be at most nine tenths of --metric-resolution, which is %v, so that one scrape has ended when the next begins", o.kubelet.requestTimeout, o.metricResolution))
	}
	errs = append(errs, o.customMetrics.validate()...)
	errs = append(errs, o.history.validate(o.customMetrics.config)...)
	errs = append(errs, o.remoteWrite.validate()...)
	errs = append(errs, o.generic.Validate()...)
	errs = append(errs, o.serving.Validate()...)
	errs = append(errs, o.servingCA.validate(o.serving)...)
	errs = append(errs, o.authentication.Validate()...)
	errs = append(errs, o.authorization.Validate()...)
	errs = append(errs, o.audit.Validate()...)
	errs = append(errs, o.features.Validate()...)
	return errors.Join(errs...)
}

// nodeSelector is the parsed --node-selector.
func (o *options) nodeSelector() (labels.Selector, error) {
	selector, err := labels.Parse(strings.TrimSpace(o.kubelet.nodeSelector))
	if err != nil {
		return nil, fmt.Errorf("--node-selector %q: %w", o.kubelet.nodeSelector, err)
	}
	return selector, nil
}

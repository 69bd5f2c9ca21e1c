// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
)

// kubeletOptions are how kubelets are reached. All names and meanings are
// metrics-server's.
type kubeletOptions struct {
	port                  int
	useNodeStatusPort     bool
	preferredAddressTypes []string
	access                nodeclient.Access
	requestTimeout        time.Duration
	nodeSelector          string
	summary               bool
	gzip                  bool
	bounds                kubeletBounds
}

// kubeletBounds bound what one kubelet's answer can cost us. How often each was
// reached is counted in metrics_apiserver_scrape_bound_reached_total, that of a
// line in metrics_apiserver_scrape_refused_series_total.
type kubeletBounds struct {
	bodyBytes, compressedBytes, inFlightBytes int64
	lineBytes, series, containers             int
}

// addressTypes are the types a Node's addresses can have, in the order of
// metrics-server's default.
func addressTypes() []string {
	return []string{
		string(corev1.NodeHostName), string(corev1.NodeInternalDNS), string(corev1.NodeInternalIP),
		string(corev1.NodeExternalDNS), string(corev1.NodeExternalIP),
	}
}

func newKubeletOptions() *kubeletOptions {
	return &kubeletOptions{
		port:                  10250,
		preferredAddressTypes: addressTypes(),
		requestTimeout:        10 * time.Second,
		summary:               true,
		bounds: kubeletBounds{
			bodyBytes: 16 << 20, compressedBytes: 8 << 20, inFlightBytes: 48 << 20,
			lineBytes: exposition.MaxLineBytes, series: 100_000, containers: 10_000,
		},
	}
}

func (o *kubeletOptions) addFlags(fs *pflag.FlagSet) {
	fs.IntVar(&o.port, "kubelet-port", o.port, "The port of kubelets.")
	fs.BoolVar(&o.useNodeStatusPort, "kubelet-use-node-status-port", o.useNodeStatusPort, "Use the port in the node's status, where it has one, over --kubelet-port.")
	fs.StringSliceVar(&o.preferredAddressTypes, "kubelet-preferred-address-types", o.preferredAddressTypes, "The types of node addresses to use, in this order. Where the first cannot be reached, the next is tried.")
	fs.StringVar(&o.access.CAFile, "kubelet-certificate-authority", o.access.CAFile, "A file with the certificate authorities that sign the kubelets' serving certificates; read again when it changes.")
	fs.StringVar(&o.access.CertFile, "kubelet-client-certificate", o.access.CertFile, "A client certificate to show to kubelets; read again when it changes.")
	fs.StringVar(&o.access.KeyFile, "kubelet-client-key", o.access.KeyFile, "The key of --kubelet-client-certificate.")
	fs.BoolVar(&o.access.InsecureTLS, "kubelet-insecure-tls", o.access.InsecureTLS, "Do not verify the serving certificates of kubelets. Whoever can answer in place of a kubelet then learns our credentials; for testing.")
	fs.BoolVar(&o.access.CompletelyInsecure, "deprecated-kubelet-completely-insecure", o.access.CompletelyInsecure, "DEPRECATED: Reach kubelets over plain http, without any credentials.")
	fs.DurationVar(&o.requestTimeout, "kubelet-request-timeout", o.requestTimeout, "The time after which a request to a kubelet is given up.")
	fs.StringVarP(&o.nodeSelector, "node-selector", "l", o.nodeSelector, "A label selector: only nodes that match are scraped and served, e.g. -l key1=value1,key2!=value2.")
	fs.BoolVar(&o.summary, "kubelet-summary", o.summary, "Ask a node's /stats/summary for the kubelet's own CPU rates until there are two samples of our own, so that answers are there seconds after a start. Needs get on nodes/stats; without that right, answers come a little later. Not in metrics-server.")
	fs.BoolVar(&o.gzip, "kubelet-gzip", o.gzip, "Ask kubelets to compress their answers, which saves network and costs CPU on both sides. Not in metrics-server.")
	o.bounds.addFlags(fs)
}

func (b *kubeletBounds) addFlags(fs *pflag.FlagSet) {
	fs.Int64Var(&b.bodyBytes, "kubelet-max-body-bytes", b.bodyBytes, "The longest answer of a kubelet, decompressed; a longer one fails the scrape. Not in metrics-server, like all flags kubelet-max.")
	fs.Int64Var(&b.compressedBytes, "kubelet-max-compressed-bytes", b.compressedBytes, "The longest compressed answer of a kubelet; a longer one fails the scrape.")
	fs.Int64Var(&b.inFlightBytes, "kubelet-max-in-flight-bytes", b.inFlightBytes, "The memory that all answers together may take while they are read, at least twice --kubelet-max-body-bytes. A scrape waits for its share.")
	fs.IntVar(&b.lineBytes, "kubelet-max-line-bytes", b.lineBytes, "The longest line of an answer, at most 65535; a longer one is left out.")
	fs.IntVar(&b.series, "kubelet-max-series", b.series, "The most series in an answer; more fail the scrape.")
	fs.IntVar(&b.containers, "kubelet-max-containers", b.containers, "The most containers in an answer; more fail the scrape.")
}

func (b *kubeletBounds) validate() []error {
	var errs []error
	for _, bound := range []struct {
		flag  string
		value int64
	}{
		{"--kubelet-max-body-bytes", b.bodyBytes},
		{"--kubelet-max-compressed-bytes", b.compressedBytes},
		{"--kubelet-max-line-bytes", int64(b.lineBytes)},
		{"--kubelet-max-series", int64(b.series)},
		{"--kubelet-max-containers", int64(b.containers)},
	} {
		if bound.value < 1 {
			errs = append(errs, fmt.Errorf("%s is %d: must be at least 1", bound.flag, bound.value))
		}
	}
	if b.inFlightBytes < 2*b.bodyBytes {
		errs = append(errs, fmt.Errorf("--kubelet-max-in-flight-bytes is %d: must be at least twice --kubelet-max-body-bytes, which is %d", b.inFlightBytes, b.bodyBytes))
	}
	if b.lineBytes > exposition.MaxLineBytes {
		errs = append(errs, fmt.Errorf("--kubelet-max-line-bytes is %d: must be at most %d", b.lineBytes, exposition.MaxLineBytes))
	}
	return errs
}

func (o *kubeletOptions) validate() []error {
	errs := append(o.bounds.validate(), o.access.Validate())
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.requestTimeout <= 0 {
		refuse("--kubelet-request-timeout is %v: must be more than 0", o.requestTimeout)
	}
	if o.port < 1 || o.port > 65535 {
		refuse("--kubelet-port is %d: must be from 1 to 65535", o.port)
	}
	if len(o.preferredAddressTypes) == 0 {
		refuse("--kubelet-preferred-address-types is empty: name at least one of %s", strings.Join(addressTypes(), ", "))
	}
	for _, t := range o.preferredAddressTypes {
		if !slices.Contains(addressTypes(), t) {
			refuse("--kubelet-preferred-address-types has %q: the types are %s", t, strings.Join(addressTypes(), ", "))
		}
	}
	if _, err := labels.Parse(strings.TrimSpace(o.nodeSelector)); err != nil {
		refuse("--node-selector %q: %w", o.nodeSelector, err)
	}
	return errs
}

// nodeOptions are where a node's kubelet is to be found.
func (o *kubeletOptions) nodeOptions() scraper.NodeOptions {
	options := scraper.NodeOptions{Port: o.port, UseStatusPort: o.useNodeStatusPort, Scheme: o.access.Scheme()}
	for _, t := range o.preferredAddressTypes {
		options.AddressTypes = append(options.AddressTypes, corev1.NodeAddressType(t))
	}
	return options
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"errors"
	"fmt"
	"net"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/version"
)

// ResourcePathAnnotation on a Node replaces the path of its resource metrics,
// for nodes that are not served by a kubelet of their own.
const ResourcePathAnnotation = "metrics.k8s.io/resource-metrics-path"

// NodeOptions say how a Target is made from a Node.
type NodeOptions struct {
	// AddressTypes are the types of addresses to use, in the order to try; of
	// one type, all are tried in the order in which the Node has them. Empty is
	// Hostname, InternalDNS, InternalIP, ExternalDNS, ExternalIP.
	AddressTypes []corev1.NodeAddressType
	// Port is the kubelet's port. 0 is 10250.
	Port int
	// UseStatusPort prefers the port that the Node's status names.
	UseStatusPort bool
	// Scheme is https or http. Empty is https.
	Scheme string
}

func (o NodeOptions) withDefaults() NodeOptions {
	if len(o.AddressTypes) == 0 {
		o.AddressTypes = []corev1.NodeAddressType{
			corev1.NodeHostName, corev1.NodeInternalDNS, corev1.NodeInternalIP, corev1.NodeExternalDNS, corev1.NodeExternalIP,
		}
	}
	if o.Port == 0 {
		o.Port = 10250
	}
	if o.Scheme == "" {
		o.Scheme = "https"
	}
	return o
}

// Validate says what is wrong with the options.
func (o NodeOptions) Validate() error {
	var errs []error
	if o.Port < 0 || o.Port > 65535 {
		errs = append(errs, fmt.Errorf("kubelet port %d: must be between 1 and 65535", o.Port))
	}
	for _, t := range o.AddressTypes {
		if !slices.Contains(NodeOptions{}.withDefaults().AddressTypes, t) {
			errs = append(errs, fmt.Errorf("address type %q: must be one of %v", t, NodeOptions{}.withDefaults().AddressTypes))
		}
	}
	if o.Scheme != "" && o.Scheme != "https" && o.Scheme != "http" {
		errs = append(errs, fmt.Errorf("scheme %q: must be https or http", o.Scheme))
	}
	return errors.Join(errs...)
}

// TargetOf is the target of a Node. A Node that cannot be scraped is a target
// all the same, so that it shows as one that fails, and why. The Node is not
// kept.
func TargetOf(node *corev1.Node, options NodeOptions) Target {
	options = options.withDefaults()
	target := Target{Name: node.Name, Port: options.Port, Scheme: options.Scheme, ResourcePath: DefaultResourcePath}
	if port := int(node.Status.DaemonEndpoints.KubeletEndpoint.Port); options.UseStatusPort && port > 0 && port <= 65535 {
		target.Port = port
	}
	if p := node.Annotations[ResourcePathAnnotation]; p != "" {
		clean, err := CleanResourcePath(p)
		if err != nil {
			target.Problem = fmt.Sprintf("annotation %s: %v", ResourcePathAnnotation, err)
		}
		target.ResourcePath = clean
	}
	target.Selects = target.ResourcePath == DefaultResourcePath && selects(node.Status.NodeInfo.KubeletVersion)
	for _, t := range options.AddressTypes {
		for _, address := range node.Status.Addresses {
			if address.Type == t && isHost(address.Address) {
				target.Addresses = append(target.Addresses, Address{Type: string(t), Host: address.Address})
			}
		}
	}
	if len(target.Addresses) == 0 {
		target.Problem = fmt.Sprintf("node has no address of the types %v", options.AddressTypes)
	}
	return target
}

// selects is whether a kubelet of that version knows kubelet.ResourceQuery; what is
// no version does not. Whoever claims a version and does not know it gives everything.
func selects(kubeletVersion string) bool {
	v, err := version.ParseGeneric(kubeletVersion)
	return err == nil && v.AtLeast(version.MajorMinor(1, 37))
}

// isHost says whether s can be dialed and written into a Host header: nodes
// report their addresses themselves.
func isHost(s string) bool {
	return net.ParseIP(s) != nil || len(validation.IsDNS1123Subdomain(s)) == 0
}

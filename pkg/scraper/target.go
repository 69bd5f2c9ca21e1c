// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
)

// DefaultResourcePath is where kubelets serve resource metrics.
const DefaultResourcePath = "/metrics/resource"

// Address is one address of a node.
type Address struct {
	// Type is InternalIP, Hostname and so on; it is only for people to read.
	Type string
	// Host is an IP address or a DNS name.
	Host string
}

// Target is a node to scrape. It is immutable.
type Target struct {
	// Name is the node's name. Its certificate may be issued for it.
	Name string
	// Addresses are tried in this order. A node may have none yet; then its
	// scrapes fail until it has.
	Addresses []Address
	// Port is the kubelet's TCP port.
	Port int
	// Scheme is https or http.
	Scheme string
	// ResourcePath is where the node serves resource metrics.
	ResourcePath string
	// Selects is whether the node's kubelet leaves out families of resource metrics
	// that a request does not name; see kubelet.ResourceQuery.
	Selects bool
	// Problem says why the node cannot be scraped though there is an address;
	// empty is: it can.
	Problem string
}

// Equal says whether t and o are the same.
func (t Target) Equal(o Target) bool {
	return t.Name == o.Name && t.Port == o.Port && t.Scheme == o.Scheme && t.ResourcePath == o.ResourcePath &&
		t.Selects == o.Selects && t.Problem == o.Problem && slices.Equal(t.Addresses, o.Addresses)
}

// endpoint is where the target is dialed: each host once.
func (t Target) endpoint() nodeclient.Endpoint {
	e := nodeclient.Endpoint{Node: t.Name, Scheme: t.Scheme, Port: t.Port}
	for _, address := range t.Addresses {
		if !slices.Contains(e.Hosts, address.Host) {
			e.Hosts = append(e.Hosts, address.Host)
		}
	}
	return e
}

// CleanResourcePath is the path of a node's resource metrics, where something
// other than the node's operator may have written it: it must lie below
// /metrics, the only part of a kubelet that our rights are meant for, and
// cannot be written so that the kubelet reads it in another way.
func CleanResourcePath(p string) (string, error) {
	const (
		root = "/metrics/"
		// What nobody escapes in a path.
		pathCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~$&+,:=@/"
	)
	switch {
	case !strings.HasPrefix(p, root):
		return "", fmt.Errorf("path %.64q is not below /metrics", p)
	case strings.ContainsFunc(p, func(r rune) bool { return !strings.ContainsRune(pathCharacters, r) }):
		return "", fmt.Errorf("path %.64q has a character that is not allowed in it", p)
	case slices.Contains(strings.Split(p, "/"), ".."):
		return "", fmt.Errorf("path %.64q has a .. in it", p)
	}
	clean := path.Clean(p)
	if !strings.HasPrefix(clean, root) {
		return "", errors.New("path is /metrics itself, not below it")
	}
	return clean, nil
}

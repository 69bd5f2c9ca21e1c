// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/hack/toolchain"
)

const (
	// serverName is our server's name as a component of the cluster.
	serverName = "metrics-apiserver"
	// The names that manifests/base gives it in a cluster.
	serviceNamespace = "kube-system"
	serviceName      = "metrics-server"
	// developmentVersion is what the server says of itself. It is the same for
	// all checkouts, so that an unchanged server is an unchanged file.
	developmentVersion = "v0.0.0-dev"
	// externalFlag is one that servers of older checkouts were started without.
	externalFlag = "--external-metrics"
)

// servedAPIs returns the APIServices of our server.
func servedAPIs() []cluster.GroupVersion {
	return []cluster.GroupVersion{
		{Group: "metrics.k8s.io", Version: "v1", Priority: 110},
		{Group: "metrics.k8s.io", Version: "v1beta1", Priority: 100},
		{Group: "custom.metrics.k8s.io", Version: "v1beta2", Priority: 110},
		{Group: "custom.metrics.k8s.io", Version: "v1beta1", Priority: 100},
		{Group: "external.metrics.k8s.io", Version: "v1beta1", Priority: 100},
	}
}

// deployProcess builds our server from the checkout, runs it as a process of
// this machine with the rights that the manifests give it, and registers it.
// If it runs already and has not changed, little happens.
func deployProcess(ctx context.Context, w io.Writer, c *cluster.Cluster, receiver *prometheus) error {
	bin := filepath.Join(c.Dir(), "bin", serverName)
	changed, err := buildServer(ctx, w, bin)
	if err != nil {
		return err
	}
	dir := filepath.Join(c.Dir(), serverName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("run %s: %w", serverName, err)
	}
	// Simulated nodes have no other document.
	shipping, err := writeIfChanged(configFile(c), serverConfig(receiver, "[resource]", filepath.Join(dir, "queue")))
	if err != nil {
		return err
	}
	changed = changed || shipping
	if err := applyRights(ctx, c); err != nil {
		return err
	}
	port, err := runServer(ctx, w, c, bin, changed)
	if err != nil {
		return err
	}
	err = c.Register(ctx, cluster.External{
		Namespace: serviceNamespace,
		Name:      serviceName,
		Port:      port,
		CABundle:  c.CA().CertPEM(),
		APIs:      servedAPIs(),
	})
	if err != nil {
		return err
	}
	return c.WaitForAPIs(ctx, servedAPIs()...)
}

// configFile is our server's configuration where it is a process.
func configFile(c *cluster.Cluster) string { return filepath.Join(c.Dir(), serverName, "config.yaml") }

func configFlag(c *cluster.Cluster) string { return "--config=" + configFile(c) }

// writeIfChanged writes a file that says something else, and reports whether it does.
func writeIfChanged(file string, text []byte) (changed bool, err error) {
	before, err := os.ReadFile(file)
	if err == nil && bytes.Equal(before, text) {
		return false, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("write %s: %w", file, err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return false, fmt.Errorf("write %s: %w", file, err)
	}
	return true, nil
}

// buildServer compiles our server to bin, and reports whether bin has changed.
func buildServer(ctx context.Context, w io.Writer, bin string) (changed bool, err error) {
	next := bin + ".new"
	flags := "-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=" + developmentVersion
	if err := toolchain.BuildPackage(ctx, w, "./cmd/metrics-apiserver", next, flags); err != nil {
		return false, err
	}
	before, err := hashOf(bin)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	after, err := hashOf(next)
	if err != nil {
		return false, err
	}
	if bytes.Equal(before, after) {
		return false, os.Remove(next)
	}
	return true, os.Rename(next, bin)
}

func hashOf(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, fmt.Errorf("hash %s: %w", file, err)
	}
	return h.Sum(nil), nil
}

// applyRights applies the parts of the manifests that give the server its rights
// and users the right to ask it.
func applyRights(ctx context.Context, c *cluster.Cluster) error {
	overlay, err := writeOverlay(c.Dir(), "dev", nil)
	if err != nil {
		return err
	}
	manifest, err := c.Kubectl(ctx, "kustomize", overlay)
	if err != nil {
		return err
	}
	rights, err := selectKinds([]byte(manifest), "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "RoleBinding")
	if err != nil {
		return fmt.Errorf("read the manifests: %w", err)
	}
	return c.Apply(ctx, rights)
}

// selectKinds returns those documents of a YAML text that are of the kinds.
func selectKinds(manifest []byte, kinds ...string) ([]byte, error) {
	var selected [][]byte
	for document := range bytes.SplitSeq(manifest, []byte("\n---\n")) {
		var object unstructured.Unstructured
		if err := yaml.Unmarshal(document, &object.Object); err != nil {
			return nil, err
		}
		if slices.Contains(kinds, object.GetKind()) {
			selected = append(selected, document)
		}
	}
	if len(selected) == 0 {
		return nil, fmt.Errorf("it has no object of the kinds %v", kinds)
	}
	return bytes.Join(selected, []byte("\n---\n")), nil
}

// runServer makes the server a component of the cluster, restarts it if its binary
// or its configuration has changed, and returns its port.
func runServer(ctx context.Context, w io.Writer, c *cluster.Cluster, bin string, changed bool) (int, error) {
	if component, ok := c.Component(serverName); ok {
		port, err := portOf(component.Health)
		if err != nil {
			return 0, err
		}
		argv := slices.Clone(component.Argv)
		for _, flag := range []string{externalFlag, configFlag(c)} {
			if !slices.Contains(argv, flag) {
				argv = append(argv, flag)
			}
		}
		switch {
		case len(argv) > len(component.Argv):
			// It was started by an older checkout.
			component.Argv = argv
			if err = c.StopComponent(ctx, serverName); err == nil {
				err = c.Add(ctx, component)
			}
		case changed && c.Running(serverName):
			fmt.Fprintf(w, "restarting %s, which has changed\n", serverName)
			err = c.RestartComponent(ctx, serverName)
		case !c.Running(serverName):
			err = c.StartComponent(ctx, serverName)
		}
		return port, err
	}
	component, port, err := serverComponent(c, bin)
	if err != nil {
		return 0, err
	}
	fmt.Fprintf(w, "starting %s; it is ready when it can answer for all pods\n", serverName)
	return port, c.Add(ctx, component)
}

// serverComponent puts together how our server is run.
func serverComponent(c *cluster.Cluster, bin string) (cluster.Component, int, error) {
	// In a cluster it would be this service account.
	kubeconfig, err := c.ClientKubeconfig("system:serviceaccount:"+serviceNamespace+":"+serviceName,
		"system:serviceaccounts", "system:serviceaccounts:"+serviceNamespace)
	if err != nil {
		return cluster.Component{}, 0, err
	}
	dir := filepath.Join(c.Dir(), serverName)
	// kube-apiserver verifies it for the Service's name, we for the address.
	certFile, keyFile, err := c.CA().WriteServer(dir, "serving",
		serviceName+"."+serviceNamespace+".svc", "localhost", c.BindAddress())
	if err != nil {
		return cluster.Component{}, 0, err
	}
	port, err := cluster.FreePort(c.BindAddress())
	if err != nil {
		return cluster.Component{}, 0, fmt.Errorf("run %s: %w", serverName, err)
	}
	return cluster.Component{
		Name: serverName,
		Argv: []string{
			bin,
			"--kubeconfig=" + kubeconfig,
			"--authentication-kubeconfig=" + kubeconfig,
			"--authorization-kubeconfig=" + kubeconfig,
			"--bind-address=" + c.BindAddress(),
			"--secure-port=" + strconv.Itoa(port),
			"--tls-cert-file=" + certFile,
			"--tls-private-key-file=" + keyFile,
			"--kubelet-certificate-authority=" + c.CA().CertFile,
			"--kubelet-preferred-address-types=InternalIP,Hostname",
			"--kubelet-use-node-status-port",
			"--metric-resolution=15s",
			"--custom-metrics",
			externalFlag,
			configFlag(c),
		},
		Health: "https://" + net.JoinHostPort(c.BindAddress(), strconv.Itoa(port)) + "/readyz",
	}, port, nil
}

// portOf returns the port of a URL.
func portOf(address string) (int, error) {
	u, err := url.Parse(address)
	if err != nil {
		return 0, fmt.Errorf("find the port of %s: %w", serverName, err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		return 0, fmt.Errorf("find the port of %s: %w", serverName, err)
	}
	return port, nil
}

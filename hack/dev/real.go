// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster/realnode"
	"github.com/metrics-apiserver/metrics-apiserver/hack/image"
)

// realNodes is the kind of nodes that needs Linux and root.
const realNodes = "real"

// imageName is what manifests/base calls our image.
const imageName = "metrics-apiserver"

//go:embed real.yaml
var realSample []byte

// realNode is the environment of one real node, with our server as a pod that is
// installed as a user would.
type realNode struct{}

func (realNode) start(ctx context.Context, opts cluster.Options) (*cluster.Cluster, error) {
	n, err := realnode.Start(ctx, realnode.Options{
		Dir:      opts.Dir,
		Minor:    opts.Minor,
		Detach:   opts.Detach,
		Progress: opts.Progress,
	})
	if err != nil {
		return nil, err
	}
	return n.Cluster(), nil
}

func (realNode) prepare(ctx context.Context, w io.Writer, c *cluster.Cluster) error {
	n, err := realnode.Open(c.Dir(), w)
	if err != nil {
		return err
	}
	return n.WaitReady(ctx)
}

func (realNode) sample() []byte { return realSample }

// load sends the request to one of the pods, through kube-apiserver: this
// machine knows no address of a Service.
func (realNode) load() string {
	return "kubectl create -f /dev/null --raw '/api/v1/namespaces/default/services/web:http/proxy/load?cpu=400m'"
}

// deploy builds our server's image, gives it to the node, and applies the
// manifests with its name. The tag follows the content, so that a changed
// image is a changed Deployment, and an unchanged one leaves the pod alone.
func (realNode) deploy(ctx context.Context, w io.Writer, c *cluster.Cluster, receiver *prometheus) error {
	bin := filepath.Join(c.Dir(), "bin", serverName)
	if _, err := buildServer(ctx, w, bin); err != nil {
		return err
	}
	sum, err := hashOf(bin)
	if err != nil {
		return err
	}
	tag := "dev-" + hex.EncodeToString(sum[:6])
	if err := importServer(ctx, w, c, bin, imageName+":"+tag); err != nil {
		return err
	}
	// In memory: what waits ends with the pod in any case.
	config := serverConfig(receiver, "[resource, cadvisor, summary]", "")
	overlay, err := writeOverlay(c.Dir(), tag, config)
	if err != nil {
		return err
	}
	changed, err := writeIfChanged(filepath.Join(c.Dir(), "config.yaml"), config)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "deploying the manifests with the image %s:%s\n", imageName, tag)
	if _, err := c.Kubectl(ctx, "apply", "--kustomize", overlay); err != nil {
		return err
	}
	if changed {
		// A pod that was there already has the old one.
		if _, err := c.Kubectl(ctx, "rollout", "restart", "--namespace="+serviceNamespace, "deployment/"+serviceName); err != nil {
			return err
		}
	}
	_, err = c.Kubectl(ctx, "rollout", "status", "--timeout=3m", "--namespace="+serviceNamespace, "deployment/"+serviceName)
	if err != nil {
		return fmt.Errorf("wait for our server's pod: %w", err)
	}
	return c.WaitForAPIs(ctx, servedAPIs()...)
}

func (realNode) stop(ctx context.Context, dir string) error {
	return realnode.Clear(ctx, dir)
}

// importServer puts the binary into an image and the image onto the node.
func importServer(ctx context.Context, w io.Writer, c *cluster.Cluster, bin, reference string) error {
	n, err := realnode.Open(c.Dir(), w)
	if err != nil {
		return err
	}
	archive := filepath.Join(c.Dir(), "image.tar")
	defer os.Remove(archive)
	if err := image.WriteFile(archive, image.Product(reference, bin, image.DevelopmentVersion)); err != nil {
		return err
	}
	return n.ImportImage(ctx, archive)
}

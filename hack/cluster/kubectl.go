// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// KubectlPath returns the path of a kubectl of the cluster's version.
func (c *Cluster) KubectlPath() string { return c.kubectl }

// Kubectl runs kubectl as the administrator and returns its standard output.
// The error holds its standard error.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (string, error) {
	return c.kubectlWith(ctx, nil, args)
}

// Apply creates or changes the objects of a YAML or JSON text, as
// `kubectl apply` does with the given further arguments.
func (c *Cluster) Apply(ctx context.Context, manifest []byte, args ...string) error {
	_, err := c.kubectlWith(ctx, manifest, append([]string{"apply", "--server-side", "--force-conflicts", "--filename=-"}, args...))
	return err
}

func (c *Cluster) kubectlWith(ctx context.Context, stdin []byte, args []string) (string, error) {
	//nolint:gosec // The program is the one this package has built.
	cmd := exec.CommandContext(ctx, c.kubectl, args...)
	cmd.Env = append(os.Environ(), c.KubectlEnv()...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// KubectlEnv returns the environment variables that point kubectl to the
// cluster and keep its cache in the cluster's directory.
func (c *Cluster) KubectlEnv() []string {
	return []string{
		"KUBECONFIG=" + c.Kubeconfig(),
		"KUBECACHEDIR=" + filepath.Join(c.opts.Dir, "kubectl-cache"),
		// A user's own preferences must not change what is run here.
		"KUBERC=off",
	}
}

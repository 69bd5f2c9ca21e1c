// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/metrics-apiserver/metrics-apiserver/hack/toolchain"
)

// metricsServer is the tool module that pins metrics-server.
const metricsServer = toolchain.Module("metrics-server")

// programs are the paths of what is run.
type programs struct {
	theirs, ours           string
	fleet, floor, constant string
	// counting, shipping and agent are of the sink's benchmark.
	counting, shipping, agent string
	// manifests is the directory of manifests/base, recording that of a real
	// kubelet's answers.
	manifests, recording string
	versions             map[string]string
}

// build compiles everything, what is ours into dir.
func build(ctx context.Context, o Options, dir string) (*programs, error) {
	root, err := toolchain.Root()
	if err != nil {
		return nil, err
	}
	p := &programs{
		ours:  filepath.Join(dir, ours),
		fleet: filepath.Join(dir, "fleet"), floor: filepath.Join(dir, "floor"), constant: filepath.Join(dir, "constant"),
		counting: filepath.Join(dir, "counting"), shipping: filepath.Join(dir, "shipping"), agent: filepath.Join(dir, "agent"),
		manifests: filepath.Join(root, "manifests", "base"),
		recording: filepath.Join(root, "pkg", "scraper", "kubelet", "testdata", "scrape-1"),
	}
	tools, err := toolchain.Build(ctx, o.Progress, metricsServer, theirs)
	if err != nil {
		return nil, err
	}
	p.theirs = tools[theirs]
	// As the image has it.
	if err := toolchain.BuildPackage(ctx, o.Progress, "./cmd/metrics-apiserver", p.ours, "-ldflags=-s -w"); err != nil {
		return nil, err
	}
	if err := buildIn(ctx, filepath.Join(root, "hack", "bench"), dir, "./cmd/fleet", "./cmd/floor", "./cmd/constant", "./cmd/counting", "./cmd/shipping"); err != nil {
		return nil, err
	}
	if o.measures(sink) {
		// Prometheus is only in that module.
		if err := buildIn(ctx, filepath.Join(root, "hack", "receivers"), dir, "./cmd/agent"); err != nil {
			return nil, err
		}
	}
	p.versions = map[string]string{"Go": runtime.Version(), "ours": "unknown"}
	if p.versions["Kubernetes"], err = toolchain.Version(ctx, toolchain.Kubernetes(o.Kubernetes), "k8s.io/kubernetes"); err != nil {
		return nil, err
	}
	if p.versions["metrics-server"], err = toolchain.Version(ctx, metricsServer, "sigs.k8s.io/metrics-server"); err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, "git", "-C", root, "describe", "--tags", "--always", "--dirty").Output(); err == nil {
		p.versions["ours"] = strings.TrimSpace(string(out))
	}
	return p, nil
}

// buildIn compiles packages of a module into dir.
func buildIn(ctx context.Context, module, dir string, packages ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-trimpath", "-ldflags=-s -w", "-o", dir + "/"}, packages...)...)
	cmd.Dir = module
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the benchmark's programs: %w\n%s", err, out)
	}
	return nil
}

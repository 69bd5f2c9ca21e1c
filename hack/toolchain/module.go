// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package toolchain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Module is the name of a directory below hack/tools that pins tools.
type Module string

// The modules other than those of [Kubernetes].
const (
	Kwok         Module = "kwok"
	Containerd   Module = "containerd"
	GolangciLint Module = "golangci-lint"
	Prometheus   Module = "prometheus"
)

// Kubernetes returns the module with the Kubernetes components of a minor
// version, such as "1.37".
func Kubernetes(minor string) Module {
	return Module("kubernetes-" + minor)
}

// rootModule is the path of the module whose go.mod marks the checkout's root.
const rootModule = "github.com/metrics-apiserver/metrics-apiserver"

// Root returns the root of the checkout that the working directory is in.
func Root() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the checkout: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(mod, []byte("module "+rootModule+"\n")) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("find the checkout: %s is not in a checkout of %s", start, rootModule)
		}
	}
}

// manifest is what a tool module's go.mod says.
type manifest struct {
	// dir is the directory of the go.mod.
	dir string
	// sums holds the bytes of go.mod and go.sum, which the cache key covers.
	sums []byte
	// tools maps the name of a binary to the path of its package.
	tools map[string]string
	// versions maps a required module to its version, such as
	// "k8s.io/kubernetes" to "v1.37.0".
	versions map[string]string
}

// readManifest reads hack/tools/<module> of the checkout at root.
func readManifest(ctx context.Context, root string, module Module) (*manifest, error) {
	dir := filepath.Join(root, "hack", "tools", string(module))
	var sums []byte
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("tool module %q: %w (known: %s)", module, err, strings.Join(knownModules(root), ", "))
		}
		if err != nil {
			return nil, fmt.Errorf("tool module %q: %w", module, err)
		}
		sums = append(sums, b...)
	}
	cmd := exec.CommandContext(ctx, "go", "mod", "edit", "-json")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return nil, explain(fmt.Sprintf("read the go.mod of tool module %q", module), err, stderrOf(err))
	}
	var mod struct {
		Tool    []struct{ Path string }
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		return nil, fmt.Errorf("read the go.mod of tool module %q: %w", module, err)
	}
	m := &manifest{dir: dir, sums: sums, tools: map[string]string{}, versions: map[string]string{}}
	for _, t := range mod.Tool {
		m.tools[binaryName(t.Path)] = t.Path
	}
	for _, r := range mod.Require {
		m.versions[r.Path] = r.Version
	}
	return m, nil
}

// knownModules lists the directories below hack/tools that have a go.mod.
func knownModules(root string) []string {
	var names []string
	mods, _ := filepath.Glob(filepath.Join(root, "hack", "tools", "*", "go.mod"))
	for _, mod := range mods {
		names = append(names, filepath.Base(filepath.Dir(mod)))
	}
	slices.Sort(names)
	return names
}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// binaryName returns the name of the binary of a package, as `go install`
// would choose it, but for etcd, whose main package is called "server".
func binaryName(pkg string) string {
	if strings.HasPrefix(pkg, "go.etcd.io/etcd/server/") {
		return "etcd"
	}
	name := path.Base(pkg)
	if majorVersion.MatchString(name) {
		name = path.Base(path.Dir(pkg))
	}
	return name
}

// buildFlags returns the arguments of `go build` that the module's tools need.
func (m *manifest) buildFlags() []string {
	flags := []string{"-trimpath", "-mod=readonly", "-buildvcs=false"}
	ldflags := "-s -w"
	if v, ok := m.versions["k8s.io/kubernetes"]; ok {
		// Without these the components answer v0.0.0, which clients such as
		// kubectl and the feature gates of a component take at face value.
		const pkg = "k8s.io/component-base/version"
		major, minor, _ := strings.Cut(strings.TrimPrefix(v, "v"), ".")
		minor, _, _ = strings.Cut(minor, ".")
		ldflags += fmt.Sprintf(" -X %[1]s.gitVersion=%[2]s -X %[1]s.gitMajor=%[3]s -X %[1]s.gitMinor=%[4]s -X %[1]s.gitTreeState=clean",
			pkg, v, major, minor)
	}
	if v, ok := m.versions["github.com/containerd/containerd/v2"]; ok {
		// The btrfs snapshotter needs cgo.
		flags = append(flags, "-tags=no_btrfs")
		ldflags += " -X github.com/containerd/containerd/v2/version.Version=" + v
	}
	if v, ok := m.versions["github.com/prometheus/prometheus"]; ok {
		// Its discovery of services is most of what there is to compile, and has
		// nothing to find here.
		flags = append(flags, "-tags=remove_all_sd")
		ldflags += " -X github.com/prometheus/common/version.Version=" + strings.TrimPrefix(v, "v")
	}
	return append(flags, "-ldflags="+ldflags)
}

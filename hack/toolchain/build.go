// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package toolchain

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/filelock"
)

// heartbeat is how often a running build says that it is alive. The first
// build of kube-apiserver compiles for minutes.
const heartbeat = 15 * time.Second

// killDelay is how long go build may take to end after its context has.
const killDelay = 10 * time.Second

// Build makes sure that the named tools of a module are in the cache, and
// returns their paths by name; no names mean all tools of the module. Progress
// is written to w: nothing for cached tools, and for each built one a line at
// its start, every 15 s, and at its end.
//
// The error names what is missing on the machine (Go version, network, disk)
// where that is the cause.
func Build(ctx context.Context, w io.Writer, module Module, names ...string) (map[string]string, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	m, err := readManifest(ctx, root, module)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(m.tools))
	}
	for _, name := range names {
		if _, ok := m.tools[name]; !ok {
			return nil, fmt.Errorf("tool module %q has no tool %q (it has %s)",
				module, name, strings.Join(slices.Sorted(maps.Keys(m.tools)), ", "))
		}
	}
	dir, err := entryDir(ctx, module, m)
	if err != nil {
		return nil, err
	}
	paths := make(map[string]string, len(names))
	for _, name := range names {
		paths[name] = filepath.Join(dir, name)
	}
	if len(missing(paths)) == 0 {
		return paths, nil
	}

	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the tool cache: %w", err)
	}
	unlock, err := filelock.Acquire(ctx, w, filepath.Join(dir, ".lock"), "builds into "+dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	// Looked at again: the process waited for may have built them.
	todo := missing(paths)
	for i, name := range todo {
		label := fmt.Sprintf("[%d/%d] %s (%s)", i+1, len(todo), name, describe(module, m))
		err := compile(ctx, w, label, m.dir, paths[name], m.tools[name], m.buildFlags())
		if err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// BuildPackage compiles a command of the checkout, such as
// "./cmd/metrics-apiserver", to the file out. Go's own build cache makes it
// fast when nothing changed; out is then replaced by an identical file.
// It says nothing on w unless it takes long.
func BuildPackage(ctx context.Context, w io.Writer, pkg, out string, flags ...string) error {
	root, err := Root()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return fmt.Errorf("build %s: %w", pkg, err)
	}
	return compile(ctx, w, pkg, root, out, pkg, append([]string{"-trimpath"}, flags...))
}

// Version returns the version of a required module in a tool module's go.mod,
// such as "v1.37.0" for "k8s.io/kubernetes".
func Version(ctx context.Context, module Module, path string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	m, err := readManifest(ctx, root, module)
	if err != nil {
		return "", err
	}
	v, ok := m.versions[path]
	if !ok {
		return "", fmt.Errorf("tool module %q does not require %s", module, path)
	}
	return v, nil
}

// entryDir returns the directory of the cache that holds the module's tools.
func entryDir(ctx context.Context, module Module, m *manifest) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION")
	cmd.Dir = m.dir // there the toolchain that the go.mod asks for is chosen
	goVersion, err := cmd.Output()
	if err != nil {
		return "", explain(fmt.Sprintf("ask for the Go version of tool module %q", module), err, stderrOf(err))
	}
	parts := []string{string(m.sums), strings.TrimSpace(string(goVersion)), runtime.GOOS, runtime.GOARCH}
	key := cacheKey(append(parts, m.buildFlags()...)...)
	return filepath.Join(cache, "tools", string(module)+"-"+key), nil
}

// missing returns the names, sorted, whose file does not exist.
func missing(paths map[string]string) []string {
	var names []string
	for name, file := range paths {
		if _, err := os.Stat(file); err != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// describe names the module with the version that its tools have.
func describe(module Module, m *manifest) string {
	for _, path := range []string{"k8s.io/kubernetes", "sigs.k8s.io/kwok", "github.com/containerd/containerd/v2", "github.com/prometheus/prometheus"} {
		if v, ok := m.versions[path]; ok {
			name, _, _ := strings.Cut(string(module), "-")
			return name + " " + v
		}
	}
	return string(module)
}

// compile runs go build in dir and moves the result to out once it is whole,
// so that a killed build leaves no broken binary behind.
func compile(ctx context.Context, w io.Writer, label, dir, out, pkg string, flags []string) error {
	tmp := out + ".building"
	defer os.Remove(tmp)
	args := append([]string{"build", "-v", "-o", tmp}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "PWD="+dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = killDelay
	var p progress
	cmd.Stderr = &p
	cmd.Stdout = &p

	start := time.Now()
	// Quick builds (a checkout's own command, unchanged) stay silent.
	quiet := time.NewTimer(time.Second)
	defer quiet.Stop()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	done := make(chan error, 1)
	go func() { done <- cmd.Run() }()
	elapsed := func() time.Duration { return time.Since(start).Round(time.Second) }
	told := false
	for {
		select {
		case <-quiet.C:
			fmt.Fprintf(w, "building %s\n", label)
			told = true
		case <-beat.C:
			fmt.Fprintf(w, "building %s: %v, %s\n", label, elapsed(), p.status())
		case err := <-done:
			if err != nil {
				if ctx.Err() != nil {
					err = ctx.Err()
				}
				return explain("build "+label, err, p.output())
			}
			if err := os.Rename(tmp, out); err != nil {
				return fmt.Errorf("build %s: %w", label, err)
			}
			if told {
				fmt.Fprintf(w, "built %s in %v\n", label, elapsed())
			}
			return nil
		}
	}
}

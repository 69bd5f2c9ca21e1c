// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package realnode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// ErrUnsupported is returned by [Start] where a real node cannot run at all:
// not on Linux, or not as root. Tests skip then.
var ErrUnsupported = errors.New("a real node needs Linux and root")

// Supported returns nil, or [ErrUnsupported] with what is missing.
func Supported() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("%w: this system is %s", ErrUnsupported, runtime.GOOS)
	}
	if uid := os.Geteuid(); uid != 0 {
		return fmt.Errorf("%w: the user is %d", ErrUnsupported, uid)
	}
	return nil
}

// requirement is a program of the system and the Debian package that has it.
type requirement struct {
	pkg string
	// program is looked for in the PATH.
	program string
}

// requirements are all programs that are neither built here nor a part of
// every system. The kubelet's mount command is of the package that has nsenter.
var requirements = []requirement{
	{"iproute2", "ip"},
	{"util-linux", "nsenter"},
	{"mount", "mount"},
	{"runc", "runc"},
}

// pluginPackage is the Debian package of the network plugins.
const pluginPackage = "containernetworking-plugins"

// pluginDirs are where systems keep network plugins, and plugins those needed.
var (
	pluginDirs = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}
	plugins    = []string{"bridge", "host-local"}
)

// require makes sure that the system has what it needs, by installing Debian
// packages where it can. It returns the directory of the network plugins.
func require(ctx context.Context, w io.Writer) (pluginDir string, err error) {
	if err := Supported(); err != nil {
		return "", err
	}
	missing := missingPackages()
	if len(missing) > 0 {
		if err := install(ctx, w, missing); err != nil {
			return "", err
		}
		if missing = missingPackages(); len(missing) > 0 {
			return "", fmt.Errorf("a real node needs %s: installed, and still not found", strings.Join(missing, ", "))
		}
	}
	return findPlugins(), nil
}

// missingPackages returns the names of the packages whose programs are not
// there.
func missingPackages() []string {
	var missing []string
	for _, r := range requirements {
		if _, err := exec.LookPath(r.program); err != nil {
			missing = append(missing, r.pkg)
		}
	}
	if findPlugins() == "" {
		missing = append(missing, pluginPackage)
	}
	return missing
}

// findPlugins returns the directory that has all plugins, or "".
func findPlugins() string {
	i := slices.IndexFunc(pluginDirs, func(dir string) bool {
		for _, name := range plugins {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				return false
			}
		}
		return true
	})
	if i < 0 {
		return ""
	}
	return pluginDirs[i]
}

// install installs Debian packages. Where there is no apt-get it says what the
// user has to install.
func install(ctx context.Context, w io.Writer, packages []string) error {
	names := strings.Join(packages, " ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("a real node needs programs that are not there; install what your system has for the Debian packages: %s", names)
	}
	fmt.Fprintf(w, "installing the Debian packages %s\n", names)
	args := append([]string{"install", "--yes", "--no-install-recommends"}, packages...)
	if _, err := apt(ctx, args...); err == nil {
		return nil
	}
	// A machine that was never updated knows no packages.
	if _, err := apt(ctx, "update"); err != nil {
		return fmt.Errorf("install %s: %w", names, err)
	}
	if _, err := apt(ctx, args...); err != nil {
		return fmt.Errorf("install %s: %w", names, err)
	}
	return nil
}

// apt runs apt-get without questions.
func apt(ctx context.Context, args ...string) (string, error) {
	return run(ctx, "env", append([]string{"DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet=2"}, args...)...)
}

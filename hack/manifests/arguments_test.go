// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
)

// announced are flags that a component names before the server has them. The
// list must be empty for a release.
var announced = []string{}

// TestArgumentsAreKnown hands every container's arguments to the server itself,
// which refuses a flag it does not have and a value it cannot read.
func TestArgumentsAreKnown(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the server")
	}
	server := filepath.Join(t.TempDir(), "metrics-apiserver")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", server, "./cmd/metrics-apiserver")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the server: %v\n%s", err, out)
	}
	// With --help at the end, the arguments before it are parsed and no more.
	parses := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), server, append(args, "--help")...).CombinedOutput()
		first, _, _ := strings.Cut(string(out), "\n")
		return first, err
	}
	if _, err := parses("--no-such-flag"); err == nil {
		t.Fatal("the server takes a flag that it does not have")
	}
	forEach(t, func(t *testing.T, objects []object) {
		for _, d := range all[*appsv1.Deployment](objects) {
			for _, c := range slices.Concat(d.Spec.Template.Spec.InitContainers, d.Spec.Template.Spec.Containers) {
				args := slices.DeleteFunc(slices.Clone(c.Args), func(arg string) bool {
					flag, _, _ := strings.Cut(arg, "=")
					return slices.Contains(announced, flag)
				})
				if out, err := parses(args...); err != nil {
					t.Errorf("container %s: %q: %v: %s", c.Name, c.Args, err, out)
				}
			}
		}
	})
}

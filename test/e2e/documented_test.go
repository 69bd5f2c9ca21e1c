// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
)

// documented runs the shell commands that stand below a heading of a document,
// as a reader would from the checkout's root, and fails the test where one
// fails. Each replacement fills in one of the document's placeholders. What it
// runs is what users are told to run, so neither can go stale.
func documented(t *testing.T, c *cluster.Cluster, document, heading string, replacements ...string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository(t), document))
	if err != nil {
		t.Fatal(err)
	}
	script, err := shellBelow(string(text), heading)
	if err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	script = strings.NewReplacer(replacements...).Replace(script)
	t.Logf("below %q:\n%s", heading, script)

	// The document says kubectl, which may be another one on this machine.
	programs := t.TempDir()
	if err := os.Symlink(c.KubectlPath(), filepath.Join(programs, "kubectl")); err != nil {
		t.Fatal(err)
	}
	shell := exec.CommandContext(t.Context(), "sh", "-ec", script)
	shell.Dir = repository(t)
	shell.Env = append(os.Environ(), c.KubectlEnv()...)
	shell.Env = append(shell.Env, "PATH="+programs+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := shell.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("the commands below %q: %v", heading, err)
	}
}

// shellBelow returns the contents of the sh blocks between a heading and the
// next heading of any level.
func shellBelow(text, heading string) (string, error) {
	_, section, ok := strings.Cut("\n"+text, "\n"+heading+"\n")
	if !ok {
		return "", fmt.Errorf("there is no heading %q", heading)
	}
	var script strings.Builder
	inside, found := false, false
	for line := range strings.Lines(section) {
		switch {
		case inside && line == "```\n":
			inside = false
		case inside:
			script.WriteString(line)
		case line == "```sh\n":
			inside, found = true, true
		case strings.HasPrefix(line, "#"):
			section = ""
		}
		if section == "" {
			break
		}
	}
	if !found {
		return "", fmt.Errorf("there are no shell commands below %q", heading)
	}
	return script.String(), nil
}

func TestShellBelow(t *testing.T) {
	const text = "# A\n\n```sh\na\n```\ntext\n```sh\n# b\n```\n\n## C\n\n```sh\nc\n```\n# D\nnothing\n"
	for heading, want := range map[string]string{"# A": "a\n# b\n", "## C": "c\n"} {
		got, err := shellBelow(text, heading)
		if err != nil || got != want {
			t.Errorf("below %q: %q, %v, want %q", heading, got, err, want)
		}
	}
	for _, heading := range []string{"# D", "# E"} {
		if got, err := shellBelow(text, heading); err == nil {
			t.Errorf("below %q: %q, want an error", heading, got)
		}
	}
}

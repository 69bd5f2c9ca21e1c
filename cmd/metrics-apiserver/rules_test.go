// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/configfile"
)

// TestDocumentedRules: what docs tell to write is what can be used.
func TestDocumentedRules(t *testing.T) {
	for file, least := range map[string]int{"rules.md": 8, "configuration.md": 3} {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", file))
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
			block, _, _ = strings.Cut(block, "```")
			if !strings.Contains(block, "\nrules:") && !strings.HasPrefix(block, "rules:") {
				continue
			}
			if !strings.Contains(block, "apiVersion: metrics-apiserver") {
				block = "apiVersion: " + configfile.APIVersion + "\nkind: " + configfile.Kind + "\n" + block
			}
			config, err := configfile.Parse(file, []byte(block))
			if err != nil {
				t.Fatal(err)
			}
			usable, refused := compiledRules(config)
			for _, err := range refused {
				t.Error(err)
			}
			found += len(usable)
		}
		if found < least {
			t.Errorf("%s has %d rules", file, found)
		}
	}
}

func TestOfCatalogue(t *testing.T) {
	for _, c := range []struct {
		group, resource, metric, want string
	}{
		{"", "pods", "cpu_usage_cores", "the catalogue"},
		{"", "nodes", "cpu_usage_cores", "the catalogue"},
		{"", "services", "cpu_usage_cores", ""},
		{"apps", "pods", "cpu_usage_cores", ""},
		{"", "nodes", "container_restarts", ""},
		{"", "pods", "mine", ""},
	} {
		if got := ofCatalogue(schema.GroupResource{Group: c.group, Resource: c.resource}, c.metric); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package configfile

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// begin is how every file begins; what follows is in line 3.
const begin = "apiVersion: metrics-apiserver/v1alpha1\nkind: Configuration\n"

// rule is a rule without anything wrong, and without what is optional.
const rule = "rules:\n- name: a\n  attach: {resource: pods}\n  expr: up\n"

func TestParse(t *testing.T) {
	c, err := Parse("c.yaml", []byte(begin+`
history: {maxBytes: 256Mi, sources: [resource, cadvisor]}
externalLabels:
  cluster: production
rules:
- name: requests
  attach: {group: apps, resource: deployments, label: deployment}
  expr: |
    sum by (deployment) (
      rate(requests_total[2m]))
  window: 1h30m
  maxAge: 60s
  onMissing: zero
  onNaN: omit
- {name: queue, attach: {external: true}, expr: up, namespaces: ["*"]}
- {name: bad, attach: {resource: pods}, expr: up, onNaN: null, colour: red}
remoteWrite:
- url: http://receiver
- {}
`))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.RemoteWrite) != 2 || c.RemoteWrite[0].Line != 20 {
		t.Errorf("remote-write blocks %v", c.RemoteWrite)
	}
	for key, line := range map[string]int{"expr": 10, "attach.label": 9, "attach.external": 9, "onMissing": 15, "namespaces": 8} {
		if got := c.Rules[0].LineOf(key); got != line {
			t.Errorf("%s is in line %d, want %d", key, got, line)
		}
	}
	for i := range c.Rules {
		c.Rules[i].lines = nil
	}
	if len(c.Refused) != 1 || c.Refused[0].Error() != `c.yaml:18: a rule has no key "colour": its keys are name, attach, expr, window, maxAge, onMissing, onNaN, namespaces` {
		t.Errorf("left out: %v", c.Refused)
	}
	c.RemoteWrite, c.Refused = nil, nil
	want := &Config{
		File:           "c.yaml",
		History:        History{MaxBytes: 256 << 20, Sources: []string{"resource", "cadvisor"}, Line: 4},
		ExternalLabels: map[string]string{"cluster": "production"},
		Rules: []Rule{
			{
				Line: 8, Name: "requests", Attach: Attach{Group: "apps", Resource: "deployments", Label: "deployment"},
				Expr:   "sum by (deployment) (\n  rate(requests_total[2m]))\n",
				Window: 90 * time.Minute, MaxAge: time.Minute, OnMissing: "zero", OnNaN: "omit",
			},
			{Line: 17, Name: "queue", Attach: Attach{External: true}, Expr: "up", Namespaces: []string{"*"}},
		},
	}
	if fmt.Sprintf("%+v", c) != fmt.Sprintf("%+v", want) {
		t.Errorf("got  %+v\nwant %+v", c, want)
	}
}

// TestRefused holds each message with its line. What comes in the way of the whole
// file is an error, what is of one rule alone leaves that rule out.
func TestRefused(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
		rule       bool
	}{
		{name: "nothing", text: "", want: []string{"c.yaml: is empty: begin it with"}},
		{name: "only comments", text: "# soon\n", want: []string{"c.yaml: is empty"}},
		{name: "null", text: "null\n", want: []string{"c.yaml:1: the configuration must be keys with their values"}},
		{name: "no keys", text: "- a\n", want: []string{"c.yaml:1: the configuration must be keys"}},
		{name: "another file", text: "a: b\n", want: []string{`c.yaml:1: the configuration has no key "a": its keys are apiVersion, kind, history`, `1: the configuration needs the key "apiVersion"`, `needs the key "kind"`}},
		{name: "another version", text: "apiVersion: metrics-apiserver/v2\nkind: Configuration\n", want: []string{`c.yaml:1: apiVersion: must be "metrics-apiserver/v1alpha1"`}},
		{name: "another kind", text: "apiVersion: metrics-apiserver/v1alpha1\nkind: [Configuration]\n", want: []string{`c.yaml:2: kind: must be "Configuration"`}},
		{name: "not YAML", text: begin + "history: {\nrules: ]\n", want: []string{"c.yaml:3: here or below, this is not YAML: "}},
		{name: "a tab", text: begin + "history:\n\tmaxBytes: 1\n", want: []string{"c.yaml:4: here or below, this is not YAML: "}},
		{name: "too long", text: begin + strings.Repeat("#", MaxBytes), want: []string{"c.yaml: is longer than the 1048576 bytes"}},
		{name: "two documents", text: begin + "---\n" + begin, want: []string{"c.yaml:3: a second document begins here"}},
		{name: "twice", text: begin + "history: {}\nhistory: {}\n", want: []string{`c.yaml:4: "history" is already given in line 3`}},
		{name: "no word", text: begin + "? [a]\n: b\n", want: []string{"c.yaml:3: a key of the configuration must be a word"}},
		{name: "all at once", text: "colour: red\n" + begin + "history: 3\n", want: []string{"c.yaml:1: the configuration has no key \"colour\"", "\nc.yaml:4: history: must be keys"}},
		{name: "alias", text: begin + "history: &h {}\nrules: *h\n", want: []string{"c.yaml:4: rules: aliases (*h) are not followed: write the value out"}},
		{name: "merge", text: begin + "history:\n  <<: {maxBytes: 1Gi}\n", want: []string{`c.yaml:4: history has no key "<<"`}},

		{name: "size", text: begin + "history: {maxBytes: 1 GB}\n", want: []string{`c.yaml:3: history.maxBytes: "1 GB" is no size: write a number of bytes such as 256Mi`}},
		{name: "no size", text: begin + "history: {maxBytes: 0}\n", want: []string{`c.yaml:3: history.maxBytes: "0" cannot be`}},
		{name: "half a byte", text: begin + "history: {maxBytes: 100m}\n", want: []string{`c.yaml:3: history.maxBytes: "100m" cannot be`}},
		{name: "huge", text: begin + "history: {maxBytes: 20E}\n", want: []string{`c.yaml:3: history.maxBytes: "20E" cannot be`}},
		{name: "fraction", text: begin + "history: {maxBytes: 1.5}\n", want: []string{"c.yaml:3: history.maxBytes: must be a number of bytes"}},
		{name: "source", text: begin + "history: {sources: [cAdvisor, summary, summary]}\n", want: []string{`c.yaml:3: history.sources: must be one of resource, cadvisor, summary, not "cAdvisor"`, `"summary" comes twice`}},

		{name: "no labels", text: begin + "externalLabels: [a]\n", want: []string{"c.yaml:3: externalLabels: must be label names with their values"}},
		{name: "labels", text: begin + "externalLabels:\n  a-b: c\n  __name__: c\n  n: 1\n  e: ''\n  d: x\n  d: y\n", want: []string{
			`c.yaml:4: "a-b" is no name for a label`, `c.yaml:5: "__name__" is no name`, "c.yaml:6: externalLabels: must be a text: put it in quotes",
			"c.yaml:7: externalLabels: is empty", `c.yaml:9: "d" is already given`,
		}},

		{name: "no rules", text: begin + "rules: {}\n", want: []string{`c.yaml:3: rules: must be a list: begin each entry with "- "`}},
		{name: "no rule", text: begin + "rules: [a]\n", want: []string{"c.yaml:3: a rule must be keys"}, rule: true},
		{name: "empty rule", text: begin + "rules:\n-\n", want: []string{"c.yaml:4: a rule must be keys"}, rule: true},
		{name: "lacking rule", text: begin + "rules: [{expr: null}]\n", want: []string{`c.yaml:3: a rule needs the key "name"`, `"attach"`, `"expr"`}, rule: true},
		{name: "key", text: begin + rule + "  onmissing: zero\n", want: []string{`c.yaml:7: a rule has no key "onmissing"`}, rule: true},
		{name: "window", text: begin + rule + "  window: 90\n", want: []string{"c.yaml:7: window: must be a duration such as 90s, 5m or 1h30m"}, rule: true},
		{name: "no time", text: begin + rule + "  window: 0s\n", want: []string{`c.yaml:7: window: "0s" is no duration`}, rule: true},
		{name: "negative", text: begin + rule + "  maxAge: -5m\n", want: []string{`c.yaml:7: maxAge: "-5m" is no duration`}, rule: true},
		{name: "missing", text: begin + rule + "  onMissing: ignroe\n", want: []string{`c.yaml:7: onMissing: must be one of omit, ignore, zero, not "ignroe"`}, rule: true},
		{name: "NaN", text: begin + rule + "  onNaN: ignore\n", want: []string{`c.yaml:7: onNaN: must be one of omit, zero, not "ignore"`}, rule: true},
		{name: "attached", text: begin + rule + "  namespaces: [a]\n", want: []string{"c.yaml:4: rule a: namespaces are for external metrics"}, rule: true},
		{name: "invisible", text: begin + "rules:\n- {name: a, attach: {external: true}, expr: up}\n", want: []string{"c.yaml:4: rule a: an external metric is visible in the namespaces that it names"}, rule: true},
		{name: "both", text: begin + "rules:\n- {name: a, attach: {external: true, resource: pods}, expr: up}\n", want: []string{"c.yaml:4: attach: an external metric is of no object"}, rule: true},
		{name: "neither", text: begin + "rules:\n- {name: a, attach: {external: no}, expr: up}\n", want: []string{"c.yaml:4: attach.external: must be true or false"}, rule: true},
		{name: "unattached", text: begin + "rules:\n- {name: a, attach: {label: pod}, expr: up}\n", want: []string{"c.yaml:4: attach: say what the values are of"}, rule: true},
		{name: "no text", text: begin + "rules:\n- {name: a, attach: {resource: pods}, expr: 1}\n", want: []string{"c.yaml:4: expr: must be a text: put it in quotes"}, rule: true},
		{name: "blank", text: begin + "rules:\n- {name: a, attach: {resource: pods}, expr: ' '}\n", want: []string{"c.yaml:4: expr: is empty"}, rule: true},

		{name: "remote write", text: begin + "remoteWrite: {url: a}\n", want: []string{"c.yaml:3: remoteWrite: must be a list"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := Parse("c.yaml", []byte(test.text))
			if test.rule {
				if err != nil {
					t.Fatal(err)
				}
				err = errors.Join(c.Refused...)
			}
			if err == nil {
				t.Fatalf("nothing is wrong with %q", test.text)
			}
			rest := err.Error()
			for _, want := range test.want {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Fatalf("%q is not in %q, or not in its place", want, err)
				}
				rest = after
			}
		})
	}
}

// TestEmptySections holds that a key whose value somebody commented out is as good
// as absent.
func TestEmptySections(t *testing.T) {
	c, err := Parse("c.yaml", []byte(begin+"history:\n  # maxBytes: 1Gi\nrules:\nremoteWrite:\nexternalLabels:\n"))
	if err != nil || fmt.Sprintf("%+v", c) != fmt.Sprintf("%+v", &Config{File: "c.yaml"}) {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestDocumentation holds the example of the documentation against what is read.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(text), "```yaml\n")
	example, _, ok := strings.Cut(example, "```\n")
	if !ok {
		t.Fatal("there is no example")
	}
	c, err := Parse("configuration.md", []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Refused) > 0 || len(c.Rules) == 0 || len(c.RemoteWrite) == 0 || c.History.MaxBytes == 0 || len(c.ExternalLabels) == 0 {
		t.Errorf("the example lacks a section, or has a bad rule: %+v", c)
	}
}

func TestSame(t *testing.T) {
	read := func(block string) []*yaml.Node {
		c, err := Parse("c", []byte(begin+"remoteWrite:\n"+block))
		if err != nil {
			t.Fatal(err)
		}
		return c.RemoteWrite
	}
	a := read("- url: a\n  list: [1, '2']\n")
	if !Same(a, read("# Why.\n- {url: \"a\", list: [1, \"2\"]}\n")) {
		t.Error("another way to write it is not the same")
	}
	for _, other := range []string{"", "- {url: b, list: [1, '2']}\n", "- {url: a, list: [1, 2]}\n", "- {url: a}\n", "- {url: a, list: [1, '2']}\n- {}\n"} {
		if Same(a, read(other)) {
			t.Errorf("%q is the same", other)
		}
	}
}

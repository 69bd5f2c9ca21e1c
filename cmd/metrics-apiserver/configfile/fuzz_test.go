// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package configfile

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"go.yaml.in/yaml/v3"
)

// plain is a configuration as the YAML library reads it by itself, strictly.
type plain struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	History    struct {
		MaxBytes string   `yaml:"maxBytes"`
		Sources  []string `yaml:"sources"`
	} `yaml:"history"`
	ExternalLabels map[string]string `yaml:"externalLabels"`
	Rules          []struct {
		Name   string `yaml:"name"`
		Attach struct {
			Group    string `yaml:"group"`
			Resource string `yaml:"resource"`
			Label    string `yaml:"label"`
			External bool   `yaml:"external"`
		} `yaml:"attach"`
		Expr       string   `yaml:"expr"`
		Window     string   `yaml:"window"`
		MaxAge     string   `yaml:"maxAge"`
		OnMissing  string   `yaml:"onMissing"`
		OnNaN      string   `yaml:"onNaN"`
		Namespaces []string `yaml:"namespaces"`
	} `yaml:"rules"`
	RemoteWrite []yaml.Node `yaml:"remoteWrite"`
}

// FuzzParse holds that nothing ends the server, that every problem has a place in
// the file, and that what is accepted is what the YAML library by itself reads.
func FuzzParse(f *testing.F) {
	f.Add([]byte(begin + rule))
	f.Add([]byte(begin + "history: {maxBytes: 1Gi, sources: [summary]}\nexternalLabels: {a: b}\nremoteWrite: [{url: a}]\n"))
	f.Add([]byte(begin + "rules:\n- &a\n  name: *a\n"))
	f.Add([]byte(begin + "rules:\n- {name: q, attach: {external: true}, expr: up, namespaces: ['*'], window: 1d}\n"))
	f.Add([]byte("? {}\n: !!binary x\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		// Lines may end with other characters too, and what lacks is missed after
		// the last one.
		lines := len([]rune(string(text))) + 2
		c, err := Parse("f", text)
		checkProblems(t, err, lines)
		if err != nil {
			return
		}
		for _, err := range c.Refused {
			checkProblems(t, err, lines)
		}
		if len(c.Refused) > 0 {
			return
		}
		var want plain
		decoder := yaml.NewDecoder(bytes.NewReader(text))
		decoder.KnownFields(true)
		if err := decoder.Decode(&want); err != nil && !errors.Is(err, io.EOF) {
			t.Fatalf("accepted %q, which is: %v", text, err)
		}
		if len(c.Rules) != len(want.Rules) || len(c.RemoteWrite) != len(want.RemoteWrite) || len(c.History.Sources) != len(want.History.Sources) || (c.History.MaxBytes != 0) != (want.History.MaxBytes != "") {
			t.Fatalf("%q: read %+v, want %+v", text, c, want)
		}
		for name, value := range want.ExternalLabels {
			if c.ExternalLabels[name] != value || len(c.ExternalLabels) != len(want.ExternalLabels) {
				t.Fatalf("%q: labels %v, want %v", text, c.ExternalLabels, want.ExternalLabels)
			}
		}
		for i, rule := range c.Rules {
			w := want.Rules[i]
			if rule.Name != w.Name || rule.Expr != w.Expr || rule.Attach != Attach(w.Attach) || rule.OnMissing != w.OnMissing || rule.OnNaN != w.OnNaN ||
				(rule.Window != 0) != (w.Window != "") || (rule.MaxAge != 0) != (w.MaxAge != "") || len(rule.Namespaces) != len(w.Namespaces) {
				t.Fatalf("%q: rule %+v, want %+v", text, rule, w)
			}
		}
	})
}

// checkProblems fails where err has anything in it that has no place in the file.
func checkProblems(t *testing.T, err error, lines int) {
	t.Helper()
	if err == nil {
		return
	}
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range all.Unwrap() {
			checkProblems(t, err, lines)
		}
		return
	}
	var p *Problem
	if !errors.As(err, &p) || p.Message == "" || p.Line < 0 || p.Line > lines {
		t.Fatalf("problem %#v in %d lines", err, lines)
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package configfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// APIVersion and Kind are what a file must say that it is.
const (
	APIVersion = "metrics-apiserver/v1alpha1"
	Kind       = "Configuration"
)

// MaxBytes is the longest file that is read: what fits into a ConfigMap.
const MaxBytes = 1 << 20

// A Config is what a file says. It is not changed after it was read.
type Config struct {
	// File is the name of the file, for what is found to be wrong later.
	File string
	// History is how much of the past is kept.
	History History
	// ExternalLabels are added to everything that is shipped, unless a series has
	// a label of that name.
	ExternalLabels map[string]string
	// Rules are the rules that can be read, in the file's order.
	Rules []Rule
	// RemoteWrite are the blocks of that list, as they were written; empty where
	// there are none. Whoever ships reads them.
	RemoteWrite []*yaml.Node
	// Refused are the rules that were left out, each a [*Problem].
	Refused []error
}

// Problem is something that is wrong at a line of the file.
func (c *Config) Problem(line int, format string, args ...any) *Problem {
	return &Problem{File: c.File, Line: line, Message: fmt.Sprintf(format, args...)}
}

// Parse reads the text of a file called name. The error, where there is one, joins
// a [*Problem] for each thing that is wrong outside of rules.
func Parse(name string, text []byte) (*Config, error) {
	r := &reader{file: name}
	c := &Config{File: name}
	root, err := parseYAML(name, text)
	if err != nil {
		return nil, err
	}
	r.mapping(root, "the configuration", []field{
		{"apiVersion", r.exactly(APIVersion)},
		{"kind", r.exactly(Kind)},
		{"history", r.history(&c.History)},
		{"externalLabels", r.labels(&c.ExternalLabels)},
		{"rules", r.rules(c)},
		{"remoteWrite", r.nodes(&c.RemoteWrite)},
	}, "apiVersion", "kind")
	if err := joined(r.problems); err != nil {
		return nil, err
	}
	return c, nil
}

// parseYAML is the one document in text.
func parseYAML(name string, text []byte) (*yaml.Node, error) {
	whole := func(format string, args ...any) error {
		return &Problem{File: name, Message: fmt.Sprintf(format, args...)}
	}
	if len(text) > MaxBytes {
		return nil, whole("is longer than the %d bytes that a configuration may have", MaxBytes)
	}
	var document, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, whole("is empty: begin it with \"apiVersion: %s\" and \"kind: %s\"", APIVersion, Kind)
		}
		return nil, syntaxProblem(name, err)
	}
	if err := decoder.Decode(&second); err == nil {
		return nil, &Problem{File: name, Line: second.Line, Message: "a second document begins here: write one file with one document"}
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxProblem(name, err)
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 {
		return nil, whole("has no content that could be read")
	}
	return document.Content[0], nil
}

// yamlLine is where the YAML library says the line of an error.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntaxProblem is an error of the YAML library, its line in its place.
func syntaxProblem(name string, err error) *Problem {
	text := err.Error()
	p := &Problem{File: name}
	if found := yamlLine.FindStringSubmatch(text); found != nil {
		text = strings.TrimPrefix(text, found[0])
		p.Line, _ = strconv.Atoi(found[1]) // Without a number it is 0: the whole file.
	}
	p.Message = "is not YAML: " + text
	if p.Line > 0 {
		// What is said is where the construct begins that is broken, or one less.
		p.Message = "here or below, this is not YAML: " + text
	}
	return p
}

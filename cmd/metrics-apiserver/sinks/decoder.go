// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sinks

import (
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Refuse takes what is wrong with a line.
type Refuse func(line int, format string, args ...any)

// A decoder takes values out of nodes, and says what is wrong with them.
type decoder struct {
	refuse Refuse
	failed bool
}

func (d *decoder) wrong(n *yaml.Node, format string, args ...any) {
	d.failed = true
	d.refuse(n.Line, format, args...)
}

// fields are keys, and pointers to what takes their values.
type fields map[string]any

// mapping takes in the keys of a node, and calls the subject by its name.
func (d *decoder) mapping(n *yaml.Node, subject string, known fields) {
	names := make([]string, 0, len(known))
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, pair := range d.pairs(n, subject, names) {
		dst := known[pair.key.Value]
		if dst == nil {
			continue
		}
		if take, ok := dst.(func(*yaml.Node)); ok {
			take(pair.value)
			continue
		}
		d.value(pair.value, pair.key.Value, dst)
	}
}

type pair struct{ key, value *yaml.Node }

// pairs are the keys and values of a mapping. Keys that are not among the names,
// or come twice, are refused; those without a value are left out.
func (d *decoder) pairs(n *yaml.Node, subject string, names []string) []pair {
	if n.Kind != yaml.MappingNode {
		d.wrong(n, "%s must be keys with their values", subject)
		return nil
	}
	var out []pair
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case !slices.Contains(names, key.Value):
			d.wrong(key, "%s has no key %q: its keys are %s", subject, key.Value, strings.Join(names, ", "))
		case seen[key.Value]:
			d.wrong(key, "%q comes twice in %s: leave out one of them", key.Value, subject)
		case value.Kind == yaml.ScalarNode && value.ShortTag() == "!!null":
			// What stays where the value was turned into a comment.
		default:
			out = append(out, pair{key, value})
		}
		seen[key.Value] = true
	}
	return out
}

// value decodes a node into what dst points to, whose own UnmarshalYAML may
// refuse it.
func (d *decoder) value(n *yaml.Node, subject string, dst any) {
	failed := d.failed
	d.failed = false
	d.strict(n, subject, reflect.TypeOf(dst).Elem())
	if !d.failed {
		if err := n.Decode(dst); err != nil {
			d.wrong(n, "%s: %s", subject, oneLine(err))
		}
	}
	d.failed = d.failed || failed
}

// oneLine is an error without the lines that YAML's decoder counts itself.
func oneLine(err error) string {
	text := strings.TrimPrefix(err.Error(), "yaml: unmarshal errors:\n")
	return strings.Join(strings.Fields(text), " ")
}

// strict refuses keys that a structure does not have, as deep as there are
// structures.
func (d *decoder) strict(n *yaml.Node, subject string, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case n.Kind == yaml.AliasNode:
		d.wrong(n, "%s: aliases (*%s) are not followed: write the value out", subject, n.Value)
	case t.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		for _, one := range n.Content {
			d.strict(one, subject, t.Elem())
		}
	case t.Kind() == reflect.Struct && n.Kind == yaml.MappingNode:
		types := map[string]reflect.Type{}
		if keysOf(t, types) {
			return
		}
		names := make([]string, 0, len(types))
		for name := range types {
			// There is no manager of secrets here.
			if !strings.HasSuffix(name, "_ref") {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for _, pair := range d.pairs(n, subject, names) {
			d.strict(pair.value, pair.key.Value, types[pair.key.Value])
		}
	}
}

// keysOf are the keys of a structure in YAML, and the types of their values. It is
// true where the structure takes any key.
func keysOf(t reflect.Type, into map[string]reflect.Type) (anyKey bool) {
	for field := range t.Fields() {
		tag, ok := field.Tag.Lookup("yaml")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case !field.IsExported() || name == "-":
		case strings.Contains(options, "inline"):
			anyKey = field.Type.Kind() == reflect.Map || keysOf(field.Type, into) || anyKey
		case ok && name != "":
			into[name] = field.Type
		}
	}
	return anyKey
}

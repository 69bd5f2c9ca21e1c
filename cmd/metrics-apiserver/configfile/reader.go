// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package configfile

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"
)

// A reader takes values out of YAML nodes, and collects what is wrong with them.
// Its methods return functions, so that a mapping is a list of keys and what to do
// with each one's value.
type reader struct {
	file     string
	key      string // Whose value is being taken.
	problems []*Problem
	// lines has the line of the value of each key in a mapping, after the keys that
	// it is in and a dot. nil is that nobody asks.
	lines map[string]int
}

// A field is a key, and what takes its value.
type field struct {
	key  string
	take func(*yaml.Node)
}

// refuse says what is wrong with n.
func (r *reader) refuse(n *yaml.Node, format string, args ...any) {
	r.problems = append(r.problems, &Problem{File: r.file, Line: n.Line, Message: fmt.Sprintf(format, args...)})
}

// refuseValue says what is wrong with n, as the value of a key or in it.
func (r *reader) refuseValue(n *yaml.Node, format string, args ...any) {
	if r.key != "" {
		format = r.key + ": " + format // Keys that get here are those of a field.
	}
	r.refuse(n, format, args...)
}

// mapping takes in the keys of n, which is called subject. A key whose value is
// null is as good as absent: that is what stays of one whose value somebody turned
// into a comment.
func (r *reader) mapping(n *yaml.Node, subject string, fields []field, required ...string) {
	message := "must be keys with their values"
	if r.key == "" {
		message = subject + " " + message
	}
	if !r.is(n, yaml.MappingNode, message) {
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			r.refuse(key, "a key of %s must be a word", subject)
			continue
		}
		at := slices.IndexFunc(fields, func(f field) bool { return f.key == key.Value })
		line, twice := seen[key.Value]
		switch {
		case at < 0:
			r.refuse(key, "%s has no key %q: its keys are %s", subject, key.Value, keys(fields))
		case twice:
			r.refuse(key, "%q is already given in line %d: leave out one of them", key.Value, line)
		default:
			seen[key.Value] = key.Line
			if !isNull(value) {
				outer, path := r.key, key.Value
				if outer != "" {
					path = outer + "." + path
				}
				if r.lines != nil {
					r.lines[path] = value.Line
				}
				r.key = path
				fields[at].take(value)
				r.key = outer
			}
		}
	}
	for _, key := range required {
		if _, ok := seen[key]; !ok || isNull(valueOf(n, key)) {
			r.refuse(n, "%s needs the key %q", subject, key)
		}
	}
}

// keys are the names of fields, for people.
func keys(fields []field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.key
	}
	return strings.Join(names, ", ")
}

// valueOf is the value of the first key of that name, which is there.
func valueOf(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func isNull(n *yaml.Node) bool {
	return n != nil && n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// is says whether n is of a kind, and refuses it with the message where it is not.
func (r *reader) is(n *yaml.Node, kind yaml.Kind, message string) bool {
	if n.Kind == yaml.AliasNode {
		r.refuseValue(n, "aliases (*%s) are not followed: write the value out", n.Value)
		return false
	}
	if n.Kind != kind {
		r.refuseValue(n, "%s", message)
		return false
	}
	return true
}

// scalar is n's text where it is a single value of one of the tags.
func (r *reader) scalar(n *yaml.Node, message string, tags ...string) (string, bool) {
	if !r.is(n, yaml.ScalarNode, message) {
		return "", false
	}
	if !slices.Contains(tags, n.ShortTag()) {
		r.refuseValue(n, "%s", message)
		return "", false
	}
	return n.Value, true
}

func (r *reader) text(dst *string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if s, ok := r.scalar(n, "must be a text: put it in quotes", "!!str"); ok {
			if strings.TrimSpace(s) == "" {
				r.refuseValue(n, "is empty: give a value, or leave the key out")
			}
			*dst = s
		}
	}
}

// exactly takes one value only.
func (r *reader) exactly(want string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode || n.Value != want {
			r.refuseValue(n, "must be %q, which is what this version reads", want)
		}
	}
}

func (r *reader) oneOf(dst *string, allowed ...string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		message := "must be one of " + strings.Join(allowed, ", ")
		s, ok := r.scalar(n, message, "!!str")
		if ok && !slices.Contains(allowed, s) {
			r.refuseValue(n, "%s, not %q", message, s)
		}
		*dst = s
	}
}

func (r *reader) boolean(dst *bool) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if s, ok := r.scalar(n, "must be true or false", "!!bool"); ok {
			*dst = strings.EqualFold(s, "true")
		}
	}
}

// duration takes durations as Prometheus writes them, of more than 0.
func (r *reader) duration(dst *time.Duration) func(*yaml.Node) {
	return func(n *yaml.Node) {
		s, ok := r.scalar(n, "must be a duration such as 90s, 5m or 1h30m", "!!str")
		if !ok {
			return
		}
		d, err := model.ParseDuration(s)
		if err != nil || d <= 0 {
			r.refuseValue(n, "%q is no duration: write one such as 90s, 5m or 1h30m", s)
			return
		}
		*dst = time.Duration(d)
	}
}

// bytes takes sizes as Kubernetes writes them, of more than 0.
func (r *reader) bytes(dst *int64) func(*yaml.Node) {
	return func(n *yaml.Node) {
		const remedy = "a number of bytes such as 256Mi"
		s, ok := r.scalar(n, "must be "+remedy, "!!str", "!!int")
		if !ok {
			return
		}
		q, err := resource.ParseQuantity(s)
		if err != nil {
			r.refuseValue(n, "%q is no size: write %s", s, remedy)
			return
		}
		if q.Sign() <= 0 || q.Value() == math.MaxInt64 || q.CmpInt64(q.Value()) != 0 {
			r.refuseValue(n, "%q cannot be: write %s", s, remedy)
			return
		}
		*dst = q.Value()
	}
}

// texts takes a list of texts; of the allowed ones, where there are any.
func (r *reader) texts(dst *[]string, allowed ...string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		var nodes []*yaml.Node
		r.nodes(&nodes)(n)
		for _, node := range nodes {
			var s string
			if allowed != nil {
				r.oneOf(&s, allowed...)(node)
			} else {
				r.text(&s)(node)
			}
			if slices.Contains(*dst, s) {
				r.refuseValue(node, "%q comes twice: leave out one of them", s)
			}
			*dst = append(*dst, s)
		}
	}
}

// nodes takes a list, whatever is in it.
func (r *reader) nodes(dst *[]*yaml.Node) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if r.is(n, yaml.SequenceNode, "must be a list: begin each entry with \"- \"") {
			*dst = n.Content
		}
	}
}

// labels takes names with their values, as Prometheus has them.
func (r *reader) labels(dst *map[string]string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if !r.is(n, yaml.MappingNode, "must be label names with their values") {
			return
		}
		*dst = map[string]string{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode || !model.LegacyValidation.IsValidLabelName(key.Value) || strings.HasPrefix(key.Value, "__") {
				r.refuse(key, "%q is no name for a label: letters, digits and _, not beginning with a digit or __", key.Value)
				continue
			}
			if _, twice := (*dst)[key.Value]; twice {
				r.refuse(key, "%q is already given: leave out one of them", key.Value)
			}
			var value string
			r.text(&value)(n.Content[i+1])
			(*dst)[key.Value] = value
		}
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package configfile

import "go.yaml.in/yaml/v3"

// History is how much of the past is kept, and of what.
type History struct {
	// MaxBytes is the memory for it. 0 where the file does not say.
	MaxBytes int64
	// Sources are the kubelets' documents that are kept beside those that rules
	// read: resource, cadvisor, summary.
	Sources []string
	// Line is where it is in the file; 0 where it is not.
	Line int
}

func (r *reader) history(dst *History) func(*yaml.Node) {
	return func(n *yaml.Node) {
		dst.Line = n.Line
		r.mapping(n, "history", []field{
			{"maxBytes", r.bytes(&dst.MaxBytes)},
			{"sources", r.texts(&dst.Sources, "resource", "cadvisor", "summary")},
		})
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package configfile

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// Same says whether two lists of nodes say the same, wherever and however it is
// written.
func Same(a, b []*yaml.Node) bool {
	return slices.EqualFunc(a, b, func(a, b *yaml.Node) bool {
		return a.Kind == b.Kind && a.ShortTag() == b.ShortTag() && a.Value == b.Value && Same(a.Content, b.Content)
	})
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// checkName is what is wrong with the name of an object of a kind, a part of the
// value that a flag has; invalid is the rule for such names in
// k8s.io/apimachinery/pkg/util/validation.
func checkName(flag, value, kind, name string, invalid func(name string) (reasons []string)) error {
	if reasons := invalid(name); len(reasons) > 0 {
		return fmt.Errorf("--%s is %q: %q is no name of a %s: %s", flag, value, name, kind, strings.Join(reasons, ", "))
	}
	return nil
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

// update rewrites the golden files: go test -update.
var update = flag.Bool("update", false, "rewrite the golden files from what is rendered")

// TestObjects holds the list of objects of every kustomization, so that no edit
// adds, loses or renames one unseen: an object that a newer version renames
// stays behind in every cluster that had the older one.
func TestObjects(t *testing.T) {
	var b strings.Builder
	for _, r := range renderings() {
		fmt.Fprintf(&b, "%s:\n", r.name)
		for _, o := range render(t, r.dir) {
			fmt.Fprintf(&b, "  %s\n", o)
		}
	}
	checkGolden(t, "testdata/objects.golden", b.String())
}

// TestRights holds every right that every kustomization asks for. A change of
// this file is a change of what an intruder in the pod could do.
func TestRights(t *testing.T) {
	var b strings.Builder
	for _, r := range renderings() {
		fmt.Fprintf(&b, "%s:\n", r.name)
		var lines []string
		objects := render(t, r.dir)
		for _, binding := range all[*rbacv1.ClusterRoleBinding](objects) {
			lines = append(lines, rights(t, objects, "cluster-wide", binding.Subjects, binding.RoleRef)...)
		}
		for _, binding := range all[*rbacv1.RoleBinding](objects) {
			lines = append(lines, rights(t, objects, "in "+binding.Namespace, binding.Subjects, binding.RoleRef)...)
		}
		for _, role := range all[*rbacv1.ClusterRole](objects) {
			for label := range role.Labels {
				if to, ok := strings.CutPrefix(label, "rbac.authorization.k8s.io/aggregate-to-"); ok {
					for _, rule := range role.Rules {
						lines = append(lines, fmt.Sprintf("holders of %s: %s", to, describe(rule)))
					}
				}
			}
		}
		slices.Sort(lines)
		for _, line := range lines {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	checkGolden(t, "testdata/rights.golden", b.String())
}

// rights returns a line for each rule that a binding gives to each subject.
// Roles that Kubernetes itself defines are named, not listed.
func rights(t *testing.T, objects []object, where string, subjects []rbacv1.Subject, ref rbacv1.RoleRef) []string {
	t.Helper()
	var rules []rbacv1.PolicyRule
	switch {
	case ref.Name == "system:auth-delegator" || ref.Name == "extension-apiserver-authentication-reader":
	case ref.Kind == "ClusterRole":
		rules = one[*rbacv1.ClusterRole](t, objects, ref.Name).Rules
	default:
		rules = one[*rbacv1.Role](t, objects, ref.Name).Rules
	}
	var lines []string
	for _, s := range subjects {
		who := fmt.Sprintf("%s %s/%s %s: ", s.Kind, s.Namespace, s.Name, where)
		if rules == nil {
			lines = append(lines, who+"the rights of "+ref.Name)
		}
		for _, rule := range rules {
			lines = append(lines, who+describe(rule))
		}
	}
	return lines
}

// describe writes a rule as: verbs group/resources [names].
func describe(rule rbacv1.PolicyRule) string {
	groups := slices.Clone(rule.APIGroups)
	for i, group := range groups {
		if group == "" {
			groups[i] = "core"
		}
	}
	text := fmt.Sprintf("%s %s/%s", strings.Join(rule.Verbs, ","),
		strings.Join(groups, ","), strings.Join(rule.Resources, ","))
	if len(rule.ResourceNames) > 0 {
		text += " named " + strings.Join(rule.ResourceNames, ",")
	}
	if len(rule.NonResourceURLs) > 0 {
		text += " at " + strings.Join(rule.NonResourceURLs, ",")
	}
	return text
}

// checkGolden compares got with the file at path, or rewrites it under -update.
func checkGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is out of date: look at the change, then run `go test -update`\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

// needs is every right that a manifest may give, one verb on one resource, and
// what the server does with it. A right that is not here is not given; one that
// is not given is not here.
func needs() map[string]string {
	return map[string]string{
		"get core/nodes/metrics": "asks kubelets for /metrics/resource and /metrics/cadvisor, which delegate the question to kube-apiserver",
		"get core/nodes/stats":   "asks kubelets for /stats/summary",
		"list core/nodes":        "knows which nodes to scrape",
		"watch core/nodes":       "knows which nodes to scrape",
		"list core/pods":         "joins samples to pods, and matches selectors",
		"watch core/pods":        "joins samples to pods, and matches selectors",

		"list autoscaling/horizontalpodautoscalers":  "collects for custom metrics what an HPA names",
		"watch autoscaling/horizontalpodautoscalers": "collects for custom metrics what an HPA names",

		"get core/secrets named":                                  "reads its own CA",
		"watch core/secrets named":                                "sees that another replica has renewed it",
		"update core/secrets named":                               "keeps its own CA",
		"get apiregistration.k8s.io/apiservices named":            "compares the bundle",
		"watch apiregistration.k8s.io/apiservices named":          "puts back a bundle that somebody changed",
		"patch apiregistration.k8s.io/apiservices named":          "writes the bundle",
		"get coordination.k8s.io/leases named":                    "knows which replica ships",
		"update coordination.k8s.io/leases named":                 "ships, and says how far it is",
		"the rights of system:auth-delegator":                     "asks kube-apiserver who a caller is, and what it may do",
		"the rights of extension-apiserver-authentication-reader": "reads the front proxy's CA",
	}
}

// TestLeastPrivilege holds that the server's account has the rights that it uses
// and no others, in all manifests together.
func TestLeastPrivilege(t *testing.T) {
	reasons, given := needs(), map[string]bool{}
	give := func(t *testing.T, right string) {
		t.Helper()
		if given[right] = true; reasons[right] == "" {
			t.Errorf("%q is given, and nobody says what for", right)
		}
	}
	forEach(t, func(t *testing.T, objects []object) {
		bound := func(ref rbacv1.RoleRef) {
			switch {
			case ref.Name == "system:auth-delegator" || ref.Name == "extension-apiserver-authentication-reader":
				give(t, "the rights of "+ref.Name)
			case ref.Kind == "ClusterRole":
				for _, right := range single(one[*rbacv1.ClusterRole](t, objects, ref.Name).Rules) {
					give(t, right)
				}
			default:
				for _, right := range single(one[*rbacv1.Role](t, objects, ref.Name).Rules) {
					give(t, right)
				}
			}
		}
		for _, binding := range all[*rbacv1.ClusterRoleBinding](objects) {
			bound(binding.RoleRef)
		}
		for _, binding := range all[*rbacv1.RoleBinding](objects) {
			bound(binding.RoleRef)
		}
	})
	for right := range reasons {
		if !given[right] {
			t.Errorf("%q is said to be needed, and is not given", right)
		}
	}
}

// TestNoWayUp refuses the rights with which an intruder would come further,
// whoever has them and whatever for.
func TestNoWayUp(t *testing.T) {
	forbidden := []string{
		"nodes/proxy", "pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers", "serviceaccounts/token",
		"certificatesigningrequests", "roles", "clusterroles", "rolebindings", "clusterrolebindings",
		"mutatingwebhookconfigurations", "validatingwebhookconfigurations", "users", "groups",
	}
	check := func(t *testing.T, role string, rules []rbacv1.PolicyRule) {
		t.Helper()
		for _, rule := range rules {
			for _, verb := range []string{"create", "delete", "deletecollection", "impersonate", "escalate", "bind", "approve"} {
				if slices.Contains(rule.Verbs, verb) {
					t.Errorf("%s may %s", role, describe(rule))
				}
			}
			for _, resource := range rule.Resources {
				if slices.Contains(forbidden, resource) {
					t.Errorf("%s may %s", role, describe(rule))
				}
				named := len(rule.ResourceNames) > 0
				if (resource == "secrets" || resource == "apiservices" || resource == "configmaps") && !named {
					t.Errorf("%s may %s, whatever its name", role, describe(rule))
				}
			}
		}
	}
	forEach(t, func(t *testing.T, objects []object) {
		for _, role := range all[*rbacv1.ClusterRole](objects) {
			check(t, role.Name, role.Rules)
		}
		for _, role := range all[*rbacv1.Role](objects) {
			check(t, role.Name, role.Rules)
		}
	})
}

// single splits rules into one verb on one resource each.
func single(rules []rbacv1.PolicyRule) []string {
	var rights []string
	for _, rule := range rules {
		for _, verb := range rule.Verbs {
			for _, group := range rule.APIGroups {
				if group == "" {
					group = "core"
				}
				for _, resource := range rule.Resources {
					right := fmt.Sprintf("%s %s/%s", verb, group, resource)
					if len(rule.ResourceNames) > 0 {
						right += " named"
					}
					rights = append(rights, right)
				}
			}
			if len(rule.NonResourceURLs) > 0 {
				rights = append(rights, verb+" at "+strings.Join(rule.NonResourceURLs, ","))
			}
		}
	}
	return rights
}

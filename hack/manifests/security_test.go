// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// TestPodSecurityRestricted evaluates every pod template as the admission
// plugin of the API server would in a namespace that enforces "restricted".
func TestPodSecurityRestricted(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	forEach(t, func(t *testing.T, objects []object) {
		for _, d := range all[*appsv1.Deployment](objects) {
			template := d.Spec.Template
			result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec))
			if !result.Allowed {
				t.Errorf("%s: %s: %s", d.Name, result.ForbiddenReason(), result.ForbiddenDetail())
			}
		}
	})
}

// TestContainer holds what "restricted" does not ask for and we do.
func TestContainer(t *testing.T) {
	forEach(t, func(t *testing.T, objects []object) {
		for _, d := range all[*appsv1.Deployment](objects) {
			spec := d.Spec.Template.Spec
			if spec.HostNetwork || spec.HostPID || spec.HostIPC {
				t.Errorf("%s shares a namespace of its node", d.Name)
			}
			for _, v := range spec.Volumes {
				if v.ConfigMap == nil && (v.EmptyDir == nil || v.EmptyDir.SizeLimit == nil) {
					t.Errorf("volume %s is neither a ConfigMap nor an emptyDir with a size limit", v.Name)
				}
			}
			for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
				checkContainer(t, c)
			}
		}
	})
}

func checkContainer(t *testing.T, c corev1.Container) {
	t.Helper()
	if sc := c.SecurityContext; sc == nil || sc.ReadOnlyRootFilesystem == nil || !*sc.ReadOnlyRootFilesystem {
		t.Errorf("container %s may write to its root file system", c.Name)
	}
	if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() {
		t.Errorf("container %s requests no CPU or no memory", c.Name)
	}
	for _, probe := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Scheme != corev1.URISchemeHTTPS {
			t.Errorf("container %s lacks an HTTPS probe", c.Name)
		}
	}
}

// TestNoWildcards refuses rules whose reach grows with the cluster.
func TestNoWildcards(t *testing.T) {
	check := func(t *testing.T, role string, rules []rbacv1.PolicyRule) {
		t.Helper()
		for _, rule := range rules {
			if slices.Contains(slices.Concat(rule.Verbs, rule.APIGroups, rule.Resources, rule.NonResourceURLs), "*") {
				t.Errorf("%s has the wildcard rule %s", role, describe(rule))
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

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

// These names are metrics-server's. Everything that points at a metrics-server
// (network policies, dashboards, alerts, autoscalers of add-ons) points at them.
const (
	namespace = "kube-system"
	name      = "metrics-server"
)

// selector is what metrics-server's Deployment selects its pods by. It can not
// be changed in place, so applying another over it would fail.
func selector() map[string]string { return map[string]string{"k8s-app": "metrics-server"} }

// TestNamespaces checks that every object that lives in a namespace names it,
// so that the manifests work whatever namespace the user's context is in.
func TestNamespaces(t *testing.T) {
	clusterScoped := []string{"ClusterRole", "ClusterRoleBinding", "APIService"}
	forEach(t, func(t *testing.T, objects []object) {
		for _, o := range objects {
			want := namespace
			if slices.Contains(clusterScoped, o.kind) {
				want = ""
			}
			if o.GetNamespace() != want {
				t.Errorf("%s is in namespace %q, want %q", o, o.GetNamespace(), want)
			}
			if o.GetLabels()["k8s-app"] != name {
				t.Errorf("%s lacks the label k8s-app", o)
			}
		}
	})
}

func TestDeployment(t *testing.T) {
	forEach(t, func(t *testing.T, objects []object) {
		d := one[*appsv1.Deployment](t, objects, name)
		if !maps.Equal(d.Spec.Selector.MatchLabels, selector()) || len(d.Spec.Selector.MatchExpressions) > 0 {
			t.Errorf("selector is %v, want metrics-server's %v", d.Spec.Selector, selector())
		}
		if rolling := d.Spec.Strategy.RollingUpdate; rolling == nil || *rolling.MaxUnavailable != intstr.FromInt32(0) {
			t.Error("a rollout may take the last ready pod away")
		}
		spec := d.Spec.Template.Spec
		one[*corev1.ServiceAccount](t, objects, spec.ServiceAccountName)
		if spec.PriorityClassName != "system-cluster-critical" {
			t.Errorf("priority class is %q", spec.PriorityClassName)
		}
		if len(spec.Containers) != 1 || spec.Containers[0].Name != name {
			t.Fatalf("want one container %q, got %v", name, spec.Containers)
		}
		c := spec.Containers[0]
		want := []corev1.ContainerPort{{Name: "https", ContainerPort: 10250, Protocol: corev1.ProtocolTCP}}
		if !slices.Equal(c.Ports, want) {
			t.Errorf("ports are %v, want %v", c.Ports, want)
		}
		if len(c.Command) > 0 {
			t.Errorf("command %v hides the image's own", c.Command)
		}
		if c.ReadinessProbe.HTTPGet.Path != "/readyz" || c.LivenessProbe.HTTPGet.Path != "/livez" {
			t.Error("probes do not ask /readyz and /livez")
		}
	})
}

// TestArguments checks that whoever knows metrics-server's arguments finds them
// unchanged, at the front and in their order: patches address them by index.
func TestArguments(t *testing.T) {
	want := []string{
		"--cert-dir=/tmp",
		"--secure-port=10250",
		"--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
		"--kubelet-use-node-status-port",
		"--metric-resolution=15s",
	}
	forEach(t, func(t *testing.T, objects []object) {
		got := one[*appsv1.Deployment](t, objects, name).Spec.Template.Spec.Containers[0].Args
		if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
			t.Errorf("arguments are %q, want %q first", got, want)
		}
	})
}

func TestService(t *testing.T) {
	forEach(t, func(t *testing.T, objects []object) {
		s := one[*corev1.Service](t, objects, name)
		if !maps.Equal(s.Spec.Selector, selector()) {
			t.Errorf("selector is %v, want %v", s.Spec.Selector, selector())
		}
		if len(s.Spec.Ports) != 1 {
			t.Fatalf("want one port, got %v", s.Spec.Ports)
		}
		p := s.Spec.Ports[0]
		if p.Name != "https" || p.Port != 443 || p.TargetPort != intstr.FromString("https") {
			t.Errorf("port is %v, want https, 443 to https", p)
		}
	})
}

// TestSelectors checks that everything that selects our pods does.
func TestSelectors(t *testing.T) {
	forEach(t, func(t *testing.T, objects []object) {
		d := one[*appsv1.Deployment](t, objects, name)
		selectors := []*metav1.LabelSelector{d.Spec.Selector}
		for _, pdb := range all[*policyv1.PodDisruptionBudget](objects) {
			selectors = append(selectors, pdb.Spec.Selector)
		}
		for _, spread := range d.Spec.Template.Spec.TopologySpreadConstraints {
			selectors = append(selectors, spread.LabelSelector)
		}
		if affinity := d.Spec.Template.Spec.Affinity; affinity != nil {
			for _, term := range affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution {
				selectors = append(selectors, term.LabelSelector)
			}
		}
		for _, s := range selectors {
			parsed, err := metav1.LabelSelectorAsSelector(s)
			if err != nil {
				t.Fatal(err)
			}
			if parsed.Empty() || !parsed.Matches(labels.Set(d.Spec.Template.Labels)) {
				t.Errorf("selector %v does not select our pods", parsed)
			}
		}
	})
}

// TestAPIServices checks the registrations: that only the ones for a running
// metrics-server leave out v1, which it does not serve, and that custom metrics
// and external ones are only registered where they are asked for.
func TestAPIServices(t *testing.T) {
	for _, r := range renderings() {
		t.Run(r.name, func(t *testing.T) {
			verified := strings.HasSuffix(r.name, "verified-tls")
			priority := map[string]int32{"v1.metrics.k8s.io": 110, "v1beta1.metrics.k8s.io": 100}
			if r.name == "replace-metrics-server" {
				delete(priority, "v1.metrics.k8s.io")
			}
			if r.name == "custom-metrics" || r.name == "custom-metrics-verified-tls" || r.name == "external-metrics-verified-tls" {
				priority["v1beta2.custom.metrics.k8s.io"] = 110
				priority["v1beta1.custom.metrics.k8s.io"] = 100
			}
			if r.name == "external-metrics-verified-tls" {
				priority["v1beta1.external.metrics.k8s.io"] = 100
			}
			got := all[*apiregistrationv1.APIService](render(t, r.dir))
			if len(got) != len(priority) {
				t.Errorf("there are %d APIServices, want %d", len(got), len(priority))
			}
			for _, a := range got {
				if a.Name != a.Spec.Version+"."+a.Spec.Group {
					t.Errorf("%s registers %s/%s", a.Name, a.Spec.Group, a.Spec.Version)
				}
				if want, ok := priority[a.Name]; !ok || a.Spec.GroupPriorityMinimum != 100 || a.Spec.VersionPriority != want {
					t.Errorf("%s has the priorities %d and %d", a.Name, a.Spec.GroupPriorityMinimum, a.Spec.VersionPriority)
				}
				if s := a.Spec.Service; s == nil || s.Namespace != namespace || s.Name != name || *s.Port != 443 {
					t.Errorf("%s is served by %v", a.Name, s)
				}
				if a.Spec.InsecureSkipTLSVerify == verified {
					t.Errorf("%s: insecureSkipTLSVerify is %t", a.Name, a.Spec.InsecureSkipTLSVerify)
				}
				if len(a.Spec.CABundle) > 0 {
					t.Errorf("%s carries a CA bundle, which applying it would put back over a renewed one", a.Name)
				}
			}
		})
	}
}

// TestRoles checks the names of roles and bindings, and that they bind our
// ServiceAccount and nobody else. What they allow is in testdata/rights.golden.
func TestRoles(t *testing.T) {
	forEach(t, func(t *testing.T, objects []object) {
		one[*rbacv1.ClusterRole](t, objects, "system:metrics-server")
		one[*rbacv1.ClusterRole](t, objects, "system:aggregated-metrics-reader")
		one[*rbacv1.ClusterRoleBinding](t, objects, "system:metrics-server")
		one[*rbacv1.ClusterRoleBinding](t, objects, "metrics-server:system:auth-delegator")
		one[*rbacv1.RoleBinding](t, objects, "metrics-server-auth-reader")

		var subjects []rbacv1.Subject
		for _, b := range all[*rbacv1.ClusterRoleBinding](objects) {
			subjects = append(subjects, b.Subjects...)
		}
		for _, b := range all[*rbacv1.RoleBinding](objects) {
			subjects = append(subjects, b.Subjects...)
		}
		want := rbacv1.Subject{Kind: "ServiceAccount", Namespace: namespace, Name: name}
		for _, s := range subjects {
			if s != want {
				t.Errorf("a binding names %v", s)
			}
		}
	})
}

// TestHighAvailability checks that a drain and a rollout each leave a replica.
func TestHighAvailability(t *testing.T) {
	objects := render(t, "../../manifests/high-availability")
	if replicas := one[*appsv1.Deployment](t, objects, name).Spec.Replicas; replicas == nil || *replicas != 2 {
		t.Errorf("replicas are %v, want 2", replicas)
	}
	if least := one[*policyv1.PodDisruptionBudget](t, objects, name).Spec.MinAvailable; least == nil || least.IntValue() != 1 {
		t.Errorf("minAvailable is %v, want 1", least)
	}
}

// TestOwnImage checks that the images entry of an overlay reaches the container,
// so that nobody needs to patch it.
func TestOwnImage(t *testing.T) {
	const want = "registry.example/team/metrics-apiserver:v1.2.3"
	d := one[*appsv1.Deployment](t, render(t, "testdata/own-image"), name)
	if got := d.Spec.Template.Spec.Containers[0].Image; got != want {
		t.Errorf("image is %q, want %q", got, want)
	}
}

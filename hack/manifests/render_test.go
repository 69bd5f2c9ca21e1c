// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// rendering is one kustomization under test.
type rendering struct {
	name string // As the golden files call it.
	dir  string
}

// renderings lists every kustomization under test: those that users apply as
// they are, then the combinations that the documentation promises.
func renderings() []rendering {
	return []rendering{
		{"base", "../../manifests/base"},
		{"high-availability", "../../manifests/high-availability"},
		{"replace-metrics-server", "../../manifests/replace-metrics-server"},
		{"without-node-stats", "testdata/without-node-stats"},
		{"verified-tls-server", "testdata/verified-tls-server"},
		{"verified-tls", "testdata/verified-tls"},
		{"high-availability-verified-tls", "testdata/high-availability-verified-tls"},
		{"custom-metrics-server", "testdata/custom-metrics-server"},
		{"custom-metrics", "testdata/custom-metrics"},
		{"custom-metrics-verified-tls", "testdata/custom-metrics-verified-tls"},
		{"external-metrics-verified-tls", "testdata/external-metrics-verified-tls"},
		{"remote-write", "testdata/remote-write"},
		{"own-image", "testdata/own-image"},
	}
}

// forEach renders every kustomization and runs test on what came out.
func forEach(t *testing.T, test func(t *testing.T, objects []object)) {
	t.Helper()
	for _, r := range renderings() {
		t.Run(r.name, func(t *testing.T) { test(t, render(t, r.dir)) })
	}
}

// object is one rendered object in its API type.
type object struct {
	kind string
	metav1.Object
}

// String names the object as the golden files do: Kind [namespace/]name.
func (o object) String() string {
	if ns := o.GetNamespace(); ns != "" {
		return fmt.Sprintf("%s %s/%s", o.kind, ns, o.GetName())
	}
	return o.kind + " " + o.GetName()
}

// newObject returns an empty object of the type that apiVersion and kind name,
// or nil for one that no manifest of ours should hold.
func newObject(apiVersion, kind string) metav1.Object {
	switch apiVersion + " " + kind {
	case "v1 ServiceAccount":
		return &corev1.ServiceAccount{}
	case "v1 Service":
		return &corev1.Service{}
	case "v1 ConfigMap":
		return &corev1.ConfigMap{}
	case "v1 Secret":
		return &corev1.Secret{}
	case "apps/v1 Deployment":
		return &appsv1.Deployment{}
	case "coordination.k8s.io/v1 Lease":
		return &coordinationv1.Lease{}
	case "policy/v1 PodDisruptionBudget":
		return &policyv1.PodDisruptionBudget{}
	case "rbac.authorization.k8s.io/v1 Role":
		return &rbacv1.Role{}
	case "rbac.authorization.k8s.io/v1 RoleBinding":
		return &rbacv1.RoleBinding{}
	case "rbac.authorization.k8s.io/v1 ClusterRole":
		return &rbacv1.ClusterRole{}
	case "rbac.authorization.k8s.io/v1 ClusterRoleBinding":
		return &rbacv1.ClusterRoleBinding{}
	case "apiregistration.k8s.io/v1 APIService":
		return &apiregistrationv1.APIService{}
	default:
		return nil
	}
}

// render builds the kustomization in dir as `kubectl kustomize` does and
// decodes each object strictly, so that a misspelt field fails the test.
func render(t *testing.T, dir string) []object {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatalf("render %s: %v", dir, err)
	}
	objects := make([]object, 0, resources.Size())
	for _, r := range resources.Resources() {
		decoded := newObject(r.GetApiVersion(), r.GetKind())
		if decoded == nil {
			t.Fatalf("%s holds a %s %s, which this test does not know", dir, r.GetApiVersion(), r.GetKind())
		}
		text, err := r.AsYAML()
		if err != nil {
			t.Fatalf("encode %s: %v", r.CurId(), err)
		}
		if err := yaml.UnmarshalStrict(text, decoded); err != nil {
			t.Fatalf("decode %s: %v", r.CurId(), err)
		}
		objects = append(objects, object{r.GetKind(), decoded})
	}
	return objects
}

// all returns the objects of type T.
func all[T metav1.Object](objects []object) []T {
	var of []T
	for _, o := range objects {
		if typed, ok := o.Object.(T); ok {
			of = append(of, typed)
		}
	}
	return of
}

// one returns the object of type T with the given name, and fails the test
// where there is none.
func one[T metav1.Object](t *testing.T, objects []object, name string) T {
	t.Helper()
	for _, o := range all[T](objects) {
		if o.GetName() == name {
			return o
		}
	}
	var none T
	t.Fatalf("there is no %T named %q", none, name)
	return none
}

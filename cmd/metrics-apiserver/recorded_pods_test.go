// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const objectsConfig = `apiVersion: metrics-apiserver/v1alpha1
kind: Configuration
rules:
- name: working_set
  attach: {resource: services, label: label_app}
  expr: sum by (label_app) (container_memory_working_set_bytes{container="web"})
- name: working_set
  attach: {group: apps, resource: deployments, label: workload}
  expr: sum by (workload) (container_memory_working_set_bytes{workload_type="deployment",container!=""})
- name: of_pods
  attach: {resource: pods}
  expr: sum by (pod) (container_memory_working_set_bytes)
`

// objectOf is a Pod as kubectl writes it, as far as it matters.
func objectOf(namespace, name, node, phase, more string) string {
	return fmt.Sprintf(`- apiVersion: v1
  kind: Pod
  metadata:
    name: %s
    namespace: %s
    creationTimestamp: "2026-11-21T00:00:00Z"
    labels: {app: web, pod-template-hash: 8566b69bb8}
    ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-8566b69bb8, uid: x, controller: true}]
%s  spec:
    nodeName: %s
    containers: [{name: web, image: i, resources: {requests: {cpu: 10m}}}]
  status:
    phase: %s
    containerStatuses: [{name: web, state: {running: {startedAt: "2026-11-21T00:00:01Z"}}}, {name: proxy, state: {running: {}}}]
`, name, namespace, more, node, phase)
}

// podList is a List of Pods, or what else items are.
func podList(items ...string) string {
	return "apiVersion: v1\nkind: List\nmetadata: {resourceVersion: \"\"}\nitems:\n" + strings.Join(items, "")
}

// webPods are the Deployment's pods in the recordings.
func webPods() []string {
	var items []string
	for _, name := range []string{"7c68l", "89t58", "m25wf", "sjnx9"} {
		items = append(items, objectOf("shop", "web-8566b69bb8-"+name, "node-1", "Running", ""))
	}
	return items
}

// documents are items as documents of their own.
func documents(items []string) []string {
	for i, item := range items {
		items[i] = strings.Replace(item, "-", " ", 1)
	}
	return items
}

// TestCheckObjects: rules about what pods belong to can be tried with their
// objects.
func TestCheckObjects(t *testing.T) {
	answers := recorded(t)[4:]
	check := func(t *testing.T, texts ...string) (string, error) {
		t.Helper()
		dir := t.TempDir()
		config := filepath.Join(dir, "config.yaml")
		args := []string{"check", "--config", config, "--node", "node-1", "--answers", strings.Join(answers, ",")}
		if err := os.WriteFile(config, []byte(objectsConfig), 0o600); err != nil {
			t.Fatal(err)
		}
		for i, text := range texts {
			file := filepath.Join(dir, fmt.Sprintf("pods-%d.yaml", i))
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, "--objects", file)
		}
		out, err := execute(t, args...)
		if err != nil {
			return out, fmt.Errorf("%s", strings.ReplaceAll(err.Error(), dir+"/", ""))
		}
		return out, nil
	}
	const service, deployment = `working_set +services +shop +web +[1-9]\d*\.\d{3} `, `working_set +deployments\.apps +shop +web +[1-9]\d*\.\d{3} `
	going := objectOf("shop", "web-8566b69bb8-sjnx9", "node-1", "Running", "    deletionTimestamp: \"2026-11-21T00:00:00Z\"\n")
	asJSON := `{"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"namespace":"shop","name":"web-8566b69bb8-7c68l","labels":{"app":"web"}},"spec":{},"status":{}}]}`
	for _, c := range []struct {
		name          string
		texts         []string
		want, wantNot []string
	}{
		{"none", nil, []string{`working_set +services +shop +- +none: a result without the label label_app is of nothing`, `of_pods +pods +shop +web-8566b69bb8-7c68l`}, []string{service, deployment, "--objects"}},
		{"all of a Deployment", []string{podList(webPods()...)}, []string{service, deployment, "6 of the pods in the answers are not in --objects: they are taken to run, without labels and owners"}, []string{"left out"}},
		{"several documents and an empty one", []string{"# Pods.\n---\n" + strings.Join(documents(webPods()), "---\n")}, []string{service, deployment}, nil},
		{"JSON as by hand", []string{asJSON}, []string{service}, []string{deployment}},
		{"what has ended is not taken to run", []string{podList(objectOf("shop", "web-8566b69bb8-7c68l", "node-1", "Failed", ""))}, []string{`of_pods +pods +shop +web-8566b69bb8-89t58`, "9 of the pods in the answers are not in --objects"}, []string{"7c68l"}},
		{
			"some that are elsewhere or have ended or go",
			[]string{podList(append(webPods()[:3], going)...), podList(objectOf("shop", "far", "node-2", "Running", ""), objectOf("shop", "done", "node-1", "Succeeded", ""))},
			[]string{service, deployment, "1 of the pods in --objects are on other nodes than node-1, and left out.", "1 of the pods in --objects do not run, and are left out."},
			nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := check(t, c.texts...)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, want := range c.want {
				if !regexp.MustCompile(want).MatchString(out) {
					t.Errorf("lacks %s:\n%s", want, out)
				}
			}
			for _, wantNot := range c.wantNot {
				if regexp.MustCompile(wantNot).MatchString(out) {
					t.Errorf("has %s:\n%s", wantNot, out)
				}
			}
		})
	}

	for _, c := range []struct {
		name  string
		texts []string
		want  string
	}{
		{"no file", []string{""}, "pods-0.yaml has no Pods: write it with `kubectl get pods --all-namespaces -o yaml`"},
		{"an empty list", []string{"apiVersion: v1\nkind: List\nitems: []\n"}, "pods-0.yaml has no Pods: write it with"},
		{"a table", []string{"NAME    READY   STATUS\nweb-1   1/1     Running\n"}, "pods-0.yaml is no object of Kubernetes: "},
		{"no YAML", []string{"apiVersion: v1\nkind: {List\n"}, "pods-0.yaml is neither YAML nor JSON: "},
		{"of another kind", []string{podList(webPods()[0], "- {apiVersion: v1, kind: Service, metadata: {name: web}}\n")}, `pods-0.yaml: items[1] is of the kind "Service" in "v1", and only Pods are read, and Lists of them: write it with`},
		{"usage", []string{"apiVersion: metrics.k8s.io/v1beta1\nkind: PodMetricsList\nitems: []\n"}, `pods-0.yaml is of the kind "PodMetricsList" in "metrics.k8s.io/v1beta1", and only Pods are read`},
		{"of a wrong type", []string{podList(webPods()[0], strings.Replace(webPods()[1], "{app: web,", "{app: [web],", 1))}, "pods-0.yaml: items[1], pod shop/web-8566b69bb8-89t58: json: cannot unmarshal array"},
		{"without a namespace", []string{"apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"}, `pods-0.yaml: the pod "/web" lacks metadata.name or metadata.namespace: give it both`},
		{"twice", []string{podList(webPods()...), podList(webPods()[3])}, "pods-1.yaml: items[0]: pod shop/web-8566b69bb8-sjnx9 was in pods-0.yaml: items[3] already: leave one of them out"},
		{"second document", []string{"apiVersion: v1\nkind: List\nitems: []\n---\n3\n"}, "pods-0.yaml, document 2 is no object of Kubernetes: "},
		{"another node's", []string{podList(objectOf("shop", "a", "node-3", "Running", ""), objectOf("shop", "b", "node-2", "Running", ""))}, `none of the pods in --objects is on the node "node-1": say with --node which node answered; they are on node-2, node-3`},
	} {
		if out, err := check(t, c.texts...); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s\n%s", c.name, err, c.want, out)
		}
	}
	if _, err := execute(t, "check", "--config", "absent", "--objects", "absent"); err == nil || !strings.HasPrefix(err.Error(), "--objects is of no use without --answers") {
		t.Error(err)
	}
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte(objectsConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := execute(t, "check", "--config", config, "--answers", answers[0], "--objects", "absent"); err == nil || !strings.HasPrefix(err.Error(), "read --objects: open absent") {
		t.Error(err)
	}
}

// execute runs the command, and returns what it printed.
func execute(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	command := newCommand()
	command.SilenceErrors = true
	command.SetOut(&out)
	command.SetErr(&out)
	command.SetArgs(args)
	err := command.Execute()
	return out.String(), err
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// foundPod is a pod and where it was read.
type foundPod struct {
	pod *corev1.Pod
	// place is the file and, in a list, which of its items it was.
	place string
}

// podKey is the same for no two pods of a cluster.
func podKey(namespace, name string) string { return namespace + "/" + name }

func (f foundPod) key() string { return podKey(f.pod.Namespace, f.pod.Name) }

// writePods is what to do where a file has no pods.
const writePods = "write it with `kubectl get pods --all-namespaces -o yaml`"

// readPods is the pods in files as kubectl writes them: one, a list, or several
// documents of these, in YAML or JSON.
func readPods(files []string) ([]foundPod, error) {
	var all []foundPod
	places := map[string]string{}
	for _, file := range files {
		found, err := readPodFile(file)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s has no Pods: %s", file, writePods)
		}
		for _, f := range found {
			if before, twice := places[f.key()]; twice {
				return nil, fmt.Errorf("%s: pod %s was in %s already: leave one of them out", f.place, f.key(), before)
			}
			places[f.key()] = f.place
		}
		all = append(all, found...)
	}
	return all, nil
}

// readPodFile is the pods in one file.
func readPodFile(file string) ([]foundPod, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read --objects: %w", err)
	}
	defer in.Close()
	bounded := &io.LimitedReader{R: in, N: maxRecorded + 1}
	decoder := yaml.NewYAMLOrJSONDecoder(bounded, 4096)
	var found []foundPod
	for n := 1; ; n++ {
		place := file
		if n > 1 {
			place = fmt.Sprintf("%s, document %d", file, n)
		}
		var document json.RawMessage
		err := decoder.Decode(&document)
		switch {
		case bounded.N == 0:
			return nil, fmt.Errorf("%s is longer than the %d bytes that are read: leave out the namespaces that no rule is about", file, maxRecorded)
		case errors.Is(err, io.EOF):
			return found, nil
		case err != nil:
			return nil, fmt.Errorf("%s is neither YAML nor JSON: %w; %s", place, err, writePods)
		}
		if found, err = appendPods(found, document, place, metav1.TypeMeta{}); err != nil {
			return nil, err
		}
	}
}

// appendPods adds the pods in an object: itself, or the items of a list. An object
// that does not say what it is is of the kind untold.
func appendPods(found []foundPod, object json.RawMessage, place string, untold metav1.TypeMeta) ([]foundPod, error) {
	if len(object) == 0 || string(object) == "null" {
		return found, nil // Nothing but a comment.
	}
	var head struct {
		metav1.TypeMeta
		Metadata struct{ Namespace, Name string }
		Items    []json.RawMessage
	}
	if err := json.Unmarshal(object, &head); err != nil {
		return nil, fmt.Errorf("%s is no object of Kubernetes: %w; %s", place, err, writePods)
	}
	if head.TypeMeta == (metav1.TypeMeta{}) {
		head.TypeMeta = untold
	}
	const version = "v1"
	switch aPod := (metav1.TypeMeta{APIVersion: version, Kind: "Pod"}); head.TypeMeta {
	case metav1.TypeMeta{APIVersion: version, Kind: "List"}, metav1.TypeMeta{APIVersion: version, Kind: "PodList"}:
		untold = metav1.TypeMeta{}
		if head.Kind == "PodList" {
			untold = aPod // The API's own lists leave it out.
		}
		for i, item := range head.Items {
			var err error
			if found, err = appendPods(found, item, fmt.Sprintf("%s: items[%d]", place, i), untold); err != nil {
				return nil, err
			}
		}
		return found, nil
	case aPod:
	default:
		return nil, fmt.Errorf("%s is of the kind %q in %q, and only Pods are read, and Lists of them: %s", place, head.Kind, head.APIVersion, writePods)
	}
	pod := &corev1.Pod{}
	if err := json.Unmarshal(object, pod); err != nil {
		return nil, fmt.Errorf("%s, pod %s/%s: %w", place, head.Metadata.Namespace, head.Metadata.Name, err)
	}
	if pod.Name == "" || pod.Namespace == "" {
		return nil, fmt.Errorf("%s: the pod %q lacks metadata.name or metadata.namespace: give it both", place, podKey(pod.Namespace, pod.Name))
	}
	return append(found, foundPod{pod, place}), nil
}

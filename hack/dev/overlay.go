// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"github.com/metrics-apiserver/metrics-apiserver/hack/toolchain"
)

// writeOverlay writes a kustomization of manifests/base with custom and external
// metrics, with the tag of our image and with a configuration file, where that is not
// nil, and returns its directory.
func writeOverlay(dir, tag string, config []byte) (string, error) {
	overlay := filepath.Join(dir, "overlay")
	if err := os.MkdirAll(overlay, 0o700); err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	base, err := relativeManifests(overlay, "base")
	if err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	kustomization := map[string]any{
		"apiVersion": "kustomize.config.k8s.io/v1beta1",
		"kind":       "Kustomization",
		"resources":  []string{base},
		"images":     []map[string]string{{"name": imageName, "newTag": tag}},
	}
	names := []string{"custom-metrics", "external-metrics"}
	if config != nil {
		// The first has a ConfigMap for the file, of which this is another content, and
		// the second the Lease without which nothing is shipped.
		names = append(names, "rules", "remote-write")
		patch, err := json.Marshal([]map[string]string{{"op": "replace", "path": "/data/config.yaml", "value": string(config)}})
		if err != nil {
			return "", fmt.Errorf("write the overlay: %w", err)
		}
		kustomization["patches"] = []map[string]any{{
			"target": map[string]string{"kind": "ConfigMap", "name": serviceName + "-config"}, "patch": string(patch),
		}}
	}
	var components []string
	for _, name := range names {
		component, err := relativeManifests(overlay, filepath.Join("components", name))
		if err != nil {
			return "", fmt.Errorf("write the overlay: %w", err)
		}
		components = append(components, component)
	}
	kustomization["components"] = components
	b, err := yaml.Marshal(kustomization)
	if err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	if err := os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), b, 0o600); err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	return overlay, nil
}

// relativeManifests returns the path of a directory of the manifests as seen from
// another directory: kustomize takes no absolute one, and follows links before
// it looks.
func relativeManifests(from, of string) (string, error) {
	root, err := toolchain.Root()
	if err != nil {
		return "", err
	}
	to, err := filepath.EvalSymlinks(filepath.Join(root, "manifests", of))
	if err != nil {
		return "", err
	}
	if from, err = filepath.EvalSymlinks(from); err != nil {
		return "", err
	}
	return filepath.Rel(from, to)
}

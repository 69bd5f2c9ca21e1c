// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
)

// External is an aggregated API server that runs as a process of this machine.
type External struct {
	// Namespace and Name are those of the Service to make for it.
	Namespace, Name string
	// Port is where the server listens on localhost.
	Port int
	// CABundle verifies the server's certificate, which must be good for
	// NAME.NAMESPACE.svc. Empty means that it is not verified.
	CABundle []byte
	// APIs are what it serves.
	APIs []GroupVersion
}

// GroupVersion is one APIService.
type GroupVersion struct {
	Group, Version string
	// Priority orders the versions of a group: the highest comes first in
	// discovery.
	Priority int
}

// Register puts a server that runs outside the cluster behind the aggregation
// layer: with a Service of type ExternalName and one APIService for each API.
// It changes what exists. It does not wait until the APIs are available.
func (c *Cluster) Register(ctx context.Context, e External) error {
	type object = map[string]any
	items := []object{{
		"apiVersion": "v1",
		"kind":       "Service",
		"metadata":   object{"namespace": e.Namespace, "name": e.Name},
		"spec":       object{"type": "ExternalName", "externalName": "localhost"},
	}}
	for _, api := range e.APIs {
		spec := object{
			"group":                api.Group,
			"version":              api.Version,
			"groupPriorityMinimum": 100,
			"versionPriority":      api.Priority,
			// The port is dialed as it stands here: a Service of type
			// ExternalName maps none.
			"service": object{"namespace": e.Namespace, "name": e.Name, "port": e.Port},
		}
		if len(e.CABundle) > 0 {
			spec["caBundle"] = e.CABundle // base64 in JSON, as the API wants it
		} else {
			spec["insecureSkipTLSVerify"] = true
		}
		items = append(items, object{
			"apiVersion": "apiregistration.k8s.io/v1",
			"kind":       "APIService",
			"metadata":   object{"name": api.Version + "." + api.Group},
			"spec":       spec,
		})
	}
	manifest, err := json.Marshal(object{"apiVersion": "v1", "kind": "List", "items": items})
	if err != nil {
		return fmt.Errorf("register %s: %w", e.Name, err)
	}
	if err := c.Apply(ctx, manifest); err != nil {
		return fmt.Errorf("register %s: %w", e.Name, err)
	}
	return nil
}

// WaitForAPIs returns when the APIServices are available.
func (c *Cluster) WaitForAPIs(ctx context.Context, apis ...GroupVersion) error {
	args := []string{"wait", "--for=condition=Available", fmt.Sprintf("--timeout=%v", c.opts.ReadyTimeout)}
	for _, api := range apis {
		args = append(args, "apiservice/"+api.Version+"."+api.Group)
	}
	_, err := c.Kubectl(ctx, args...)
	return err
}

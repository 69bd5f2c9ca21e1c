// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kwok

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/hack/toolchain"
)

// Name is the name of kwok as a component of the cluster.
const Name = "kwok"

// Annotations of simulated nodes and pods.
const (
	// PathAnnotation names the path of a node's resource metrics.
	PathAnnotation = "metrics.k8s.io/resource-metrics-path"
	// CPUAnnotation is the CPU that each container of a pod uses, as a quantity.
	CPUAnnotation = "kwok.x-k8s.io/usage-cpu"
	// MemoryAnnotation is the memory that each container of a pod uses, as a
	// quantity.
	MemoryAnnotation = "kwok.x-k8s.io/usage-memory"
	// nodeAnnotation marks the nodes that kwok plays.
	nodeAnnotation = "kwok.x-k8s.io/node"
)

//go:embed kwok.yaml
var behaviour []byte

// Start builds kwok and makes it a component of the cluster. If it is running
// with the present behaviour, nothing happens.
func Start(ctx context.Context, c *cluster.Cluster) error {
	dir := filepath.Join(c.Dir(), Name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("start kwok: %w", err)
	}
	config := filepath.Join(dir, "kwok.yaml")
	if before, err := os.ReadFile(config); err == nil && c.Running(Name) && bytes.Equal(before, behaviour) {
		return nil
	}
	if err := os.WriteFile(config, behaviour, 0o600); err != nil {
		return fmt.Errorf("start kwok: %w", err)
	}
	if _, ok := c.Component(Name); ok {
		return c.RestartComponent(ctx, Name)
	}
	component, err := component(ctx, c, dir, config)
	if err != nil {
		return err
	}
	return c.Add(ctx, component)
}

// component puts together how kwok is run.
func component(ctx context.Context, c *cluster.Cluster, dir, config string) (cluster.Component, error) {
	tools, err := toolchain.Build(ctx, c.Progress(), toolchain.Kwok, "kwok")
	if err != nil {
		return cluster.Component{}, err
	}
	kubeconfig, err := c.ClientKubeconfig("kwok", "system:masters")
	if err != nil {
		return cluster.Component{}, err
	}
	certFile, keyFile, err := c.CA().WriteServer(dir, "kubelets", c.BindAddress(), "localhost")
	if err != nil {
		return cluster.Component{}, err
	}
	port, err := cluster.FreePort(c.BindAddress())
	if err != nil {
		return cluster.Component{}, fmt.Errorf("start kwok: %w", err)
	}
	address := net.JoinHostPort(c.BindAddress(), strconv.Itoa(port))
	return cluster.Component{
		Name: Name,
		Argv: []string{
			tools["kwok"],
			"--kubeconfig=" + kubeconfig,
			"--config=" + config,
			"--server-address=" + address,
			"--node-ip=" + c.BindAddress(),
			"--node-port=" + strconv.Itoa(port),
			"--tls-cert-file=" + certFile,
			"--tls-private-key-file=" + keyFile,
			"--cidr=10.244.0.0/16",
			"--node-lease-duration-seconds=40",
			"--manage-nodes-with-annotation-selector=" + nodeAnnotation + "=fake",
		},
		Health: "https://" + address + "/healthz",
	}, nil
}

// Node describes a simulated node.
type Node struct {
	// Name is the node's name. Required.
	Name string
	// CPU and Memory are its capacity as quantities. "" means 8 CPUs and 32Gi.
	CPU, Memory string
	// Labels are added to the ones that every node has.
	Labels map[string]string
}

// Nodes returns n nodes named node-1 to node-n.
func Nodes(n int) []Node {
	nodes := make([]Node, n)
	for i := range nodes {
		nodes[i].Name = "node-" + strconv.Itoa(i+1)
	}
	return nodes
}

// CreateNodes creates or changes simulated nodes, and returns when all are
// ready. [Start] must have been called.
func CreateNodes(ctx context.Context, c *cluster.Cluster, nodes ...Node) error {
	component, ok := c.Component(Name)
	if !ok {
		return errors.New("create nodes: kwok was not started")
	}
	health, err := url.Parse(component.Health)
	if err != nil {
		return fmt.Errorf("create nodes: %w", err)
	}
	port, err := strconv.Atoi(health.Port())
	if err != nil {
		return fmt.Errorf("create nodes: port of kwok: %w", err)
	}
	args := []string{"wait", "--for=condition=Ready", fmt.Sprintf("--timeout=%v", time.Minute)}
	var objects, statuses []map[string]any
	for _, n := range nodes {
		objects = append(objects, n.object())
		statuses = append(statuses, n.status(c.BindAddress(), port))
		args = append(args, "node/"+n.Name)
	}
	// The status is a subresource, which apply writes only when asked to.
	for _, write := range []struct {
		items []map[string]any
		args  []string
	}{{objects, nil}, {statuses, []string{"--subresource=status"}}} {
		manifest, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": write.items})
		if err != nil {
			return fmt.Errorf("create nodes: %w", err)
		}
		if err := c.Apply(ctx, manifest, write.args...); err != nil {
			return fmt.Errorf("create nodes: %w", err)
		}
	}
	_, err = c.Kubectl(ctx, args...)
	return err
}

// object returns the node without its status.
func (n Node) object() map[string]any {
	labels := map[string]string{
		"kubernetes.io/hostname": n.Name,
		"kubernetes.io/os":       "linux",
		"type":                   "kwok",
	}
	maps.Copy(labels, n.Labels)
	return map[string]any{
		"apiVersion": "v1",
		"kind":       "Node",
		"metadata": map[string]any{
			"name":   n.Name,
			"labels": labels,
			"annotations": map[string]string{
				nodeAnnotation: "fake",
				PathAnnotation: "/metrics/nodes/" + n.Name + "/metrics/resource",
			},
		},
	}
}

// status returns the parts of the node's status that kwok is not to make up.
func (n Node) status(address string, port int) map[string]any {
	capacity := map[string]string{"cpu": n.CPU, "memory": n.Memory, "pods": "110"}
	if n.CPU == "" {
		capacity["cpu"] = "8"
	}
	if n.Memory == "" {
		capacity["memory"] = "32Gi"
	}
	return map[string]any{
		"apiVersion": "v1",
		"kind":       "Node",
		"metadata":   map[string]any{"name": n.Name},
		"status": map[string]any{
			"capacity":    capacity,
			"allocatable": capacity,
			"addresses": []map[string]string{
				{"type": "InternalIP", "address": address},
				{"type": "Hostname", "address": n.Name},
			},
			"daemonEndpoints": map[string]any{"kubeletEndpoint": map[string]int{"Port": port}},
			"nodeInfo": map[string]string{
				"kubeletVersion":          "kwok",
				"containerRuntimeVersion": "kwok://simulated",
				"kernelVersion":           "simulated",
				"osImage":                 "simulated",
				"operatingSystem":         "linux",
				"architecture":            "amd64",
				"bootID":                  "",
				"kubeProxyVersion":        "",
				"machineID":               "",
				"systemUUID":              "",
			},
		},
	}
}

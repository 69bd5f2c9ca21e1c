// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster/clustertest"
	"github.com/metrics-apiserver/metrics-apiserver/hack/toolchain"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
)

// Reader is a user who may read metrics in all namespaces, and nothing else.
const Reader = "chaos-reader"

// serverUser is who the server is: the ServiceAccount of manifests/base.
const serverUser = "system:serviceaccount:kube-system:metrics-server"

// Site is a control plane with fake kubelets.
type Site struct {
	*cluster.Cluster
	// Client acts as the administrator, without a limit on its rate.
	Client kubernetes.Interface

	t          testing.TB
	config     *rest.Config
	kubelets   *kubelettest.Server
	authority  string // path of the kubelets' CA
	binary     string // path of our server
	kubeconfig string // path of our server's credentials

	mu struct {
		sync.Mutex
		nodes map[string]*Node
		hosts int
	}
}

// Start builds the server and starts a site that ends with the test. The
// environment is added to that of kube-apiserver, each as "KEY=value".
func Start(t testing.TB, environment ...string) *Site {
	t.Helper()
	s := &Site{t: t, binary: filepath.Join(t.TempDir(), "metrics-apiserver")}
	s.mu.nodes = map[string]*Node{}
	if err := toolchain.BuildPackage(t.Context(), os.Stderr, "./cmd/metrics-apiserver", s.binary); err != nil {
		t.Fatal(err)
	}
	var err error
	s.Cluster, err = cluster.Start(t.Context(), cluster.Options{
		Dir:      t.TempDir(),
		Progress: os.Stderr,
		ExtraEnv: map[string][]string{cluster.APIServer: environment},
		ExtraArgs: map[string][]string{
			cluster.APIServer: {"--max-requests-inflight=1000", "--max-mutating-requests-inflight=500"},
			cluster.ControllerManager: {
				// Nobody renews the leases of simulated nodes, and experiments
				// delete their pods themselves.
				"--controllers=*,-node-lifecycle-controller,-pod-garbage-collector-controller,-ttl-controller",
				"--kube-api-qps=200", "--kube-api-burst=400",
				// What could hide a wrong decision of the autoscaler is off.
				"--horizontal-pod-autoscaler-sync-period=5s",
				"--horizontal-pod-autoscaler-downscale-stabilization=1s",
				"--horizontal-pod-autoscaler-cpu-initialization-period=1s",
				"--horizontal-pod-autoscaler-initial-readiness-delay=1s",
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The test's own context is done by now. Components that an experiment
		// left ended are its own affair.
		_ = s.Stop(context.WithoutCancel(t.Context()))
	})
	if s.config, err = s.RESTConfig(); err != nil {
		t.Fatal(err)
	}
	s.config.ContentType = "application/vnd.kubernetes.protobuf"
	if s.Client, err = kubernetes.NewForConfig(s.config); err != nil {
		t.Fatal(err)
	}
	authority := kubelettest.NewAuthority(t)
	s.authority = filepath.Join(t.TempDir(), "kubelet-ca.crt")
	if err := os.WriteFile(s.authority, authority.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	s.kubelets = kubelettest.NewServer(t, kubelettest.Options{Authority: authority})
	s.grant()
	clustertest.RunPods(t, s.Client, s.Node)
	return s
}

// grant gives our server the rights of manifests/base, and the reader its own.
func (s *Site) grant() {
	s.t.Helper()
	ctx := s.t.Context()
	root, err := toolchain.Root()
	if err != nil {
		s.t.Fatal(err)
	}
	manifest, err := s.Kubectl(ctx, "kustomize", filepath.Join(root, "manifests", "base"))
	if err != nil {
		s.t.Fatal(err)
	}
	var rights []string
	for document := range strings.SplitSeq(manifest, "\n---\n") {
		if strings.Contains(document, "apiVersion: rbac.authorization.k8s.io/v1\n") || strings.Contains(document, "kind: ServiceAccount\n") {
			rights = append(rights, document)
		}
	}
	rights = append(rights, fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: %[1]s}
rules: [{apiGroups: [metrics.k8s.io], resources: [nodes, pods], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %[1]s}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %[1]s}]
`, Reader))
	if err := s.Apply(ctx, []byte(strings.Join(rights, "\n---\n"))); err != nil {
		s.t.Fatal(err)
	}
	s.kubeconfig, err = s.ClientKubeconfig(serverUser, "system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated")
	if err != nil {
		s.t.Fatal(err)
	}
}

// Node is a Node object and its fake kubelet.
type Node = clustertest.Node

// Node is the node of a name, or nil.
func (s *Site) Node(name string) *Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.nodes[name]
}

// startKubelet starts a kubelet at a loopback address of its own.
func (s *Site) startKubelet(name string) *Node {
	s.mu.Lock()
	s.mu.hosts++
	host := fmt.Sprintf("127.%d.%d.%d", 16+s.mu.hosts/62500, s.mu.hosts/250%250, 1+s.mu.hosts%250)
	s.mu.Unlock()
	node := clustertest.NewNode(s.kubelets.Start(name, host))
	s.mu.Lock()
	s.mu.nodes[name] = node
	s.mu.Unlock()
	return node
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package realnode

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
)

// kubeletConfig is the kubelet's configuration file. It differs from a
// cluster's in three ways: it works on cgroup v1 and v2 and with swap on, it
// never evicts a pod or an image for lack of disk (this machine's disk is
// nobody's business here), and it tells of changes of its node at once.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: %[1]s
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true, cacheTTL: 10s}
  x509: {clientCAFile: %[2]q}
authorization:
  mode: Webhook
tlsCertFile: %[3]q
tlsPrivateKeyFile: %[4]q
containerRuntimeEndpoint: unix://%[5]s
cgroupDriver: cgroupfs
cgroupRoot: %[6]s
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
resolvConf: ""
podLogsDir: %[7]q
volumePluginDir: %[8]q
makeIPTablesUtilChains: false
nodeStatusUpdateFrequency: 4s
nodeStatusReportFrequency: 10s
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard:
  memory.available: "0%%"
  nodefs.available: "0%%"
  nodefs.inodesFree: "0%%"
  imagefs.available: "0%%"
  imagefs.inodesFree: "0%%"
`

// startKubelet starts the kubelet and waits until its node takes pods.
func (n *Node) startKubelet(ctx context.Context) error {
	argv, err := n.kubeletCommand()
	if err != nil {
		return fmt.Errorf("configure the kubelet: %w", err)
	}
	err = n.cluster.Add(ctx, cluster.Component{
		Name:   Kubelet,
		Argv:   argv,
		Env:    []string{"NO_PROXY=*", "no_proxy=*"},
		Health: fmt.Sprintf("https://%s:10250/healthz", n.Address()),
	})
	if err != nil {
		return err
	}
	return n.WaitReady(ctx)
}

// kubeletCommand writes the kubelet's files and returns its command line.
func (n *Node) kubeletCommand() ([]string, error) {
	dir := n.state.kubeletDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	ca, address := n.cluster.CA(), n.Address()
	// The kubelet serves with a certificate of the cluster's authority that has
	// its name and its address, so scrapers can verify it by either.
	certFile, keyFile, err := ca.WriteServer(dir, Kubelet, n.state.NodeName, address)
	if err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := ca.WriteKubeconfig(kubeconfig, n.cluster.Server(), "system:node:"+n.state.NodeName, "system:nodes"); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf(kubeletConfig, address, ca.CertFile, certFile, keyFile, containerdSocket,
		n.state.cgroup(), n.state.podLogs(), filepath.Join(dir, "volume-plugins"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return []string{
		n.state.Tools[Kubelet],
		"--config=" + config,
		"--kubeconfig=" + kubeconfig,
		"--root-dir=" + filepath.Join(dir, "root"),
		"--hostname-override=" + n.state.NodeName,
		"--node-ip=" + address,
	}, nil
}

// WaitReady returns when the node is ready and pods can be scheduled to it.
func (n *Node) WaitReady(ctx context.Context) error {
	config, err := n.cluster.RESTConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("wait for node %s: %w", n.state.NodeName, err)
	}
	return n.wait(ctx, "node "+n.state.NodeName, func(ctx context.Context) error {
		node, err := client.CoreV1().Nodes().Get(ctx, n.state.NodeName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		return nodeProblem(node)
	})
}

// nodeProblem says why the node does not take pods; nil if it does.
func nodeProblem(node *corev1.Node) error {
	for _, taint := range node.Spec.Taints {
		if taint.Effect != corev1.TaintEffectPreferNoSchedule {
			return fmt.Errorf("it has the taint %s", taint.Key)
		}
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status != corev1.ConditionTrue {
			return fmt.Errorf("it is not ready: %s: %s", condition.Reason, condition.Message)
		}
		if condition.Type == corev1.NodeReady {
			return nil
		}
	}
	return errors.New("it has not said whether it is ready")
}

// StopKubelet ends the kubelet. Its pods run on.
func (n *Node) StopKubelet(ctx context.Context) error {
	return n.cluster.StopComponent(ctx, Kubelet)
}

// StartKubelet starts the kubelet after [Node.StopKubelet] and returns when it
// answers; [Node.WaitReady] waits for the node.
func (n *Node) StartKubelet(ctx context.Context) error {
	return n.cluster.StartComponent(ctx, Kubelet)
}

// FreezeKubelet makes the kubelet accept connections and answer nothing, until
// [Node.ThawKubelet].
func (n *Node) FreezeKubelet() error { return n.signalKubelet(syscall.SIGSTOP) }

// ThawKubelet ends what [Node.FreezeKubelet] began.
func (n *Node) ThawKubelet() error { return n.signalKubelet(syscall.SIGCONT) }

func (n *Node) signalKubelet(sig syscall.Signal) error {
	pid := n.cluster.Pid(Kubelet)
	if pid == 0 {
		return fmt.Errorf("send %v to the kubelet: it is not running", sig)
	}
	if err := syscall.Kill(pid, sig); err != nil {
		return fmt.Errorf("send %v to the kubelet: %w", sig, err)
	}
	return nil
}

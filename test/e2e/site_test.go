// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster/clustertest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
)

// resolution is the time between two scrapes in these tests, the least that
// the flag allows.
const resolution = 10 * time.Second

// serverName is our server among the cluster's components.
const serverName = "metrics-apiserver"

// site is a real control plane, with fake kubelets and our server as a process
// beside it. It is for what needs a real API server and real controllers, but
// no real containers.
type site struct {
	*cluster.Cluster
	t         *testing.T
	config    *rest.Config
	client    kubernetes.Interface
	metrics   metricsclient.Interface
	authority *kubelettest.Authority
	kubelets  *kubelettest.Server
	// nodes is written under nodesMu, by the test alone, which may read it
	// without.
	nodesMu sync.Mutex
	nodes   []*clustertest.Node
	port    int
	// serverArgs are our server's flags beside those that every site has.
	serverArgs []string
}

// startSite starts a site of that many nodes, without pods.
func startSite(t *testing.T, minor string, nodes int, serverArgs ...string) *site {
	t.Helper()
	s := prepareSite(t, minor, nodes, serverArgs...)
	s.startServer()
	return s
}

// prepareSite is startSite without our server.
func prepareSite(t *testing.T, minor string, nodes int, serverArgs ...string) *site {
	t.Helper()
	s := &site{t: t, serverArgs: serverArgs}
	s.Cluster = startCluster(t, cluster.Options{
		Minor: minor,
		ExtraArgs: map[string][]string{
			cluster.ControllerManager: {
				// Nobody renews the leases of simulated nodes.
				"--controllers=*,-node-lifecycle-controller",
				"--horizontal-pod-autoscaler-sync-period=1s",
				"--horizontal-pod-autoscaler-downscale-stabilization=1s",
				"--horizontal-pod-autoscaler-cpu-initialization-period=1s",
				"--horizontal-pod-autoscaler-initial-readiness-delay=1s",
			},
		},
	})
	var err error
	if s.config, err = s.RESTConfig(); err != nil {
		t.Fatal(err)
	}
	if s.client, err = kubernetes.NewForConfig(s.config); err != nil {
		t.Fatal(err)
	}
	if s.metrics, err = metricsclient.NewForConfig(s.config); err != nil {
		t.Fatal(err)
	}
	s.authority = kubelettest.NewAuthority(t)
	s.kubelets = kubelettest.NewServer(t, kubelettest.Options{Authority: s.authority})
	for i := range nodes {
		s.addNode(fmt.Sprintf("node-%d", i))
	}
	clustertest.RunPods(t, s.client, s.nodeNamed)
	return s
}

// startServer runs our server with the rights of manifests/base and puts it
// behind the aggregation layer.
func (s *site) startServer() {
	t := s.t
	t.Helper()
	s.grant("manifests", "base")
	kubeconfig, err := s.ClientKubeconfig("system:serviceaccount:kube-system:metrics-server", "system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated")
	if err != nil {
		t.Fatal(err)
	}
	authorityFile := filepath.Join(t.TempDir(), "kubelet-ca.crt")
	if err := os.WriteFile(authorityFile, s.authority.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	s.port = freePort(t)
	err = s.Add(t.Context(), cluster.Component{
		Name: serverName,
		Argv: append([]string{
			serverBinary(t),
			"--kubeconfig=" + kubeconfig,
			"--bind-address=127.0.0.1",
			"--secure-port=" + strconv.Itoa(s.port),
			"--cert-dir=" + t.TempDir(),
			"--metric-resolution=" + resolution.String(),
			"--kubelet-request-timeout=5s",
			"--kubelet-use-node-status-port",
			"--kubelet-preferred-address-types=InternalIP",
			"--kubelet-certificate-authority=" + authorityFile,
		}, s.serverArgs...),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			s.showLog(serverName)
			s.showObjects()
		}
	})
	s.register(
		t,
		cluster.GroupVersion{Group: "metrics.k8s.io", Version: "v1", Priority: 110},
		cluster.GroupVersion{Group: "metrics.k8s.io", Version: "v1beta1", Priority: 100},
	)
}

// register puts the server behind the aggregation layer for some APIs, and waits
// until they are available.
func (s *site) register(t *testing.T, apis ...cluster.GroupVersion) {
	t.Helper()
	if err := s.Register(t.Context(), cluster.External{Namespace: "kube-system", Name: "metrics-server", Port: s.port, APIs: apis}); err != nil {
		t.Fatal(err)
	}
	if err := s.WaitForAPIs(t.Context(), apis...); err != nil {
		s.showLog(serverName)
		t.Fatal(err)
	}
}

// grant applies what a kustomization grants, and nothing else of it. The path is
// from the checkout's root.
func (s *site) grant(kustomization ...string) {
	s.t.Helper()
	manifest, err := s.Kubectl(s.t.Context(), "kustomize", filepath.Join(append([]string{repository(s.t)}, kustomization...)...))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.Apply(s.t.Context(), []byte(onlyRBAC(manifest))); err != nil {
		s.t.Fatal(err)
	}
}

// showLog logs the end of a component's log.
func (s *site) showLog(name string) {
	text, err := os.ReadFile(s.LogPath(name))
	if err != nil {
		s.t.Log(err)
		return
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	s.t.Logf("the end of %s's log:\n%s", name, strings.Join(lines[max(0, len(lines)-40):], "\n"))
}

// showObjects logs what the cluster holds.
func (s *site) showObjects() {
	out, err := s.Kubectl(context.WithoutCancel(s.t.Context()), "get", "nodes,pods,apiservices,hpa,events", "-A", "-o", "wide")
	s.t.Logf("%v\n%s", err, out)
}

// onlyRBAC is the documents of a manifest that grant rights, and the
// ServiceAccount they are granted to.
func onlyRBAC(manifest string) string {
	var kept []string
	for document := range strings.SplitSeq(manifest, "\n---\n") {
		if strings.Contains(document, "apiVersion: rbac.authorization.k8s.io/v1\n") || strings.Contains(document, "kind: ServiceAccount\n") {
			kept = append(kept, document)
		}
	}
	return strings.Join(kept, "\n---\n")
}

// addNode adds a Node whose kubelet is a fake one.
func (s *site) addNode(name string) {
	t := s.t
	t.Helper()
	host := fmt.Sprintf("127.0.1.%d", len(s.nodes)+1)
	node := clustertest.NewNode(s.kubelets.Start(name, host))
	s.setNodes(append(slices.Clone(s.nodes), node))
	object := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/hostname": name}}}
	if _, err := s.client.CoreV1().Nodes().Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	capacity := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("32"), corev1.ResourceMemory: resource.MustParse("256Gi"), corev1.ResourcePods: resource.MustParse("500"),
	}
	// Controllers write to new nodes, too.
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		object, err := s.client.CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		// A new node is tainted as not ready, and nobody here takes the taint away.
		object.Spec.Taints = nil
		if object, err = s.client.CoreV1().Nodes().Update(t.Context(), object, metav1.UpdateOptions{}); err != nil {
			return err
		}
		object.Status = corev1.NodeStatus{
			Capacity: capacity, Allocatable: capacity,
			Conditions:      []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "Simulated", LastHeartbeatTime: metav1.Now(), LastTransitionTime: metav1.Now()}},
			Addresses:       []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: host}},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: int32(node.Port)}},
		}
		_, err = s.client.CoreV1().Nodes().UpdateStatus(t.Context(), object, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// nodeNamed is a simulated node by its name, or nil.
func (s *site) nodeNamed(name string) *clustertest.Node {
	s.nodesMu.Lock()
	defer s.nodesMu.Unlock()
	if i := slices.IndexFunc(s.nodes, func(n *clustertest.Node) bool { return n.Name == name }); i >= 0 {
		return s.nodes[i]
	}
	return nil
}

// setNodes replaces the simulated nodes.
func (s *site) setNodes(nodes []*clustertest.Node) {
	s.nodesMu.Lock()
	defer s.nodesMu.Unlock()
	s.nodes = nodes
}

// useMemory sets what each container of some pods uses: of those whose
// namespace/name begins so.
func (s *site) useMemory(prefix string, bytes uint64) {
	for _, node := range s.nodes {
		node.Change(func(pods map[string]kubelettest.Pod) {
			for key, pod := range pods {
				if !strings.HasPrefix(key, prefix) {
					continue
				}
				pod.Containers = slices.Clone(pod.Containers)
				for i := range pod.Containers {
					pod.Containers[i].Memory = bytes
				}
				pods[key] = pod
			}
		})
	}
}

// eventually waits until check is satisfied, and logs how long that took.
func eventually(t *testing.T, timeout time.Duration, what string, check func(ctx context.Context) error) {
	t.Helper()
	took := clustertest.Eventually(t, timeout, what, check)
	t.Logf("%s: after %v", what, took.Round(100*time.Millisecond))
}

// repository is the checkout's root.
func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// serverDir holds our server's binary, which is built at most once.
var serverDir = filepath.Join(os.TempDir(), fmt.Sprintf("metrics-apiserver-e2e-%d", os.Getpid()))

// buildServer builds our server once for all tests.
var buildServer = sync.OnceValues(func() (string, error) {
	path := filepath.Join(serverDir, serverName)
	build := exec.Command("go", "build", "-trimpath", "-o", path, "../../cmd/metrics-apiserver")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build our server: %w\n%s", err, out)
	}
	return path, nil
})

func serverBinary(t *testing.T) string {
	t.Helper()
	path, err := buildServer()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// freePort is a port of 127.0.0.1 that is free now.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(serverDir)
	os.Exit(code)
}

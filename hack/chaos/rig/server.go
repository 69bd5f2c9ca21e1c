// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster/clustertest"
)

// Server is a process of our server. It is asked itself, past the aggregation
// layer, as the administrator unless it is said otherwise.
type Server struct {
	// Name is that of the component of the cluster, and Port where it listens.
	Name string
	Port int

	world  *World
	client *http.Client
	url    string
	usage  metricsclient.Interface
}

// Serve starts a server that scrapes the world's nodes, and waits until it is
// ready. The flags come after our own and so win.
func (w *World) Serve(t testing.TB, flags ...string) *Server {
	t.Helper()
	return w.serve(t, nil, nil, flags)
}

// serve starts a server by a command that is put before its own, with additions to
// its environment.
func (w *World) serve(t testing.TB, command, env, flags []string) *Server {
	t.Helper()
	w.mu.Lock()
	w.mu.servers++
	s := &Server{Name: fmt.Sprintf("server-%s-%d", w.Name, w.mu.servers), Port: freePort(t), world: w}
	w.mu.Unlock()
	s.url = fmt.Sprintf("https://127.0.0.1:%d", s.Port)
	config := direct(w.config, s.url)
	config.Timeout = 10 * time.Second
	var err error
	if s.client, err = rest.HTTPClientFor(config); err != nil {
		t.Fatal(err)
	}
	if s.usage, err = metricsclient.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	err = w.Add(t.Context(), cluster.Component{Name: s.Name, Env: env, Argv: slices.Concat(command, []string{
		w.binary,
		"--kubeconfig=" + w.kubeconfig,
		"--bind-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(s.Port),
		"--cert-dir=" + t.TempDir(),
		"--metric-resolution=15s",
		"--kubelet-request-timeout=8s",
		"--kubelet-use-node-status-port",
		"--kubelet-preferred-address-types=InternalIP",
		"--kubelet-certificate-authority=" + w.authority,
		"--node-selector=" + worldLabel + "=" + w.Name,
	}, flags)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(context.WithoutCancel(t.Context())) })
	clustertest.Eventually(t, 2*time.Minute, s.Name+" is ready", func(ctx context.Context) error {
		if s.Pid() == 0 {
			log, err := os.ReadFile(w.LogPath(s.Name))
			t.Fatalf("%s has ended: %v\n%s", s.Name, err, log)
		}
		return s.Ready(ctx)
	})
	return s
}

// direct is the configuration for asking a server itself, whose certificate
// nobody signed.
func direct(config *rest.Config, url string) *rest.Config {
	config = rest.CopyConfig(config)
	config.Host = url
	config.TLSClientConfig.Insecure, config.TLSClientConfig.CAData, config.TLSClientConfig.CAFile = true, nil, ""
	return config
}

// Stop ends the server as Kubernetes does, with the grace that a pod has by
// default, and returns when it has ended. One that has ended already is left
// alone.
func (s *Server) Stop(ctx context.Context) error {
	pid := s.Pid()
	if pid == 0 {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", s.Name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for s.Pid() != 0 {
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("stop %s: %w", s.Name, ctx.Err()), s.world.KillComponent(s.Name))
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// Hang has the server's process stand still until Continue, or the test's end: its
// connections stay open, and nothing is read from them.
func (s *Server) Hang(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		if pid := s.Pid(); pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	})
	if err := syscall.Kill(s.Pid(), syscall.SIGSTOP); err != nil {
		t.Fatalf("hang %s: %v", s.Name, err)
	}
}

// Continue has a server that hangs go on.
func (s *Server) Continue(t testing.TB) {
	t.Helper()
	if err := syscall.Kill(s.Pid(), syscall.SIGCONT); err != nil {
		t.Fatalf("continue %s: %v", s.Name, err)
	}
}

// Pid is the number of the server's process, 0 where it has ended.
func (s *Server) Pid() int {
	if !s.world.Running(s.Name) {
		return 0
	}
	return s.world.Pid(s.Name)
}

// Ready is nil where the server says that it is ready.
func (s *Server) Ready(ctx context.Context) error {
	status, body, err := s.Get(ctx, "/readyz")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("/readyz: %d: %s", status, body)
	}
	return err
}

// Get asks for a path.
func (s *Server) Get(ctx context.Context, path string) (status int, body []byte, err error) {
	return get(ctx, s.client, s.url+path)
}

// As is a client that asks as a user of the cluster, on connections of its own.
func (s *Server) As(t testing.TB, user string, groups ...string) *http.Client {
	t.Helper()
	file, err := s.world.ClientKubeconfig(user, groups...)
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		t.Fatal(err)
	}
	config = direct(config, s.url)
	config.Timeout = 5 * time.Second
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// GetAs asks for a path with a client of As.
func (s *Server) GetAs(ctx context.Context, client *http.Client, path string) (status int, body []byte, err error) {
	return get(ctx, client, s.url+path)
}

func get(ctx context.Context, client *http.Client, url string) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

// Pods is the usage of all pods of the world, by name.
func (s *Server) Pods(ctx context.Context) (map[string]metricsv1beta1.PodMetrics, error) {
	list, err := s.usage.MetricsV1beta1().PodMetricses(s.world.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	pods := make(map[string]metricsv1beta1.PodMetrics, len(list.Items))
	for i := range list.Items {
		pods[list.Items[i].Name] = list.Items[i]
	}
	return pods, nil
}

// UsageOfNodes is the usage of all nodes, by name.
func (s *Server) UsageOfNodes(ctx context.Context) (map[string]metricsv1beta1.NodeMetrics, error) {
	list, err := s.usage.MetricsV1beta1().NodeMetricses().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	nodes := make(map[string]metricsv1beta1.NodeMetrics, len(list.Items))
	for i := range list.Items {
		nodes[list.Items[i].Name] = list.Items[i]
	}
	return nodes, nil
}

// LogLines is how many lines of the server's log contain the text.
func (s *Server) LogLines(text string) (int, error) {
	log, err := os.ReadFile(s.world.LogPath(s.Name))
	if err != nil {
		return 0, err
	}
	count := 0
	for line := range bytes.Lines(log) {
		if bytes.Contains(line, []byte(text)) {
			count++
		}
	}
	return count, nil
}

// freePort is a port of 127.0.0.1 that is free now.
func freePort(t testing.TB) int {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("a TCP listener has the address %v", listener.Addr())
	}
	return address.Port
}

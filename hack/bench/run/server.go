// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/listing"
	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/hack/process"
)

// together is how many full lists are asked for at once, and connections how
// many connections ask for an HPA's lists.
const (
	together    = 10
	connections = 8
)

// server is a server that runs.
type server struct {
	site    *site
	name    string
	process *process.Process
	// started is just before the process was.
	started time.Time
	url     string
	client  *listing.Client
}

// startServer starts metrics-server or the product, with the flags of
// manifests/base, those that the environment needs, and more.
func (s *site) startServer(name string, o Options, more ...string) (*server, error) {
	program := s.programs.ours
	if name == theirs {
		program = s.programs.theirs
	}
	args, err := s.deployedArgs()
	if err != nil {
		return nil, err
	}
	args = append(args,
		"--kubeconfig="+s.kubeconfig, "--authentication-kubeconfig="+s.kubeconfig, "--authorization-kubeconfig="+s.kubeconfig,
		"--bind-address=127.0.0.1",
		"--kubelet-certificate-authority="+filepath.Join(s.dir, "kubelet-ca.crt"),
		"--metric-resolution="+o.Resolution.String(),
	)
	args = append(args, more...)
	if name == ours && o.Profiles != "" {
		args = append(args, "--profiling")
	}
	return s.serve(name, program, func(port int, certDir string) []string {
		return append(args, "--secure-port="+strconv.Itoa(port), "--cert-dir="+certDir)
	})
}

// startConstant starts the server of constant answers, with those in the
// directory bodies, or none.
func (s *site) startConstant(bodies string) (*server, error) {
	return s.serve(constant, s.programs.constant, func(port int, certDir string) []string {
		return []string{"-port=" + strconv.Itoa(port), "-cert-dir=" + certDir, "-kubeconfig=" + s.kubeconfig, "-bodies=" + bodies}
	})
}

func (s *site) serve(name, program string, args func(port int, certDir string) []string) (*server, error) {
	port, err := cluster.FreePort("127.0.0.1")
	if err != nil {
		return nil, err
	}
	certDir, err := os.MkdirTemp(s.dir, "certificates-")
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	started := time.Now()
	p, err := s.start(name, program, args(port, certDir)...)
	if err != nil {
		return nil, err
	}
	url := "https://127.0.0.1:" + strconv.Itoa(port)
	return &server{site: s, name: name, process: p, started: started, url: url, client: listing.New(url, s.identity)}, nil
}

// deployedArgs are the flags that manifests/base gives our server, which are
// metrics-server's own.
func (s *site) deployedArgs() ([]string, error) {
	text, err := os.ReadFile(filepath.Join(s.programs.manifests, "deployment.yaml"))
	if err != nil {
		return nil, fmt.Errorf("read the servers' flags: %w", err)
	}
	var deployment appsv1.Deployment
	if err := yaml.Unmarshal(text, &deployment); err != nil {
		return nil, fmt.Errorf("read the servers' flags: %w", err)
	}
	return deployment.Spec.Template.Spec.Containers[0].Args, nil
}

func (s *server) pid() int { return s.process.ID().Pid }

// clients are more clients, each with a connection of its own.
func (s *server) clients(n int) []*listing.Client {
	clients := make([]*listing.Client, n)
	for i := range clients {
		clients[i] = listing.New(s.url, s.site.identity)
	}
	return clients
}

// awaitAnswers waits until the server answers lists.
func (s *server) awaitAnswers(ctx context.Context) error {
	return await(ctx, time.Minute, s.name+" to answer", func(ctx context.Context) error {
		if err := s.process.Failure(); err != nil {
			return err
		}
		_, err := s.client.Do(ctx, s.site.hpaList())
		return err
	})
}

// stop ends the process. What it would do on a shutdown is not measured.
func (s *server) stop() error {
	s.client.Close()
	return s.process.Kill()
}

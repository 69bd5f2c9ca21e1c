// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/metrics-apiserver/metrics-apiserver/hack/pki"
	"github.com/metrics-apiserver/metrics-apiserver/hack/toolchain"
)

// The administrator, who may do everything.
const (
	adminUser  = "kubernetes-admin"
	adminGroup = "system:masters"
)

// ErrNoCluster is returned by [Open] for a directory that holds no cluster.
var ErrNoCluster = errors.New("no cluster")

// Cluster is a running control plane.
type Cluster struct {
	opts Options
	// server is the URL of kube-apiserver.
	server  string
	kubectl string
	ca      *pki.CA
	probe   *probe

	mu struct {
		sync.Mutex
		// members are the components in the order in which they were added.
		members []*member
		// whole is set once the control plane was ready for the first time.
		whole bool
	}
}

// Start builds what it needs and starts a control plane. It returns when all
// components are ready and pods can be created. On an error nothing is left
// running; the logs stay.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(Minors, opts.Minor) {
		return nil, fmt.Errorf("start cluster: Kubernetes %q is not supported (supported: %s)", opts.Minor, strings.Join(Minors, ", "))
	}
	tools, err := toolchain.Build(ctx, opts.Progress, toolchain.Kubernetes(opts.Minor),
		Etcd, APIServer, ControllerManager, Scheduler, "kubectl")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(stateFile(opts.Dir)); err == nil {
		return nil, fmt.Errorf("start cluster: %s already holds one", opts.Dir)
	}
	p := &plan{opts: opts, tools: tools, pki: pkiDir(opts.Dir)}
	for _, dir := range []string{p.pki, logDir(opts.Dir)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("start cluster: %w", err)
		}
	}
	ports := newPorts(opts.BindAddress)
	defer ports.release()
	if err := p.takePorts(ports); err != nil {
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	if err := p.writeCredentials(); err != nil {
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	c, err := load(opts, p.url(p.apiPort), tools["kubectl"])
	if err != nil {
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	if err := c.ca.WriteKubeconfig(c.Kubeconfig(), c.server, adminUser, adminGroup); err != nil {
		return nil, err
	}
	ports.release()
	if err := c.boot(ctx, p); err != nil {
		return nil, errors.Join(fmt.Errorf("start cluster: %w", err), c.Stop(context.WithoutCancel(ctx)))
	}
	return c, nil
}

// boot starts the components in the order of their needs.
func (c *Cluster) boot(ctx context.Context, p *plan) error {
	start := time.Now()
	if err := c.Add(ctx, p.etcd()); err != nil {
		return err
	}
	if err := c.Add(ctx, p.apiServer()); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.Add(gctx, p.controllerManager()) })
	g.Go(func() error { return c.Add(gctx, p.scheduler()) })
	if err := g.Wait(); err != nil {
		return err
	}
	if err := c.waitForServiceAccount(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	c.mu.whole = true
	c.mu.Unlock()
	if err := c.writeState(); err != nil {
		return err
	}
	fmt.Fprintf(c.opts.Progress, "control plane of Kubernetes %s is ready after %v at %s\n",
		c.opts.Minor, time.Since(start).Round(100*time.Millisecond), c.server)
	return nil
}

// load makes a Cluster without components from what is in its directory.
func load(opts Options, server, kubectl string) (*Cluster, error) {
	c := &Cluster{opts: opts, server: server, kubectl: kubectl}
	var err error
	if c.ca, err = pki.LoadCA(pkiDir(opts.Dir), clusterCA); err != nil {
		return nil, err
	}
	c.probe, err = newProbe(pkiDir(opts.Dir))
	return c, err
}

// Open takes over the detached cluster that the directory holds. Components
// that have ended in the meantime are reported by [Cluster.Check]. The error is
// [ErrNoCluster] if the directory holds none. The writer gets what
// [Options.Progress] would.
func Open(dir string, progress io.Writer) (*Cluster, error) {
	s, err := readState(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open %s: %w", dir, ErrNoCluster)
	}
	if err != nil {
		return nil, err
	}
	opts, err := Options{Dir: dir, Minor: s.Minor, Detach: true, Progress: progress, BindAddress: s.BindAddress}.withDefaults()
	if err != nil {
		return nil, err
	}
	c, err := load(opts, s.Server, s.Kubectl)
	if err != nil {
		return nil, fmt.Errorf("open cluster: %w", err)
	}
	c.mu.members, c.mu.whole = s.adopt(opts.Dir), s.Whole
	return c, nil
}

// Stop ends all components, the last started first. It returns when they have
// ended. Components that had ended by themselves before are reported as errors.
// The directory keeps its logs, but no longer holds a cluster.
func (c *Cluster) Stop(ctx context.Context) error {
	var errs []error
	for _, m := range slices.Backward(c.members()) {
		p := m.running()
		if p == nil {
			continue
		}
		errs = append(errs, p.Failure())
		if err := p.Stop(ctx); err != nil {
			errs = append(errs, err)
			continue
		}
		m.setRun(nil)
	}
	if err := os.Remove(stateFile(c.opts.Dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// StartEnded starts the components that have ended by themselves, for example
// with the machine, in the order in which they were added. It returns their
// names.
func (c *Cluster) StartEnded(ctx context.Context) ([]string, error) {
	var names []string
	for _, m := range c.members() {
		if p := m.running(); p == nil || p.Running() {
			continue
		}
		names = append(names, m.Name)
		if err := c.startMember(ctx, m); err != nil {
			return names, err
		}
	}
	return names, nil
}

// Check returns nil if all components that should run do, and answer their
// health checks.
func (c *Cluster) Check(ctx context.Context) error {
	var errs []error
	for _, m := range c.members() {
		errs = append(errs, c.checkMember(ctx, m))
	}
	return errors.Join(errs...)
}

// Whole reports whether the control plane was once started completely. It is
// false after [Open] where the program that started it was killed meanwhile.
func (c *Cluster) Whole() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.whole
}

// Dir returns the directory of the cluster's state.
func (c *Cluster) Dir() string { return c.opts.Dir }

// Minor returns the Kubernetes minor version, such as "1.37".
func (c *Cluster) Minor() string { return c.opts.Minor }

// Server returns the URL of kube-apiserver.
func (c *Cluster) Server() string { return c.server }

// BindAddress returns the IP address that the components listen on.
func (c *Cluster) BindAddress() string { return c.opts.BindAddress }

// Progress returns where lines about what is being built and started go.
func (c *Cluster) Progress() io.Writer { return c.opts.Progress }

// Kubeconfig returns the path of the administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.opts.Dir, "kubeconfig") }

// RESTConfig returns a new configuration for clients that act as the
// administrator, without a limit on their rate.
func (c *Cluster) RESTConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return nil, fmt.Errorf("read the administrator's kubeconfig: %w", err)
	}
	config.QPS = -1
	return config, nil
}

// CA returns the cluster's authority. It signs certificates of clients, who it
// thereby names, and of servers such as kubelets.
func (c *Cluster) CA() *pki.CA { return c.ca }

// PKIDir returns the directory of the control plane's keys and certificates:
// ca.crt, front-proxy-ca.crt and front-proxy-ca.key among others.
func (c *Cluster) PKIDir() string { return pkiDir(c.opts.Dir) }

// ClientKubeconfig writes a kubeconfig for any user and groups, and returns its
// path. A service account is the user system:serviceaccount:NAMESPACE:NAME.
func (c *Cluster) ClientKubeconfig(user string, groups ...string) (string, error) {
	dir := filepath.Join(c.opts.Dir, "kubeconfigs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("write kubeconfig of %s: %w", user, err)
	}
	name := strings.NewReplacer(":", "-", "/", "-").Replace(user)
	file := filepath.Join(dir, name+".kubeconfig")
	return file, c.ca.WriteKubeconfig(file, c.server, user, groups...)
}

func pkiDir(dir string) string { return filepath.Join(dir, "pki") }

func logDir(dir string) string { return filepath.Join(dir, "logs") }

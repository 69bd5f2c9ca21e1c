// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"

	"github.com/metrics-apiserver/metrics-apiserver/hack/pki"
)

// The names of the authorities' files in the directory of certificates. Each
// has its own key, so that a certificate of one opens nothing of another.
const (
	clusterCA    = "ca"
	etcdCA       = "etcd-ca"
	frontProxyCA = "front-proxy-ca"
)

// FrontProxyUser is the name that kube-apiserver shows to aggregated servers.
const FrontProxyUser = "front-proxy-client"

// plan is what the command lines of the control plane are made from.
type plan struct {
	opts  Options
	tools map[string]string // paths by component
	pki   string            // the directory of certificates

	etcdPort, peerPort, apiPort, managerPort, schedulerPort int
}

// takePorts chooses the ports of all components.
func (p *plan) takePorts(ports *ports) error {
	if p.apiPort = p.opts.SecurePort; p.apiPort != 0 {
		if err := ports.takeThis(p.apiPort); err != nil {
			return fmt.Errorf("%s: %w", APIServer, err)
		}
	}
	for _, port := range []*int{&p.etcdPort, &p.peerPort, &p.apiPort, &p.managerPort, &p.schedulerPort} {
		if *port != 0 {
			continue
		}
		var err error
		if *port, err = ports.take(); err != nil {
			return err
		}
	}
	return nil
}

// url returns the URL of a component's port.
func (p *plan) url(port int) string {
	return "https://" + net.JoinHostPort(p.opts.BindAddress, strconv.Itoa(port))
}

func (p *plan) file(name string) string { return filepath.Join(p.pki, name) }

func (p *plan) kubeconfig(user string) string { return filepath.Join(p.pki, user+".kubeconfig") }

// writeCredentials makes all keys, certificates and kubeconfigs.
func (p *plan) writeCredentials() error {
	serviceIP, err := firstServiceIP(p.opts.ServiceClusterIPRange)
	if err != nil {
		return err
	}
	cluster, err := pki.NewCA(p.pki, clusterCA)
	if err != nil {
		return err
	}
	etcd, err := pki.NewCA(p.pki, etcdCA)
	if err != nil {
		return err
	}
	frontProxy, err := pki.NewCA(p.pki, frontProxyCA)
	if err != nil {
		return err
	}
	if _, _, err := pki.WriteKeyPair(p.pki, "service-accounts"); err != nil {
		return err
	}
	hosts := []string{
		"localhost", "127.0.0.1", "::1", p.opts.BindAddress, serviceIP,
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
	}
	if _, _, err := cluster.WriteServer(p.pki, "control-plane", append(hosts, p.opts.ExtraHosts...)...); err != nil {
		return err
	}
	if _, _, err := etcd.WriteServer(p.pki, "etcd", "localhost", "127.0.0.1", p.opts.BindAddress); err != nil {
		return err
	}
	if _, _, err := etcd.WriteClient(p.pki, "etcd-client", APIServer); err != nil {
		return err
	}
	if _, _, err := frontProxy.WriteClient(p.pki, "front-proxy-client", FrontProxyUser); err != nil {
		return err
	}
	if _, _, err := cluster.WriteClient(p.pki, "kubelet-client", "kube-apiserver-kubelet-client", adminGroup); err != nil {
		return err
	}
	if _, _, err := cluster.WriteClient(p.pki, "admin", adminUser, adminGroup); err != nil {
		return err
	}
	for component, user := range map[string]string{
		ControllerManager: "system:kube-controller-manager",
		Scheduler:         "system:kube-scheduler",
	} {
		if err := cluster.WriteKubeconfig(p.kubeconfig(component), p.url(p.apiPort), user); err != nil {
			return err
		}
	}
	return nil
}

// component puts a command together.
func (p *plan) component(name, health string, args []string) Component {
	argv := append([]string{p.tools[name]}, args...)
	return Component{
		Name: name,
		Argv: append(argv, p.opts.ExtraArgs[name]...),
		// Nothing that the control plane talks to is behind a proxy.
		Env:    append([]string{"NO_PROXY=*", "no_proxy=*"}, p.opts.ExtraEnv[name]...),
		Health: health,
	}
}

func (p *plan) etcd() Component {
	peer := p.url(p.peerPort)
	return p.component(Etcd, p.url(p.etcdPort)+"/health", []string{
		"--name=default",
		"--data-dir=" + filepath.Join(p.opts.Dir, "etcd"),
		// A power loss may cost this cluster its data; nobody will mind.
		"--unsafe-no-fsync",
		"--log-level=warn",
		"--listen-client-urls=" + p.url(p.etcdPort),
		"--advertise-client-urls=" + p.url(p.etcdPort),
		"--cert-file=" + p.file("etcd.crt"),
		"--key-file=" + p.file("etcd.key"),
		"--trusted-ca-file=" + p.file("etcd-ca.crt"),
		"--client-cert-auth",
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=default=" + peer,
		"--peer-cert-file=" + p.file("etcd.crt"),
		"--peer-key-file=" + p.file("etcd.key"),
		"--peer-trusted-ca-file=" + p.file("etcd-ca.crt"),
		"--peer-client-cert-auth",
	})
}

func (p *plan) apiServer() Component {
	args := []string{
		"--etcd-servers=" + p.url(p.etcdPort),
		"--etcd-cafile=" + p.file("etcd-ca.crt"),
		"--etcd-certfile=" + p.file("etcd-client.crt"),
		"--etcd-keyfile=" + p.file("etcd-client.key"),
		"--bind-address=" + p.opts.BindAddress,
		"--advertise-address=" + p.opts.BindAddress,
		"--secure-port=" + strconv.Itoa(p.apiPort),
		"--tls-cert-file=" + p.file("control-plane.crt"),
		"--tls-private-key-file=" + p.file("control-plane.key"),
		"--client-ca-file=" + p.file("ca.crt"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + p.file("service-accounts.pub"),
		"--service-account-signing-key-file=" + p.file("service-accounts.key"),
		"--service-cluster-ip-range=" + p.opts.ServiceClusterIPRange,
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged",
		"--profiling=false",
		"--kubelet-certificate-authority=" + p.file("ca.crt"),
		"--kubelet-client-certificate=" + p.file("kubelet-client.crt"),
		"--kubelet-client-key=" + p.file("kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP,Hostname",
		// The aggregation layer: how it proves itself to aggregated servers,
		// and where it tells them who the user is.
		"--requestheader-client-ca-file=" + p.file("front-proxy-ca.crt"),
		"--requestheader-allowed-names=" + FrontProxyUser,
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + p.file("front-proxy-client.crt"),
		"--proxy-client-key-file=" + p.file("front-proxy-client.key"),
		"--enable-aggregator-routing=" + strconv.FormatBool(p.opts.AggregatorRouting),
	}
	if ip := net.ParseIP(p.opts.BindAddress); ip.IsLoopback() {
		// Endpoints must not have loopback addresses.
		args = append(args, "--endpoint-reconciler-type=none")
	}
	return p.component(APIServer, p.url(p.apiPort)+"/readyz", args)
}

func (p *plan) controllerManager() Component {
	return p.component(ControllerManager, p.url(p.managerPort)+"/healthz", append(p.delegated(ControllerManager),
		"--secure-port="+strconv.Itoa(p.managerPort),
		"--root-ca-file="+p.file("ca.crt"),
		"--service-account-private-key-file="+p.file("service-accounts.key"),
		"--use-service-account-credentials",
		"--cluster-signing-cert-file="+p.file("ca.crt"),
		"--cluster-signing-key-file="+p.file("ca.key"),
		// It makes this directory, by default in /usr/libexec.
		"--flex-volume-plugin-dir="+filepath.Join(p.opts.Dir, "volume-plugins"),
	))
}

func (p *plan) scheduler() Component {
	return p.component(Scheduler, p.url(p.schedulerPort)+"/readyz", append(p.delegated(Scheduler),
		"--secure-port="+strconv.Itoa(p.schedulerPort),
	))
}

// delegated returns the flags of a component that is a client of kube-apiserver
// and asks it who may read its own health and metrics.
func (p *plan) delegated(component string) []string {
	kubeconfig := p.kubeconfig(component)
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=" + p.opts.BindAddress,
		"--tls-cert-file=" + p.file("control-plane.crt"),
		"--tls-private-key-file=" + p.file("control-plane.key"),
		"--leader-elect=false",
		"--profiling=false",
	}
}

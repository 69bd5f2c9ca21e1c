// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/fleet"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/listing"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/population"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/world"
	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/hack/process"
)

const (
	// The service account of the servers, as in manifests/base.
	serviceNamespace, serviceName = "kube-system", "metrics-server"
	// hpaUser may list the metrics of pods.
	hpaUser = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
	// tokenLifetime is longer than any run.
	tokenLifetime = 24 * time.Hour
)

// site is what the servers run against: etcd and kube-apiserver with all
// objects, and the fake kubelets.
type site struct {
	dir      string
	programs *programs
	world    world.World
	cluster  *cluster.Cluster
	fleet    fleet.Remote
	kubelets *process.Process
	port     int // of all kubelets
	store    *population.Store
	churn    *population.Churn
	// kubeconfig and token are the servers' own, identity is kube-apiserver's.
	kubeconfig, token string
	identity          listing.Identity
}

// newSite brings everything up in dir.
func newSite(ctx context.Context, o Options, dir string, p *programs) (_ *site, err error) {
	s := &site{dir: dir, programs: p, world: world.World{Nodes: o.Nodes, Pods: o.Pods, Containers: o.Containers, Selecting: o.Selecting, Epoch: time.Now().Truncate(time.Millisecond)}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(context.WithoutCancel(ctx)))
		}
	}()
	s.cluster, err = cluster.Start(ctx, cluster.Options{
		Dir: filepath.Join(dir, "cluster"), Minor: o.Kubernetes, Progress: o.Progress,
		ExtraArgs: map[string][]string{
			cluster.Etcd:      {"--quota-backend-bytes=" + strconv.Itoa(8<<30)},
			cluster.APIServer: {"--profiling=true"}, // for rest
		},
	})
	if err != nil {
		return s, err
	}
	// Nobody is to evict pods from nodes that no kubelet renews, and nobody
	// else is to use the CPUs.
	for _, name := range []string{cluster.Scheduler, cluster.ControllerManager} {
		if err := s.cluster.StopComponent(ctx, name); err != nil {
			return s, err
		}
	}
	if err := s.startFleet(ctx); err != nil {
		return s, err
	}
	if err := s.fill(ctx, o); err != nil {
		return s, err
	}
	if err := s.credentials(ctx); err != nil {
		return s, err
	}
	return s, nil
}

// startFleet starts the fake kubelets.
func (s *site) startFleet(ctx context.Context) error {
	var err error
	if s.port, err = cluster.FreePort("0.0.0.0"); err != nil {
		return err
	}
	control, err := cluster.FreePort("127.0.0.1")
	if err != nil {
		return err
	}
	s.fleet = fleet.Remote{URL: "http://127.0.0.1:" + strconv.Itoa(control)}
	s.kubelets, err = s.start("fleet", s.programs.fleet,
		"-nodes="+strconv.Itoa(s.world.Nodes), "-pods="+strconv.Itoa(s.world.Pods), "-containers="+strconv.Itoa(s.world.Containers),
		"-selecting="+strconv.FormatBool(s.world.Selecting), "-epoch="+strconv.FormatInt(s.world.Epoch.UnixMilli(), 10),
		"-port="+strconv.Itoa(s.port), "-control=127.0.0.1:"+strconv.Itoa(control), "-dir="+s.dir, "-recording="+s.programs.recording)
	if err != nil {
		return err
	}
	return await(ctx, time.Minute, "the fleet to listen", func(ctx context.Context) error {
		_, err := s.fleet.Counters(ctx)
		return errors.Join(err, s.kubelets.Failure())
	})
}

// fill writes all objects and waits until kube-apiserver serves them.
func (s *site) fill(ctx context.Context, o Options) error {
	etcd, _ := s.cluster.Component(cluster.Etcd)
	endpoint := ""
	for _, arg := range etcd.Argv {
		if value, ok := strings.CutPrefix(arg, "--advertise-client-urls="); ok {
			endpoint = value
		}
	}
	var err error
	if s.store, err = population.Open(s.world, s.port, endpoint, s.cluster.PKIDir()); err != nil {
		return err
	}
	started := time.Now()
	if err := s.store.Fill(ctx); err != nil {
		return err
	}
	fmt.Fprintf(o.Progress, "wrote %d nodes and %d pods in %v\n", s.world.Nodes, s.world.TotalPods(), time.Since(started).Round(100*time.Millisecond))
	s.churn = population.NewChurn(s.world, s.store, s.fleet.Replace)
	client, err := s.client()
	if err != nil {
		return err
	}
	last := s.world.Pod(s.world.TotalPods()-1, 0)
	return await(ctx, time.Minute, "kube-apiserver to serve the last pod", func(ctx context.Context) error {
		_, err := client.CoreV1().Pods(last.Namespace).List(ctx, metav1.ListOptions{ResourceVersion: "0", Limit: 1})
		if err == nil {
			_, err = client.CoreV1().Pods(last.Namespace).Get(ctx, last.Name, metav1.GetOptions{ResourceVersion: "0"})
		}
		return err
	})
}

func (s *site) client() (kubernetes.Interface, error) {
	config, err := s.cluster.RESTConfig()
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// credentials gives the servers the rights of manifests/base, and a token, as
// a pod has one.
func (s *site) credentials(ctx context.Context) error {
	rights, err := s.cluster.Kubectl(ctx, "kustomize", s.programs.manifests)
	if err != nil {
		return err
	}
	if err := s.cluster.Apply(ctx, []byte(onlyRights(rights)+hpaRights())); err != nil {
		return err
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	// What nobody here would make, with the controller manager stopped.
	seconds := int64(tokenLifetime.Seconds())
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}
	token, err := client.CoreV1().ServiceAccounts(serviceNamespace).CreateToken(ctx, serviceName, request, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("make a token for %s: %w", serviceName, err)
	}
	s.token = filepath.Join(s.dir, "token")
	if err := os.WriteFile(s.token, []byte(token.Status.Token), 0o600); err != nil {
		return fmt.Errorf("write the token: %w", err)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["bench"] = &clientcmdapi.Cluster{Server: s.cluster.Server(), CertificateAuthorityData: s.cluster.CA().CertPEM()}
	config.AuthInfos["bench"] = &clientcmdapi.AuthInfo{TokenFile: s.token}
	config.Contexts["bench"] = &clientcmdapi.Context{Cluster: "bench", AuthInfo: "bench"}
	config.CurrentContext = "bench"
	s.kubeconfig = filepath.Join(s.dir, "kubeconfig")
	if err := clientcmd.WriteToFile(*config, s.kubeconfig); err != nil {
		return fmt.Errorf("write the servers' kubeconfig: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(s.cluster.PKIDir(), "front-proxy-client.crt"), filepath.Join(s.cluster.PKIDir(), "front-proxy-client.key"))
	if err != nil {
		return fmt.Errorf("load the front proxy's certificate: %w", err)
	}
	s.identity = listing.Identity{FrontProxy: pair}.As(hpaUser, "system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated")
	return nil
}

// hpaRights are what the servers need beyond manifests/base to follow what HPAs
// want.
func hpaRights() string {
	return `
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: bench:autoscalers
rules:
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: bench:autoscalers
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: bench:autoscalers
subjects:
- kind: ServiceAccount
  namespace: ` + serviceNamespace + `
  name: ` + serviceName + "\n"
}

// onlyRights is the documents of a manifest that grant rights, and the
// ServiceAccount they are granted to.
func onlyRights(manifest string) string {
	var kept []string
	for document := range strings.SplitSeq(manifest, "\n---\n") {
		if strings.Contains(document, "apiVersion: rbac.authorization.k8s.io/v1\n") || strings.Contains(document, "kind: ServiceAccount\n") {
			kept = append(kept, document)
		}
	}
	return strings.Join(kept, "\n---\n")
}

// start starts a program that ends with this one.
func (s *site) start(name, program string, args ...string) (*process.Process, error) {
	return process.Start(process.Spec{Name: name, Argv: append([]string{program}, args...), LogFile: filepath.Join(s.dir, name+".log")})
}

// close ends everything.
func (s *site) close(ctx context.Context) error {
	var errs []error
	if s.kubelets != nil {
		errs = append(errs, s.kubelets.Stop(ctx))
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.cluster != nil {
		errs = append(errs, s.cluster.Stop(ctx))
	}
	return errors.Join(errs...)
}

// await waits until check is satisfied; its last error says what is missing.
func await(ctx context.Context, timeout time.Duration, what string, check func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, errors.Join(err, ctx.Err()))
		case <-tick.C:
		}
	}
}

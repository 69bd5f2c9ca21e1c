// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
	"k8s.io/component-base/version"
	"k8s.io/klog/v2"

	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/configfile"
	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/election"
	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/sinks"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
)

// maxSinks is how many sinks there may be: rules and history have two of the
// receivers of a stream.
const maxSinks = kubelet.MaxReceivers - 2

// remoteWriteOptions are which of several replicas ships.
type remoteWriteOptions struct {
	lease string // [NAMESPACE/]NAME; empty: each of them does.
}

// defaultLease is the Lease in our manifests.
const defaultLease = "metrics-server-remote-write"

func (o *remoteWriteOptions) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.lease, "remote-write-lease", o.lease, "The Lease, as [NAMESPACE/]NAME, by which one of several replicas ships to the remoteWrite sinks of --config. Without NAMESPACE it is in the pod's, and outside of a pod there is none. "+
		"Needs get and update on it. Empty: this server ships whatever others do, which is for a single replica. Not in metrics-server.")
}

func (o *remoteWriteOptions) validate() []error {
	if _, _, err := o.leaseName("a-namespace"); err != nil {
		return []error{err}
	}
	return nil
}

// leaseName is the flag's value in its two parts; ok is false where there is none.
func (o *remoteWriteOptions) leaseName(ownNamespace string) (lease types.NamespacedName, ok bool, err error) {
	if o.lease == "" {
		return lease, false, nil
	}
	namespace, name, named := strings.Cut(o.lease, "/")
	if !named {
		namespace, name = ownNamespace, o.lease
	}
	if err := checkName("remote-write-lease", o.lease, "Lease", name, validation.IsDNS1123Subdomain); err != nil {
		return lease, false, err
	}
	if named {
		if err := checkName("remote-write-lease", o.lease, "namespace", namespace, validation.IsDNS1123Label); err != nil {
			return lease, false, err
		}
	}
	return types.NamespacedName{Namespace: namespace, Name: name}, namespace != "", nil
}

// ownNamespace is that of the pod; empty outside of one.
func ownNamespace() string {
	text, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// shipping is the sinks of the configuration file.
type shipping struct {
	set *sinks.Set
	// elector is nil where we ship whoever else does.
	elector *election.Elector
}

// newShipping is without sinks. instance is the address and port of a node's
// kubelet.
func (o *options) newShipping(client kubernetes.Interface, instance func(node string) string) (*shipping, error) {
	log := slog.New(logr.ToSlogHandler(klog.Background()))
	lease, elected, err := o.remoteWrite.leaseName(ownNamespace())
	if err != nil {
		return nil, err
	}
	s := &shipping{set: sinks.NewSet(sinks.Options{
		Slots: maxSinks, Elected: elected, Resolution: o.metricResolution,
		Dir: filepath.Dir(o.customMetrics.config), Instance: instance,
		UserAgent: "metrics-apiserver/" + version.Get().GitVersion, Log: log,
	})}
	if !elected {
		return s, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("ask for the name of this host: %w", err)
	}
	s.elector, err = election.New(election.Options{
		Client: client, Lease: lease, Identity: host + "_" + rand.Text(), Holder: holder{s.set}, Log: log,
	})
	return s, err
}

// holder is the sinks as what an election is about.
type holder struct{ *sinks.Set }

// Lead is election.Holder's.
func (h holder) Lead(before election.Before) {
	h.Set.Lead(before.Mark, before.Fence, before.Lease)
}

// checkSinks says what is wrong with the blocks of a configuration.
func checkSinks(config *configfile.Config) error {
	var problems []error
	if len(config.RemoteWrite) > maxSinks {
		problems = append(problems, config.Problem(config.RemoteWrite[maxSinks].Line, "remoteWrite: there may be %d blocks", maxSinks))
	}
	sinks.Check(config.RemoteWrite, func(line int, format string, args ...any) {
		problems = append(problems, config.Problem(line, "remoteWrite: "+format, args...))
	})
	return errors.Join(problems...)
}

// apply has the sinks be those of a configuration, with which checkSinks has found
// nothing wrong.
func (s *shipping) apply(config *configfile.Config) error {
	return s.set.Apply(config.RemoteWrite, config.ExternalLabels)
}

// Run ships until ctx ends, and then what is left. Only then another replica may
// ship.
func (s *shipping) Run(ctx context.Context) error {
	if s.elector == nil {
		return s.set.Run(ctx)
	}
	electing, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	group, electing := errgroup.WithContext(electing)
	group.Go(func() error { return s.elect(ctx, electing) })
	group.Go(func() error {
		defer release()
		return s.set.Run(ctx)
	})
	return group.Wait()
}

// elect takes part in the election, from when there is something to ship.
func (s *shipping) elect(ctx, electing context.Context) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for !s.set.Any() {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
	return s.elector.Run(electing)
}

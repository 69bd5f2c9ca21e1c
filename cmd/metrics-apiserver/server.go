// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/version"
	"k8s.io/klog/v2"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/catalogue"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/servingca"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// server is the whole program, wired: objects and usage come in, answers go
// out.
type server struct {
	client   kubernetes.Interface
	objects  rest.Interface // for watching nodes and pods alone
	selector labels.Selector
	nodes    *objects.Nodes
	pods     *objects.Pods
	scraper  *scraper.Manager
	targets  scraper.NodeOptions
	generic  *genericapiserver.GenericAPIServer
	// servingCA is nil where no CA is kept.
	servingCA *servingca.Keeper
	// customMetrics is nil where there are none.
	customMetrics *customMetrics
	// rules and configured are nil where there is no configuration file.
	rules      *ruleMetrics
	configured *configured
}

// newServer wires what the options ask for; it starts nothing.
func newServer(o *options) (*server, error) {
	cluster, err := o.clusterConfig()
	if err != nil {
		return nil, err
	}
	s := &server{pods: objects.NewPods(), targets: o.kubelet.nodeOptions()}
	s.nodes = objects.NewNodes(s, scraper.ResourcePathAnnotation)
	if s.selector, err = o.nodeSelector(); err != nil {
		return nil, err
	}
	if s.client, err = kubernetes.NewForConfig(cluster); err != nil {
		return nil, fmt.Errorf("make a client for the API server: %w", err)
	}
	if s.objects, err = objects.NewClient(cluster, objects.Fields{
		NodeAnnotations: []string{scraper.ResourcePathAnnotation},
		PodOwners:       o.customMetrics.config != "",
		PodResources:    o.customMetrics.enabled, // by the catalogue alone
	}); err != nil {
		return nil, err
	}
	own := newRegistry()

	store, err := storage.New(storage.Options{Resolution: o.metricResolution, FindPod: s.pods.Find})
	if err != nil {
		return nil, err
	}
	own.CustomMustRegister(newStorageMetrics(store))

	scraping := o.scraperOptions(cluster, own)
	if s.customMetrics, err = o.newCustomMetrics(s.wantInputs); err != nil {
		return nil, err
	}
	if s.customMetrics != nil {
		scraping.Inputs = s.customMetrics.inputs
	}
	if o.customMetrics.config != "" {
		if s.rules, err = newRuleMetrics(o, s.nodes, s.pods, storage.StalenessBound(o.metricResolution),
			s.instance, s.seriesChanged); err != nil {
			return nil, err
		}
		if s.configured, err = newConfigured(o, s.client, s.rules, own, s.instance, s.seriesChanged); err != nil {
			return nil, err
		}
		scraping.Series = s.configured.consumers()
	}
	if s.scraper, err = scraper.New(scraping, store); err != nil {
		return nil, err
	}

	if s.servingCA, err = o.servingCA.keeper(s.client, own, o.serving, o.servedVersions()...); err != nil {
		return nil, err
	}
	config, err := o.serverConfig()
	if err != nil {
		return nil, err
	}
	identified := identities(config, time.Now())
	config.EnableMetrics = false // ours are served with the library's, below
	if s.generic, err = config.Complete(nil).New("metrics-apiserver", genericapiserver.NewEmptyDelegate()); err != nil {
		return nil, fmt.Errorf("make the API server: %w", err)
	}
	s.generic.Handler.NonGoRestfulMux.Handle("/metrics", metricsHandler(own))
	if s.configured != nil {
		// Who may read it is up to the cluster's authorization, as for /metrics.
		s.generic.Handler.NonGoRestfulMux.Handle("/debug/remote-write", s.configured.ship.set)
		s.generic.Handler.NonGoRestfulMux.Handle("/debug/history", historyPage{s.rules.history})
	}
	source := &api.Source{Usage: store, Nodes: s.nodes, Pods: s.pods, Metrics: api.NewMetrics(own.MustRegister)}
	if err := api.Install(s.generic, source); err != nil {
		return nil, err
	}
	if err := s.installMetrics(source); err != nil {
		return nil, err
	}
	return s, api.RegisterProbes(s.generic, source, func() error { return s.scraper.Alive(time.Now()) }, identified)
}

// instance is the address and port of a node's kubelet, as a label has it. It is
// asked while nodes are scraped, so there is a scraper.
func (s *server) instance(node string) string { return s.scraper.Instance(node) }

// seriesChanged has kubelets asked for what consumers of series want now. Before
// there is a scraper there is nobody to tell: it begins with that.
func (s *server) seriesChanged() {
	if s.scraper != nil {
		s.scraper.SeriesChanged()
	}
}

// NodeSet is objects.NodeEvents': the node is scraped from now on.
func (s *server) NodeSet(node *corev1.Node) { s.scraper.Set(scraper.TargetOf(node, s.targets)) }

// NodeDeleted is objects.NodeEvents': the node is forgotten.
func (s *server) NodeDeleted(name string) { s.scraper.Delete(name) }

// run serves until ctx ends, then answers what was asked by then. It returns
// when nothing runs any more.
func (s *server) run(ctx context.Context) error {
	klog.FromContext(ctx).Info("Starting", "version", version.Get().GitVersion)
	// What feeds the API goes on until the API has ended, not until it is asked
	// to: the last requests are answered like the first.
	feeding, stopFeeding := context.WithCancel(context.WithoutCancel(ctx))
	defer stopFeeding()
	group, feeding := errgroup.WithContext(feeding)
	group.Go(func() error {
		objects.WatchNodes(feeding, s.objects, s.selector, s.nodes)
		return nil
	})
	group.Go(func() error {
		objects.WatchPods(feeding, s.objects, s.pods)
		return nil
	})
	// Sinks end after the last answer, so that all of them have had the same.
	shipping, stopShipping := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error {
		defer stopShipping()
		return s.scraper.Run(feeding)
	})
	if s.customMetrics != nil {
		group.Go(func() error {
			catalogue.WatchHPAs(feeding, s.client.AutoscalingV2().RESTClient(), s.customMetrics.demand)
			return nil
		})
		group.Go(func() error { return s.customMetrics.demand.Run(feeding) })
	}
	if s.configured != nil {
		group.Go(func() error { return s.configured.Run(feeding) })
		group.Go(func() error { return s.configured.ship.Run(shipping) })
	}
	if s.servingCA != nil {
		group.Go(func() error { return s.servingCA.Run(feeding) })
	}
	group.Go(func() error {
		defer stopFeeding()
		serving, stopServing := context.WithCancel(ctx)
		defer stopServing()
		defer context.AfterFunc(feeding, stopServing)()
		if err := s.awaitCertificate(serving); err != nil {
			return err
		}
		if err := s.generic.PrepareRun().RunWithContext(serving); err != nil {
			return fmt.Errorf("serve the API: %w", err)
		}
		return nil
	})
	return group.Wait()
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"

	"github.com/go-logr/logr"
	"go.yaml.in/yaml/v3"
	"k8s.io/component-base/version"
	"k8s.io/klog/v2"

	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/configfile"
	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/sinks"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// maxSinks is how many sinks there may be: rules and history have two of the
// receivers of a stream.
const maxSinks = kubelet.MaxReceivers - 2

// shipping is the sinks of the configuration file as it was at the start. What
// changes later is checked, and comes into force with a restart: a sink that is
// replaced while it runs would have to hand over its queue.
type shipping struct {
	// dir is what the files that blocks name are relative to.
	dir      string
	instance func(node string) string

	// set is nil before the first configuration; the rest is what it was made of.
	set      *sinks.Set
	blocks   []*yaml.Node
	external map[string]string
}

func newShipping(file string, instance func(node string) string) *shipping {
	return &shipping{dir: filepath.Dir(file), instance: instance}
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

// apply makes the sinks of the first configuration that it is given, which
// checkSinks has found nothing wrong with. restart says
// what of a later one is not in force.
func (s *shipping) apply(config *configfile.Config) (restart []string, err error) {
	if s.set != nil {
		if !configfile.Same(s.blocks, config.RemoteWrite) {
			restart = append(restart, "remoteWrite")
		}
		if !maps.Equal(s.external, config.ExternalLabels) && len(s.blocks) > 0 {
			restart = append(restart, "externalLabels")
		}
		return restart, nil
	}
	set, _, err := sinks.New(sinks.Config{
		Blocks: config.RemoteWrite, External: config.ExternalLabels, Dir: s.dir, Instance: s.instance,
		UserAgent: "metrics-apiserver/" + version.Get().GitVersion,
		Log:       slog.New(logr.ToSlogHandler(klog.Background())),
	}, func(int, string, ...any) {})
	if err != nil {
		return nil, err
	}
	s.set, s.blocks, s.external = set, config.RemoteWrite, config.ExternalLabels
	return nil, nil
}

// consumers are the sinks.
func (s *shipping) consumers() []series.Consumer { return s.set.Consumers() }

// Run ships until ctx ends, and then what is left.
func (s *shipping) Run(ctx context.Context) error { return s.set.Run(ctx) }

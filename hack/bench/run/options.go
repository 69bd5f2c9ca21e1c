// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/floor"
)

// Options are what to run.
type Options struct {
	// Nodes, Pods of each node and Containers of each pod.
	Nodes, Pods, Containers int
	// Selecting says that the kubelets are of Kubernetes 1.37, whose answers can be
	// asked for in part.
	Selecting bool
	// Resolution is the servers' --metric-resolution.
	Resolution time.Duration
	// Lifetime is how long a pod lives until another takes its place.
	Lifetime time.Duration
	// Warmup is the time from a server's first complete list to the steady
	// window, Steady that window's length. FloorSteady is that of each floor.
	Warmup, Steady, FloorSteady time.Duration
	// Starts is how often each server is started until its first complete list. The
	// last one stays to be measured.
	Starts int
	// Lists is how many full lists of each kind are timed, and HPALists how many of an
	// HPA's, which should take a resolution or more, so that all that a server does in
	// that time is beside some of them; Rounds10 how often ten full lists are asked for
	// at once.
	Lists, HPALists, Rounds10 int
	// ColdLists is how many full lists are timed that come after a pause of a
	// resolution, in which nearly all samples change.
	ColdLists int
	// AgeLists is how many lists the ages are taken from.
	AgeLists int
	// RateTime is how long the rate of an HPA's lists is measured.
	RateTime time.Duration
	// SinkSamples is how many samples a sink alone ships where its CPU time is
	// measured, and a fifth of those that it ships as fast as it goes.
	SinkSamples int
	// Rounds is how often each server is measured.
	Rounds int
	// Kubernetes is the minor version of kube-apiserver.
	Kubernetes string
	// Transports are those whose floors are measured, of [floor.Transports].
	Transports []string
	// Measure are what to measure, of [Subjects].
	Measure []string
	// Out is where the report is stored. "" stores none.
	Out string
	// Profiles is where profiles of the product are stored. "" takes none; with
	// it, the product runs with --profiling.
	Profiles string
	// Progress gets lines about what goes on.
	Progress io.Writer
}

// What can be measured.
const (
	theirs   = "metrics-server"
	ours     = "metrics-apiserver"
	constant = "constant"
	floors   = "floors"
	sources  = "sources"
	sink     = "sink"
)

// Subjects are all that can be measured.
func Subjects() []string { return []string{theirs, ours, constant, floors, sources, sink} }

func transports() []string {
	var names []string
	for _, t := range floor.Transports() {
		names = append(names, string(t))
	}
	return names
}

// Defaults are the options of a full run.
func Defaults() Options {
	return Options{
		Nodes: 1000, Pods: 30, Containers: 2,
		Resolution: 15 * time.Second, Lifetime: time.Hour,
		Warmup: time.Minute, Steady: 5 * time.Minute, FloorSteady: 2 * time.Minute, Starts: 3,
		Lists: 200, HPALists: 30_000, Rounds10: 5, ColdLists: 3, AgeLists: 5, RateTime: 10 * time.Second, SinkSamples: 1_000_000,
		Rounds: 1, Kubernetes: "1.37", Transports: transports(), Measure: Subjects(), Progress: io.Discard,
	}
}

// Quick are the options of a run that only shows that all works.
func Quick() Options {
	o := Defaults()
	o.Nodes = 50
	o.Warmup, o.Steady, o.FloorSteady = 0, 20*time.Second, 5*time.Second
	o.Starts, o.Lists, o.HPALists, o.Rounds10, o.ColdLists, o.AgeLists, o.RateTime = 1, 10, 200, 2, 1, 1, time.Second
	o.SinkSamples = 100_000
	return o
}

// AddFlags defines the flags whose defaults are the options.
func (o *Options) AddFlags(fs *flag.FlagSet) {
	fs.IntVar(&o.Nodes, "nodes", o.Nodes, "number of nodes")
	fs.IntVar(&o.Pods, "pods", o.Pods, "pods of a node")
	fs.IntVar(&o.Containers, "containers", o.Containers, "containers of a pod")
	fs.BoolVar(&o.Selecting, "selecting", o.Selecting, "kubelets are of Kubernetes 1.37, which leave out families that a request does not name, in place of 1.36")
	fs.DurationVar(&o.Resolution, "resolution", o.Resolution, "the servers' --metric-resolution")
	fs.DurationVar(&o.Lifetime, "lifetime", o.Lifetime, "how long a pod lives until another takes its place; 0 is for ever")
	fs.DurationVar(&o.Warmup, "warmup", o.Warmup, "time between a server's first complete list and its steady window")
	fs.DurationVar(&o.Steady, "steady", o.Steady, "length of the steady window")
	fs.DurationVar(&o.FloorSteady, "floor-steady", o.FloorSteady, "length of the steady window of each floor")
	fs.IntVar(&o.Starts, "starts", o.Starts, "how often each server is started until its first complete list")
	fs.IntVar(&o.Lists, "lists", o.Lists, "full lists of each kind that are timed, one at a time")
	fs.IntVar(&o.HPALists, "hpa-lists", o.HPALists, "HPA's lists that are timed")
	fs.IntVar(&o.Rounds10, "rounds-of-ten", o.Rounds10, "how often ten full lists are asked for at once")
	fs.IntVar(&o.ColdLists, "cold-lists", o.ColdLists, "full lists that are timed after a pause of -resolution each")
	fs.IntVar(&o.AgeLists, "age-lists", o.AgeLists, "lists that the ages of samples are taken from")
	fs.DurationVar(&o.RateTime, "rate-time", o.RateTime, "how long the rate of an HPA's lists is measured")
	fs.IntVar(&o.SinkSamples, "sink-samples", o.SinkSamples, "samples that a remote-write sink ships to have its CPU time measured")
	fs.IntVar(&o.Rounds, "rounds", o.Rounds, "how often each server is measured; the table has the medians")
	fs.StringVar(&o.Kubernetes, "kubernetes", o.Kubernetes, "minor version of kube-apiserver")
	fs.Func("transports", "transports whose floors are measured, comma-separated (default "+strings.Join(o.Transports, ",")+")", func(s string) error {
		o.Transports = strings.Split(s, ",")
		return nil
	})
	fs.Func("measure", "what to measure, comma-separated (default "+strings.Join(o.Measure, ",")+")", func(s string) error {
		o.Measure = strings.Split(s, ",")
		return nil
	})
	fs.StringVar(&o.Out, "out", o.Out, "directory that the report is stored in; empty is nowhere")
	fs.StringVar(&o.Profiles, "profiles", o.Profiles, "directory that profiles of our server are stored in; it then runs with --profiling")
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	var errs []error
	for _, field := range []struct {
		name  string
		value int
	}{
		{"nodes", o.Nodes},
		{"pods", o.Pods},
		{"containers", o.Containers},
		{"starts", o.Starts},
		{"lists", o.Lists},
		{"hpa-lists", o.HPALists},
		{"rounds-of-ten", o.Rounds10},
		{"cold-lists", o.ColdLists},
		{"age-lists", o.AgeLists},
		{"sink-samples", o.SinkSamples},
		{"rounds", o.Rounds},
	} {
		if field.value < 1 {
			errs = append(errs, fmt.Errorf("-%s is %d: must be at least 1", field.name, field.value))
		}
	}
	if o.Resolution < 10*time.Second {
		errs = append(errs, fmt.Errorf("-resolution is %v: must be at least 10s", o.Resolution))
	}
	for _, transport := range o.Transports {
		if !slices.Contains(transports(), transport) {
			errs = append(errs, fmt.Errorf("-transports has %q: must be of %v", transport, transports()))
		}
	}
	for _, subject := range o.Measure {
		if !slices.Contains(Subjects(), subject) {
			errs = append(errs, fmt.Errorf("-measure has %q: must be of %v", subject, Subjects()))
		}
	}
	if slices.Contains(o.Measure, constant) && !slices.Contains(o.Measure, ours) {
		errs = append(errs, fmt.Errorf("-measure has %s, which answers with what %s answered, and not the latter", constant, ours))
	}
	return errors.Join(errs...)
}

func (o Options) measures(subject string) bool { return slices.Contains(o.Measure, subject) }

// measuresSources says whether the site is there for all sources alone.
func (o Options) measuresSources() bool {
	return o.measures(sources) && !slices.ContainsFunc(o.Measure, func(subject string) bool { return subject != sources && subject != sink })
}

// measuresSite says whether anything is measured but the sink, which has a world of
// its own.
func (o Options) measuresSite() bool {
	return slices.ContainsFunc(o.Measure, func(subject string) bool { return subject != sink })
}

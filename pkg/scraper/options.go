// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"errors"
	"fmt"
	"time"

	"k8s.io/component-base/metrics"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// Options of a Manager.
type Options struct {
	// Resolution is the time between two scrapes of a node. At least 1 s; 0 is
	// 15 s.
	Resolution time.Duration
	// RequestTimeout is the time for one scrape of a node, from dialing to the
	// last byte, the summary included. At most Resolution; 0 is 10 s, or nine
	// tenths of Resolution where that is less.
	RequestTimeout time.Duration
	// StartGap is the time between the first scrapes of two targets that are
	// new at once, so that a start with many nodes is not all TLS handshakes
	// at the same moment. 0 is 1 ms. No first scrape is due later than Resolution.
	StartGap time.Duration
	// FirstScrapes is how many nodes are scraped for the first time at once. Their
	// handshakes are most of what a start costs; what has to wait for a processor longer
	// than RequestTimeout has been done in vain. 0 is 256, more than keep one busy.
	FirstScrapes int

	// NoSummary leaves /stats/summary alone; a fresh node then has no rates
	// until it has taken two samples, and there are no inputs of that source.
	NoSummary bool
	// BridgeInterval is the time between two scrapes of a fresh node; once, if
	// the summary left a container without a rate, it is a fifth of that. 0 is
	// 5 s; more than Resolution is Resolution.
	BridgeInterval time.Duration
	// BridgeTime is how long a node counts as fresh at most. 0 is 30 s.
	BridgeTime time.Duration

	// Client has the credentials, and the bounds on bytes.
	Client nodeclient.Options
	// Decoder has the bounds on what an answer may list.
	Decoder kubelet.Options

	// Inputs takes in what Manager.Demand asks for. nil is: nothing can be asked
	// for.
	Inputs InputStore
	// Series are who gets the answers as labelled series, too, after the store:
	// what a consumer does, the next scrape of the node waits for. Manager.
	// SeriesChanged says that what they need has changed. A node that is deleted
	// ends its receivers; the end of Run does not, because nodes go on.
	Series []series.Consumer

	// Registry takes the metrics. nil is: they are kept nowhere.
	Registry metrics.KubeRegistry
}

func (o Options) withDefaults() Options {
	set := func(field *time.Duration, value time.Duration) {
		if *field == 0 {
			*field = value
		}
	}
	set(&o.Resolution, 15*time.Second)
	set(&o.RequestTimeout, min(10*time.Second, o.Resolution*9/10))
	set(&o.StartGap, time.Millisecond)
	set(&o.BridgeInterval, 5*time.Second)
	set(&o.BridgeTime, 30*time.Second)
	if o.FirstScrapes == 0 {
		o.FirstScrapes = 256
	}
	o.BridgeInterval = min(o.BridgeInterval, o.Resolution)
	if o.Registry == nil {
		o.Registry = metrics.NewKubeRegistry()
	}
	return o
}

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	var errs []error
	for _, field := range []struct {
		name  string
		value time.Duration
	}{
		{"RequestTimeout", o.RequestTimeout},
		{"StartGap", o.StartGap},
		{"BridgeInterval", o.BridgeInterval},
		{"BridgeTime", o.BridgeTime},
	} {
		if field.value < 0 {
			errs = append(errs, fmt.Errorf("%s is %v: must not be negative", field.name, field.value))
		}
	}
	if o.FirstScrapes < 0 {
		errs = append(errs, fmt.Errorf("FirstScrapes is %d: must not be negative", o.FirstScrapes))
	}
	if o.Resolution != 0 && o.Resolution < time.Second {
		errs = append(errs, fmt.Errorf("resolution is %v: must be at least 1s", o.Resolution))
	} else if full := o.withDefaults(); full.RequestTimeout > full.Resolution {
		errs = append(errs, fmt.Errorf("request timeout is %v: must be at most the resolution, which is %v", full.RequestTimeout, full.Resolution))
	}
	if len(o.Series) > kubelet.MaxReceivers {
		errs = append(errs, fmt.Errorf("%d consumers of series: there may be %d", len(o.Series), kubelet.MaxReceivers))
	}
	errs = append(errs, o.Client.Validate(), o.Decoder.Validate())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("scraper options: %w", err)
	}
	return nil
}

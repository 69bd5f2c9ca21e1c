// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package remotewrite

import (
	"errors"
	"log/slog"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/queue"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/sender"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// Options are what a sink is told.
type Options struct {
	// Name is the sink's in logs, metrics and states.
	Name string
	// Sources are what is shipped; none is /metrics/resource.
	Sources series.SourceSet
	// Target is the labels of a source of a node as a target of a scrape; nil is
	// none.
	Target func(node string, source series.Source) series.Labels
	// External is added to all series that do not have these labels.
	External series.Labels
	// Relabel says under which labels a series is shipped, if at all. nil ships
	// all as they are. It is called from several goroutines, and may keep nothing.
	Relabel func(series.Labels) (series.Labels, bool)

	// MaxSamples is how many samples a body has at most; 0 is 2,000.
	MaxSamples int
	// Deadline is how long a sample may wait until there is a body for it; 0 is 5 s.
	Deadline time.Duration
	// MinLanes and MaxLanes bound how many bodies are posted at once; 0 is 1 and
	// 50. Between them there are as many as fill a body within the deadline.
	MinLanes, MaxLanes int
	// MaxPending is how many samples may wait to be put into bodies; 0 is a
	// million. They wait only while the disk does.
	MaxPending int
	// MetadataInterval is how often 1.0 is told types and help; 0 is a minute,
	// less is never. 2.0 has them in each series.
	MetadataInterval time.Duration
	// Elected is that the sink is paused until Lead is called.
	Elected bool
	// OutOfOrder says that the receiver takes samples in any order: what was not
	// delivered is sent also when another replica has sent newer samples since.
	OutOfOrder bool
	// Standby is for how long a paused sink keeps samples; 0 is a minute.
	// StandbyBytes is how much memory they may take; 0 is 64 MiB.
	Standby      time.Duration
	StandbyBytes int64
	// Flush is how long the end of Run may take to deliver what is left; 0 is 10 s.
	Flush time.Duration

	Queue  queue.Options
	Sender sender.Options
	// Log is told of changes of state; nil tells nobody.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Sources == 0 {
		o.Sources = series.SourceSetOf(series.Resource)
	}
	if o.MaxSamples == 0 {
		o.MaxSamples = 2000
	}
	if o.Deadline == 0 {
		o.Deadline = 5 * time.Second
	}
	if o.MinLanes == 0 {
		o.MinLanes = 1
	}
	if o.MaxLanes == 0 {
		o.MaxLanes = max(50, o.MinLanes)
	}
	if o.MaxPending == 0 {
		o.MaxPending = 1_000_000
	}
	if o.MetadataInterval == 0 {
		o.MetadataInterval = time.Minute
	}
	if o.Standby == 0 {
		o.Standby = time.Minute
	}
	if o.StandbyBytes == 0 {
		o.StandbyBytes = 64 << 20
	}
	if o.Flush == 0 {
		o.Flush = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Log = o.Log.With("sink", o.Name)
	o.Queue.Log, o.Sender.Log = o.Log, o.Log
	o.Sender.Shut = o.Elected
	return o
}

// maxLanes is the largest number of lanes: what is in flight has to fit into a
// queue's file of acknowledgements.
const maxLanes = 200

// Validate says what is wrong with the options.
func (o Options) Validate() error {
	o = o.withDefaults()
	switch {
	case o.Sender.URL == "":
		return errors.New("a sink has no URL")
	case o.MaxSamples < 1 || o.MaxPending < 1:
		return errors.New("a sink's number of samples is negative")
	case o.Deadline < 0 || o.Standby < 0 || o.Flush < 0:
		return errors.New("a sink's time is negative")
	case o.StandbyBytes < 0:
		return errors.New("a sink's memory for standby is negative")
	case o.MinLanes < 1 || o.MaxLanes < o.MinLanes || o.MaxLanes > maxLanes:
		return errors.New("a sink's shards are not from 1 to 200, or their least is more than their most")
	}
	return o.Queue.Validate()
}

// State is how a sink is doing. Counts are samples since the start.
type State struct {
	Name, URL string
	// Paused says that another replica ships, Held that nothing is sent because it
	// is not known whether one does.
	Paused, Held bool
	// StandbySince is when the oldest sample was received that a paused sink keeps,
	// StandbyBytes the memory that all of them take.
	StandbySince storage.Millis
	StandbyBytes int64
	// Handovers and Killed are how often the sink has gone on where a replica had
	// ended, and where one was killed. Skipped is the samples that were not sent
	// then because the other one may have, and Overlap those that were although it
	// may have. Gap is the time of which nothing was kept, and of which the other one
	// is not known to have delivered everything.
	Handovers, Killed, Skipped, Overlap int64
	Gap                                 time.Duration
	// Series and Symbols are how many series are open, and strings in them.
	Series, Symbols int
	// Lanes is how many bodies are posted at once.
	Lanes int
	// Taken is what came from nodes and was not there before; Repeated came again;
	// OutOfOrder was older than what was there.
	Taken, Repeated, OutOfOrder int64
	// Pending waits to be put into a body.
	Pending int64
	// Accepted was given to the queue.
	Accepted int64
	// Overrun was dropped because more than MaxPending waited.
	Overrun int64
	// Unsaved was in memory when the process ended.
	Unsaved int64
	Queue   queue.State
	Sender  sender.State
}

// Lag is how old the newest sample is that was delivered; 0 where there is none.
func (s *State) Lag(now time.Time) time.Duration {
	if s.Sender.Newest == 0 {
		return 0
	}
	return max(0, (storage.MillisOf(now) - s.Sender.Newest).Duration())
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sinks

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/queue"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/sender"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// Config is what a set of sinks is made of.
type Config struct {
	// Blocks are the blocks of the file, as they were written.
	Blocks []*yaml.Node
	// External is the file's externalLabels.
	External map[string]string
	// Dir is what the paths of files in blocks are relative to: the directory of
	// the configuration file.
	Dir string
	// UserAgent is ours.
	UserAgent string
	// Instance is the address and port of a node's kubelet; empty where it is not
	// known. nil knows none.
	Instance func(node string) string
	// Log is told of changes of state.
	Log *slog.Logger
}

// Check reads all blocks, and says what is wrong with them. It opens nothing.
func Check(nodes []*yaml.Node, refuse Refuse) (blocks []*Block, ok bool) {
	ok = true
	names, dirs := map[string]int{}, map[string]int{}
	for i, n := range nodes {
		b, good := Read(n, i+1, refuse)
		if !good {
			ok = false
			continue
		}
		if line, twice := names[b.Name]; twice {
			ok = false
			refuse(b.Line, "the remoteWrite block of line %d is also named %q: name them differently", line, b.Name)
		}
		dir := filepath.Clean(b.dir)
		if line, twice := dirs[dir]; twice && b.dir != "" {
			ok = false
			refuse(b.Line, "the remoteWrite block of line %d also has queue_directory %s: each needs its own", line, b.dir)
		}
		names[b.Name], dirs[dir] = b.Line, b.Line
		blocks = append(blocks, b)
	}
	return blocks, ok
}

// A Set is all sinks.
type Set struct {
	sinks []*remotewrite.Sink
}

// New makes the sinks. Where one cannot be made, none is; what is wrong with the
// blocks goes to refuse, anything else is the error. Run must be called.
func New(c Config, refuse Refuse) (*Set, bool, error) {
	blocks, ok := Check(c.Blocks, refuse)
	if !ok {
		return nil, false, nil
	}
	var all []remotewrite.Options
	for _, b := range blocks {
		o, err := b.Options(c.Dir, c.UserAgent, c.External)
		if err != nil {
			return nil, false, err
		}
		o.Log = c.Log
		o.Target = func(node string, source series.Source) series.Labels {
			instance := ""
			if c.Instance != nil {
				instance = c.Instance(node)
			}
			return series.TargetLabels(node, instance, source)
		}
		all = append(all, o)
	}
	set := &Set{}
	for _, o := range all {
		// The options were validated: nothing is opened that would not be used.
		sink, err := remotewrite.New(o)
		if err != nil {
			return nil, false, err
		}
		set.sinks = append(set.sinks, sink)
	}
	return set, true, nil
}

// Consumers are the sinks, as whoever reads kubelets wants them.
func (s *Set) Consumers() []series.Consumer {
	out := make([]series.Consumer, len(s.sinks))
	for i, sink := range s.sinks {
		out[i] = sink
	}
	return out
}

// Run ships until the context ends, and then what is left within each sink's
// deadline.
func (s *Set) Run(ctx context.Context) error {
	var done sync.WaitGroup
	for _, sink := range s.sinks {
		done.Go(func() { _ = sink.Run(ctx) })
	}
	done.Wait()
	return nil
}

// Pause and Resume are those of all sinks: one replica ships.
func (s *Set) Pause() {
	for _, sink := range s.sinks {
		sink.Pause()
	}
}

// Resume goes on with what was received after the given time; 0 is all that was
// kept.
func (s *Set) Resume(after time.Time) {
	for _, sink := range s.sinks {
		sink.Resume(storage.MillisOf(after))
	}
}

// States is how the sinks are doing, in the order of their blocks.
func (s *Set) States() []remotewrite.State {
	states := make([]remotewrite.State, len(s.sinks))
	for i, sink := range s.sinks {
		states[i] = sink.State()
	}
	return states
}

// A readable is a state for people.
type readable struct {
	Name             string           `json:"name"`
	URL              string           `json:"url"`
	Protocol         string           `json:"protocol"`
	Paused           bool             `json:"paused"`
	Series           int              `json:"series"`
	Shards           int              `json:"shards"`
	AcceptedSamples  int64            `json:"acceptedSamples"`
	SentSamples      int64            `json:"sentSamples"`
	WaitingSamples   int64            `json:"waitingSamples"`
	Dropped          map[string]int64 `json:"droppedSamples,omitempty"`
	Requests         int64            `json:"requests"`
	Retries          int64            `json:"retries"`
	UnknownFate      int64            `json:"requestsOfUnknownFate"`
	NewestDelivered  *time.Time       `json:"newestDelivered,omitempty"`
	QueueDiskBytes   int64            `json:"queueDiskBytes"`
	QueueMemoryBytes int64            `json:"queueMemoryBytes"`
	QueueFault       string           `json:"queueFault,omitempty"`
	Failure          string           `json:"failure,omitempty"`
	Since            time.Time        `json:"since"`
}

// dropped is what was not delivered, by reason, with the reasons that have none.
func dropped(s *remotewrite.State) map[string]int64 {
	all := map[string]int64{
		"queue_full": s.Queue.Dropped[queue.Full], "corrupt": s.Queue.Dropped[queue.Corrupt],
		"overrun": s.Overrun, "out_of_order": s.OutOfOrder, "shutdown": s.Unsaved,
	}
	for reason := range sender.Reasons {
		all[reason.String()] = s.Sender.Dropped[reason]
	}
	return all
}

// ServeHTTP answers with the states, as JSON. Who may read them is up to whoever
// serves it.
func (s *Set) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	var all []readable
	for _, state := range s.States() {
		r := readable{
			Name: state.Name, URL: state.URL, Protocol: state.Sender.Protocol.String(), Paused: state.Paused,
			Series: state.Series, Shards: state.Lanes, AcceptedSamples: state.Accepted, SentSamples: state.Sender.Sent,
			WaitingSamples: state.Pending + state.Queue.Samples, Dropped: map[string]int64{},
			Requests: state.Sender.Requests, Retries: state.Sender.Retries, UnknownFate: state.Sender.Unknown,
			QueueDiskBytes: state.Queue.DiskBytes, QueueMemoryBytes: state.Queue.MemoryBytes,
			Failure: state.Sender.Failure, Since: state.Sender.Since.Time(),
		}
		for reason, n := range dropped(&state) {
			if n > 0 {
				r.Dropped[reason] = n
			}
		}
		if state.Sender.Newest != 0 {
			newest := state.Sender.Newest.Time()
			r.NewestDelivered = &newest
		}
		if state.Queue.Fault != nil {
			r.QueueFault = state.Queue.Fault.Error()
		}
		all = append(all, r)
	}
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	// What cannot be written has no reader any more.
	_ = encoder.Encode(all)
}

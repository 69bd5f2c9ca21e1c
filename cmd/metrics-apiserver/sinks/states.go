// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sinks

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/queue"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/sender"
)

// A readable is a state for people.
type readable struct {
	Name             string           `json:"name"`
	URL              string           `json:"url"`
	Protocol         string           `json:"protocol"`
	Paused           bool             `json:"paused"`
	Held             bool             `json:"held"`
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
		"handover": s.Skipped, "overrun": s.Overrun, "out_of_order": s.OutOfOrder, "shutdown": s.Unsaved,
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
			Name: state.Name, URL: state.URL, Protocol: state.Sender.Protocol.String(), Paused: state.Paused, Held: state.Held,
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

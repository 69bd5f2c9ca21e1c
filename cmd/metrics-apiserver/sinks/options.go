// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sinks

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"

	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/sinks/sigv4"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/queue"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/sender"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// maxMemory is how much of a queue with a directory may wait in memory while the disk
// cannot be written, in bytes.
const maxMemory = 32 << 20

// QueueDir is where the block wants its queue; empty is in memory.
func (b *Block) QueueDir() string { return b.dir }

// Options are the options of a sink. Files that the block names are relative to
// dir; external is the file's externalLabels; userAgent is ours.
func (b *Block) Options(dir, userAgent string, external map[string]string) (remotewrite.Options, error) {
	client := b.http
	client.SetDirectory(dir)
	transport, err := promconfig.NewRoundTripperFromConfig(client, "remote_write")
	if err != nil {
		return remotewrite.Options{}, fmt.Errorf("make client of remote-write sink %s: %w", b.Name, err)
	}
	if c := b.sigv4; c != nil {
		transport = sigv4.New(sigv4.Options{
			Region: c.Region, Service: c.ServiceName, AccessKey: c.AccessKey, SecretKey: string(c.SecretKey),
			RoleARN: c.RoleARN, ExternalID: c.ExternalID, SessionName: c.SessionName,
		}, transport)
	}
	o := remotewrite.Options{
		Name: b.Name, Sources: b.Sources, External: sorted(external), Relabel: relabeler(b.relabel),
		MaxSamples: b.queue.MaxSamplesPerSend, Deadline: time.Duration(b.queue.BatchSendDeadline),
		MinLanes: b.queue.MinShards, MaxLanes: b.queue.MaxShards, MaxPending: b.queue.Capacity * b.queue.MaxShards,
		MetadataInterval: time.Duration(b.metadata.SendInterval), Flush: time.Duration(b.flush),
		OutOfOrder: b.anyOrder, StandbyBytes: b.standby,
		Queue: queue.Options{Dir: b.dir, MaxBytes: b.size},
		Sender: sender.Options{
			URL: b.url.String(), Shown: b.url.Redacted(), Transport: transport, Headers: header(b.headers), UserAgent: userAgent,
			Timeout:    time.Duration(b.timeout),
			MinBackoff: time.Duration(b.queue.MinBackoff), MaxBackoff: time.Duration(b.queue.MaxBackoff),
			MaxAge: time.Duration(b.queue.SampleAgeLimit), Protocol: b.protocol, FollowRedirects: b.http.FollowRedirects,
		},
	}
	o.Queue.MaxMemory = min(b.size, maxMemory)
	if b.dir == "" {
		o.Queue.MaxMemory = min(b.size, 1<<30)
	}
	if !b.metadata.Send {
		o.MetadataInterval = -1
	}
	return o, o.Validate()
}

func header(texts map[string]string) http.Header {
	h := http.Header{}
	for name, value := range texts {
		h.Set(name, value)
	}
	return h
}

// sorted is labels in their order, without empty ones.
func sorted(texts map[string]string) series.Labels {
	var out series.Labels
	for name, value := range texts {
		if value != "" {
			out = append(out, series.Label{Name: name, Value: value})
		}
	}
	slices.SortFunc(out, func(a, b series.Label) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// relabeler applies relabelling rules, by Prometheus' own code; nil where there
// are none. It runs once a series, not once a sample.
func relabeler(rules []*relabel.Config) func(series.Labels) (series.Labels, bool) {
	if len(rules) == 0 {
		return nil
	}
	return func(in series.Labels) (series.Labels, bool) {
		builder := labels.NewBuilder(labels.EmptyLabels())
		for _, l := range in {
			builder.Set(l.Name, l.Value)
		}
		if !relabel.ProcessBuilder(builder, rules...) {
			return nil, false
		}
		out := make(series.Labels, 0, len(in))
		builder.Labels().Range(func(l labels.Label) {
			out = append(out, series.Label{Name: l.Name, Value: l.Value})
		})
		return out, len(out) > 0
	}
}

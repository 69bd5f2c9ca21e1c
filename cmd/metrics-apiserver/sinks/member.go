// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sinks

import (
	"context"
	"maps"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/configfile"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// A member is one sink, and what it was made of.
type member struct {
	name     string
	node     *yaml.Node
	external map[string]string
	options  remotewrite.Options
	sink     *remotewrite.Sink
	// follows is the sink of the same name that it replaces, until that has ended;
	// nil is none.
	follows *member
	// born is what the set knew, when the member was made, of who had led before;
	// continues is that the set led then. So there is nobody to go on from.
	born      *handover
	continues bool
	// carried is how far the sink was that it replaced.
	carried remotewrite.Mark
	// ready is closed when that has ended, done when this one has. cancel ends it.
	ready, done chan struct{}
	cancel      context.CancelFunc
}

// same says whether two members would be made of the same.
func (m *member) same(other *member) bool {
	return configfile.Same([]*yaml.Node{m.node}, []*yaml.Node{other.node}) && maps.Equal(m.external, other.external)
}

// mark is how far the sink is, and the one that it replaces: what that one has left
// is not delivered either. The set is locked.
func (m *member) mark() remotewrite.Mark {
	out := m.sink.Mark()
	for before := m.follows; before != nil; before = before.follows {
		other := before.sink.Mark()
		out.Delivered, out.Newest = min(out.Delivered, other.Delivered), max(out.Newest, other.Newest)
	}
	return out
}

// grace is how long a sink that is replaced still takes what was being read when it
// was.
const grace = time.Second

// retire ends a member that runs, soon.
func (m *member) retire() { time.AfterFunc(grace, m.cancel) }

// options are those of a block's sink.
func (o *Options) options(b *Block, external map[string]string) (remotewrite.Options, error) {
	out, err := b.Options(o.Dir, o.UserAgent, external)
	if err != nil {
		return remotewrite.Options{}, err
	}
	if out.Log = o.Log; o.transport != nil {
		out.Sender.Transport = o.transport
	}
	// The set says when it leads.
	out.Elected = true
	// A killed one is noticed within half a minute, and what it has delivered is
	// known to two and a half resolutions. The rest is for an API server that is
	// away meanwhile.
	out.Standby = time.Minute + 2*o.Resolution
	out.Target = func(node string, source series.Source) series.Labels {
		if source == series.Rules {
			return nil // They are of no target: they have the labels of the result.
		}
		instance := ""
		if o.Instance != nil {
			instance = o.Instance(node)
		}
		return series.TargetLabels(node, instance, source)
	}
	return out, nil
}

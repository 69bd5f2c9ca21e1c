// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package floor

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/world"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/phase"
)

// Resource is the document that is got unless others are named.
const Resource = "/metrics/resource"

// Options of a floor.
type Options struct {
	// World has the nodes, whose kubelets listen at Port.
	World world.World
	Port  int
	// Resolution is the time between two requests to a node.
	Resolution time.Duration
	// Documents are the paths, with their queries, of what is got of each node, one
	// after the other. None is [Resource].
	Documents []string
	// Alone asks each node at a moment of its own, and not with others of a group as the
	// server does.
	Alone bool
	// CAFile is the authority of the kubelets' certificates. TokenFile has the
	// token that is shown to them.
	CAFile, TokenFile string
	// Transport is one of [Transports].
	Transport Transport
}

// getter gets documents of one node and discards them.
type getter interface {
	get(ctx context.Context, path, query string) error
}

// Run gets every node's document once a resolution until ctx ends. Documents
// that cannot be got end it: a floor with failures is none.
func Run(ctx context.Context, o Options) error {
	if len(o.Documents) == 0 {
		o.Documents = []string{Resource}
	}
	connect, err := o.connector()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for node := range o.World.Nodes {
		g := connect(node)
		group.Go(func() error { return o.loop(ctx, g, node) })
	}
	return group.Wait()
}

// startGap is the time between the first connections of two nodes.
const startGap = time.Millisecond

// Started returns how long it takes until every node is connected and waits
// for its moment.
func (o Options) Started() time.Duration {
	return time.Duration(o.World.Nodes)*startGap + 3*time.Second
}

func (o Options) loop(ctx context.Context, g getter, node int) error {
	name := o.World.Node(node)
	offset := phase.Of(name, o.Resolution, o.World.Nodes)
	if o.Alone {
		offset = phase.Alone(name, o.Resolution)
	}
	// The first request, which connects, is made soon, the others at their time.
	wait := time.Duration(node) * startGap
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		for _, document := range o.Documents {
			path, query, _ := strings.Cut(document, "?")
			if err := g.get(ctx, path, query); err != nil && ctx.Err() == nil {
				return fmt.Errorf("get %s of %s: %w", document, name, err)
			}
		}
		now := time.Now()
		wait = phase.Next(now, offset, o.Resolution).Sub(now)
	}
}

// token is what the token's file holds now.
func (o Options) token() (string, error) {
	b, err := os.ReadFile(o.TokenFile)
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	return string(b), nil
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"context"
	"time"

	"k8s.io/klog/v2"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
)

// The reasons for a failed scrape that are not the node client's.
const (
	// reasonTarget: there is nothing that could be asked; Target.Problem.
	reasonTarget nodeclient.Reason = "target"
	// reasonDecode: the answer is not what a kubelet answers.
	reasonDecode nodeclient.Reason = "decode"
	// reasonBug: our own fault.
	reasonBug nodeclient.Reason = "bug"
)

// reasons are all values of the label of the failures' counter. Canceled is not
// among them: it is what happens to deleted nodes.
func reasons() []nodeclient.Reason {
	return []nodeclient.Reason{
		nodeclient.ReasonDial, nodeclient.ReasonTLS, nodeclient.ReasonCredentials, nodeclient.ReasonTimeout,
		nodeclient.ReasonBroken, nodeclient.ReasonRedirect, nodeclient.ReasonStatus, nodeclient.ReasonTooLarge,
		nodeclient.ReasonNoShare, nodeclient.ReasonNoConnection, reasonTarget, reasonDecode, reasonBug,
	}
}

// lineInterval is the least time between two lines in the log about one node.
const lineInterval = time.Minute

// outage follows one node's failures and logs when they begin and when they
// end, and nothing in between. A node that comes and goes gets a line a minute.
type outage struct {
	// failures is how many scrapes have failed in a row; since is when the
	// first of them did.
	failures int
	since    time.Time

	// What the last line said, and when.
	saidDown bool
	said     time.Time
	// The last outage, for the line on its end.
	lasted time.Duration
	missed int
}

// note takes note of a scrape's outcome.
func (o *outage) note(ctx context.Context, node string, now time.Time, err error) {
	quiet := !o.said.IsZero() && now.Sub(o.said) < lineInterval
	if err != nil {
		if o.failures == 0 {
			o.since = now
		}
		o.failures++
		if !o.saidDown && !quiet {
			o.saidDown, o.said = true, now
			klog.FromContext(ctx).Error(err, "Node cannot be scraped; its last values are served until they are stale", "node", node, "reason", nodeclient.ReasonOf(err))
		}
		return
	}
	if o.failures > 0 {
		o.lasted, o.missed, o.failures = now.Sub(o.since), o.failures, 0
	}
	if o.saidDown && !quiet {
		o.saidDown, o.said = false, now
		klog.FromContext(ctx).Info("Node is scraped again", "node", node, "after", o.lasted.Round(time.Millisecond), "failedScrapes", o.missed)
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/klog/v2"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
)

const (
	summaryPath  = "/stats/summary"
	summaryQuery = "only_cpu_and_memory=true"
	// summaryPause is how long a node that refused the summary is not asked for
	// it again: somebody may grant the right meanwhile.
	summaryPause = 10 * time.Minute
)

// bridge is the time during which a fresh node is asked more often, and for the
// kubelet's own rates. It begins with the first answer after a start or after
// an outage that outlasted what the store serves, and ends when every container
// has a rate, or when it has lasted long enough for two samples of each.
type bridge struct {
	// end is when it ends at the latest; zero is: there is none.
	end time.Time
	// refused is until when the summary is not asked for.
	refused time.Time
	// hurry says that the next scrape comes sooner, hurried that one did.
	hurry, hurried bool
	// short is how many containers the last summary left without a rate. told says
	// that the one before left no more: the kubelet does not know theirs, as of what
	// is idle, and will not before there are two samples, which are enough for us.
	short int
	told  bool
}

// begin begins it.
func (b *bridge) begin(now time.Time, lasts time.Duration) {
	*b = bridge{end: now.Add(lasts), refused: b.refused}
}

// fellShort takes note that a good summary left so many containers without a
// rate, and for how many that was because the kubelet took a new sample between the
// two answers, which with many containers always happens to some: asking again soon,
// once, is then nearly always all it takes. Where the kubelet itself knows no rate,
// as of what is idle on nearly every node, it will not in a second either, and at a
// start of all nodes at once the rest has to wait for those who ask in vain.
func (b *bridge) fellShort(unrated, moved int) {
	b.told = b.short > 0 && unrated >= b.short
	b.short = unrated
	if moved > 0 && !b.hurried {
		b.hurry, b.hurried = true, true
	}
}

// next is the time to the next scrape.
func (b *bridge) next(interval time.Duration) time.Duration {
	if b.hurry {
		b.hurry = false
		return interval / 5
	}
	return interval
}

// goOn says whether it goes on with so many containers without a rate, and ends
// it where it does not.
func (b *bridge) goOn(now time.Time, unrated int) bool {
	if unrated == 0 || !now.Before(b.end) {
		b.end = time.Time{}
	}
	return !b.end.IsZero()
}

// asks says whether the summary is worth asking for.
func (b *bridge) asks(now time.Time) bool { return !b.told && !now.Before(b.refused) }

// failed takes note of a failed request for the summary and says whether the
// node refused it as such.
func (b *bridge) failed(now time.Time, err error) (refused bool) {
	if refusedStatus(err) {
		b.refused = now.Add(summaryPause)
		return true
	}
	return false
}

// refusedStatus says whether a node refused a request as such.
func refusedStatus(err error) bool {
	switch nodeclient.StatusOf(err) {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	}
	return false
}

// summaryRefusal logs once a process that nodes refuse the summary: it is a
// right that may be left out on purpose, and is the same on all nodes.
type summaryRefusal struct{ logged atomic.Bool }

func (r *summaryRefusal) report(logger klog.Logger, node string, err error) {
	if r.logged.CompareAndSwap(false, true) {
		logger.Info("A node refuses /stats/summary, so its first answers take two samples; kubelets ask for the right nodes/stats", "node", node, "err", err)
	}
}

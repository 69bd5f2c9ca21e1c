// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/chaos/rig"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
)

// What F19 gives a server, and asks of it.
const (
	littleMemory = 144 << 20
	// moreSeries is how many series each of 20 nodes says more every 10 s.
	moreSeries = 4000
)

// tryLittleMemory is F19.
func tryLittleMemory(x *trial) {
	w := x.world(20, 5)
	config := filepath.Join(x.TempDir(), "config.yaml")
	text := "apiVersion: metrics-apiserver/v1alpha1\nkind: Configuration\nhistory: {maxBytes: 32Mi, sources: [resource]}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		x.Fatal(err)
	}
	server, enforced := w.ServeWithin(x, littleMemory, "--config="+config, "--metric-resolution=10s", "--kubelet-request-timeout=8s")
	injected := fmt.Sprintf("%d MiB for all (by the kernel, too: %v), GOMEMLIMIT at nine tenths; 20 kubelets say %d series more every 10 s, all of which history keeps", littleMemory>>20, enforced, moreSeries)
	pid := server.Pid()
	truth := truthOf(w.Nodes()...)
	x.wait(20 * time.Second)
	before := memoryOf(x, server)
	var last, most memory
	shedAfter, series, began := time.Duration(0), 0, time.Now()
	const seconds, after = 90, 25
	for second := 0; second < seconds && x.Context().Err() == nil; second++ {
		if second%10 == 0 && shedAfter == 0 {
			series += moreSeries
			extra := manySeries(series)
			for _, node := range w.Nodes() {
				node.SetFault(kubelettest.Fault{Path: "/metrics/resource", Extra: extra})
			}
		}
		x.wait(time.Second)
		// By then all containers have two samples.
		if pods, err := server.Pods(x.Context()); !truth.missing.err(err) && second > 25 {
			truth.hold(pods, freshness)
		}
		last = memoryOf(x, server)
		most.resident, most.history = max(most.resident, last.resident), max(most.history, last.history)
		if second%10 == 9 {
			x.Logf("%d series a node: %.0f MiB resident, history %.1f MiB and %.1f MiB beside it, given up %.0f times", series, last.resident/(1<<20), last.history/(1<<20), last.overhead/(1<<20), last.sheds)
		}
		if last.sheds > 0 && shedAfter == 0 {
			shedAfter = time.Since(began)
			second = max(second, seconds-after) // And on, at what was too much.
		}
	}
	lines, err := server.LogLines("Memory is scarce: history is given up")
	if err != nil {
		x.Fatal(err)
	}
	x.figure("F19", injected, "history kept before", fmt.Sprintf("%.0f series", before.series), "some", before.series > 0 && before.sheds == 0)
	x.figure("F19", injected, "history given up", fmt.Sprintf("after %v, at %d series a node and %.1f MiB of blocks", shedAfter.Round(time.Second), series, most.history/(1<<20)), "at least once", last.sheds > 0)
	x.figure("F19", injected, "lines in the log about it", lines, fmt.Sprintf("as often as it was: %.0f", last.sheds), lines > 0 && float64(lines) == last.sheds)
	x.none("F19", injected, "answers missing", &truth.missing, truth.answers)
	x.none("F19", injected, "answers older than a healthy node's", &truth.aged, truth.answers)
	x.figure("F19", injected, "most memory beside the program's file", fmt.Sprintf("%.0f MiB", most.resident/(1<<20)), fmt.Sprintf("%d MiB", littleMemory>>20), most.resident < littleMemory)
	x.figure("F19", injected, "the same process", server.Pid() == pid, true, server.Pid() == pid)
}

// memory is what a server says that it takes.
type memory struct{ resident, history, overhead, series, sheds float64 }

func memoryOf(x *trial, server *rig.Server) memory {
	x.Helper()
	m, err := server.Metrics(x.Context())
	if err != nil {
		x.Fatal(err)
	}
	resident, err := server.Anonymous()
	if err != nil {
		x.Fatal(err)
	}
	return memory{
		resident: float64(resident), history: m["metrics_apiserver_history_bytes"],
		overhead: m["metrics_apiserver_history_overhead_bytes"],
		series:   m["metrics_apiserver_history_series"], sheds: m["metrics_apiserver_history_shed_total"],
	}
}

// manySeries is lines of a document that are about nothing that is served.
func manySeries(n int) []byte {
	var text []byte
	for i := range n {
		text = fmt.Appendf(text, "application_queue_length{queue=\"queue-%d\",shard=\"%d\"} %d\n", i, i%7, i*i)
	}
	return text
}

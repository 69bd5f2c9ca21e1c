// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"fmt"
	"math"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/floor"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/listing"
	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/report"
)

// figure names what was measured. Those of full lists are followed by the name
// of their kind.
type figure = string

const (
	cpuPerScrape         figure = "CPU per scrape"        // ms
	besidePerScrape      figure = "CPU per scrape beside" // ms
	atRestPerScrape      figure = "CPU at rest"           // ms a scrape
	allocatedPerScrape   figure = "allocated per scrape"  // kB
	collectionsPerMinute figure = "garbage collections per minute"
	fleetPerScrape       figure = "kubelets' CPU"               // ms a scrape
	bytesPerAnswer       figure = "bytes per answer"            // kB
	sentPerAnswer        figure = "bytes sent per answer"       // kB
	bytesPerScrape       figure = "bytes per scrape"            // kB, of all that is asked for with it
	requestsPerMinute    figure = "requests per minute"         // of one node
	steadyRSS            figure = "RSS"                         // MB
	steadyAnonymous      figure = "anonymous"                   // MB
	firstComplete        figure = "first"                       // s
	startCPU             figure = "CPU of a start"              // s
	startAPIServerCPU    figure = "API server's CPU of a start" // s
	restlessStart        figure = "start without rest"          // as many numbers as there were
	age50                figure = "age p50"                     // s
	age99                figure = "age p99"                     // s
	servedPods           figure = "pods served"
	hpa50                figure = "HPA p50"  // ms
	hpa99                figure = "HPA p99"  // ms
	hpaRate              figure = "HPA rate" // 1/s
	list50               figure = "list p50 "
	list99               figure = "list p99 "
	cold50               figure = "cold p50 "
	listSize             figure = "list size "    // MB
	listObjects          figure = "list objects " // thousands
	listBytes            figure = "list bytes "   // MB
	ten50                figure = "ten p50 "
	ten99                figure = "ten p99 "
	tenPeak              figure = "ten peak " // MB
)

// values are figures with one number a round.
type values map[figure][]float64

func (v values) add(f figure, number float64) { v[f] = append(v[f], number) }

// last is the newest number of a figure that has one.
func (v values) last(f figure) float64 { return v[f][len(v[f])-1] }

// rows are the rows of the report, with the project's goals.
func (m *measured) rows(o Options) []report.Row {
	rows := m.scrapeRows()
	rows = append(rows,
		report.Row{Name: "floor: GET and discard over nodeclient, each node at a moment of its own", Unit: "ms", Floor: m.alone[cpuPerScrape]},
		m.row("CPU per node scrape, and the floor over nodeclient, in one window", "ms", besidePerScrape, m.beside[besidePerScrape], timesFloor(m.beside[besidePerScrape], 1.25)),
		m.row("of it where nothing is scraped; floor: an API server that nobody asks", "ms", atRestPerScrape, m.empty[cpuPerScrape], nil),
		m.row("allocated per node scrape", "kB", allocatedPerScrape, nil, nil),
		m.row("garbage collections per minute", "", collectionsPerMinute, nil, nil),
	)
	rows = append(rows, m.memoryRows(o)...)
	rows = append(rows, m.fullListRows(o)...)
	rows = append(rows,
		m.row("HPA's list, p50", "ms", hpa50, m.constant[hpa50], timesFloor(m.constant[hpa50], 1.25)),
		m.row("HPA's list, p99", "ms", hpa99, m.constant[hpa99], nil),
		m.rate(fmt.Sprintf("HPA's lists over %d connections", connections), "/s", hpaRate, m.constant[hpaRate], 0.8),
		m.row("start to first complete list", "s", firstComplete, nil, &report.Goal{Text: "≤ 4 s", Limit: 4}),
		m.row("CPU of the server until then", "s", startCPU, nil, nil),
		m.row("CPU of kube-apiserver until then", "s", startAPIServerCPU, nil, nil),
	)
	for _, age := range []struct {
		name     string
		figure   figure
		quantile float64
	}{{"p50", age50, 0.5}, {"p99", age99, 0.99}} {
		simulated := listing.Quantile(m.ages, age.quantile).Seconds()
		rows = append(rows, m.row("age of samples, "+age.name+" (floor simulated)", "s", age.figure, []float64{simulated},
			&report.Goal{Text: "≤ floor + 1 s", Limit: simulated + 1}))
	}
	rows = append(rows, m.sourcesRows()...)
	return append(rows,
		m.row("pods in a full list", "", servedPods, nil, nil),
		m.row("kubelet requests per node and minute", "", requestsPerMinute, nil, nil),
		m.row("bytes of an answer", "kB", bytesPerAnswer, nil, nil),
		m.row("the same as it is sent", "kB", sentPerAnswer, nil, nil),
		m.row("the kubelets' own CPU per scrape", "ms", fleetPerScrape, nil, nil),
	)
}

func (m *measured) row(name, unit string, f figure, floor []float64, goal *report.Goal) report.Row {
	return report.Row{Name: name, Unit: unit, Theirs: m.theirs[f], Ours: m.ours[f], Floor: floor, Goal: goal}
}

// rate is the row of what should be more, at least factor times its floor.
func (m *measured) rate(name, unit string, f figure, floor []float64, factor float64) report.Row {
	row := m.row(name, unit, f, floor, nil)
	row.More = true
	if median, ok := report.Median(floor); ok {
		row.Goal = &report.Goal{Text: fmt.Sprintf("≥ %v × floor", factor), Limit: factor * median}
	}
	return row
}

// sourcesRows are what it costs to collect everything that custom metrics can be
// made from.
func (m *measured) sourcesRows() []report.Row {
	const title = "all sources of custom metrics"
	row := func(name, unit string, f figure, floor []float64) report.Row {
		return report.Row{Name: title + ": " + name, Unit: unit, Ours: m.sources[f], Floor: floor}
	}
	return []report.Row{
		row("CPU per node scrape; floor: the same documents got and discarded", "ms", cpuPerScrape, m.sourcesFloor[cpuPerScrape]),
		row("bytes got per node scrape", "kB", bytesPerScrape, nil),
		row("allocated per node scrape", "kB", allocatedPerScrape, nil),
		row("resident memory, steady (VmRSS)", "MB", steadyRSS, nil),
		row("the kubelets' own CPU per scrape", "ms", fleetPerScrape, nil),
	}
}

// scrapeRows are what a scrape costs against each floor, of which the cheapest has the
// goal.
func (m *measured) scrapeRows() []report.Row {
	const title = "CPU per node scrape"
	cheapest, name := m.cheapest()
	if cheapest == nil {
		return []report.Row{m.row(title, "ms", cpuPerScrape, nil, nil)}
	}
	over := func(transport floor.Transport) string {
		return title + "; floor: GET and discard over " + string(transport)
	}
	rows := []report.Row{m.row(over(name), "ms", cpuPerScrape, cheapest, timesFloor(cheapest, 1.25))}
	for _, transport := range floor.Transports() {
		if gets := m.floors[transport][cpuPerScrape]; transport != name && len(gets) > 0 {
			rows = append(rows, m.row(over(transport), "ms", cpuPerScrape, gets, nil))
		}
	}
	return rows
}

// cheapest is the CPU per scrape of the cheapest floor; nil if none was measured.
func (m *measured) cheapest() (numbers []float64, name floor.Transport) {
	least := math.Inf(1)
	for _, transport := range floor.Transports() {
		if median, ok := report.Median(m.floors[transport][cpuPerScrape]); ok && median < least {
			least, numbers, name = median, m.floors[transport][cpuPerScrape], transport
		}
	}
	return numbers, name
}

// memoryRows are what is resident. The goals are those for 1,000 nodes of 30
// pods; for other sizes they follow from what a node and a pod may take.
func (m *measured) memoryRows(o Options) []report.Row {
	const (
		perNode, perPod = 50e3 / megabyte, 1.2e3 / megabyte
		atDefaults      = 160
		peakOver        = 210.0 / atDefaults
	)
	nodes, pods := float64(o.Nodes), float64(o.Nodes*o.Pods)
	steady, known := atDefaults, true
	limit := float64(steady)
	text := "≤ 160 MB"
	if o.Nodes != 1000 || o.Pods != 30 {
		var empty float64
		empty, known = report.Median(m.empty[steadyRSS])
		limit = empty + nodes*perNode + pods*perPod
		text = fmt.Sprintf("≤ empty + 50 kB a node + 1.2 kB a pod = %.0f MB", limit)
	}
	var goal, peak *report.Goal
	if known {
		goal = &report.Goal{Text: text, Limit: limit}
		peak = &report.Goal{Text: fmt.Sprintf("≤ %.0f MB", limit*peakOver), Limit: limit * peakOver}
	}
	return []report.Row{
		m.row("resident memory, steady (VmRSS); floor: an empty API server", "MB", steadyRSS, m.empty[steadyRSS], goal),
		m.row("of it anonymous (RssAnon)", "MB", steadyAnonymous, m.empty[steadyAnonymous], nil),
		{Name: "floor: anonymous memory of a process that gets and discards over http1", Unit: "MB", Floor: m.floors[floor.HTTP1][steadyAnonymous]},
		{Name: "floor: anonymous memory of a process that gets and discards over nodeclient", Unit: "MB", Floor: m.floors[floor.NodeClient][steadyAnonymous]},
		m.row("peak under ten full lists at once (VmHWM), JSON", "MB", tenPeak+"JSON", m.constant[tenPeak+"JSON"], peak),
		m.row("peak under ten full lists at once, JSON, gzip", "MB", tenPeak+"JSON, gzip", m.constant[tenPeak+"JSON, gzip"], peak),
	}
}

// fullListRows are those of the lists of all pods.
func (m *measured) fullListRows(o Options) []report.Row {
	var rows []report.Row
	for _, kind := range fullKinds() {
		row := func(name, unit string, f figure, factor float64) {
			floor := m.constant[f+kind.name]
			rows = append(rows, m.row("full list, "+kind.name+", "+name, unit, f+kind.name, floor, timesFloor(floor, factor)))
		}
		row("size", "MB", listSize, 0)
		row("p50", "ms", list50, 1.5)
		row(slowest(o.Lists), "ms", list99, 0)
		if !kind.gzip {
			row("after a pause, p50", "ms", cold50, 1.5)
		}
		row("ten at once, p50", "ms", ten50, 1.5)
		row("ten at once, "+slowest(together*o.Rounds10), "ms", ten99, 0)
		row("objects allocated", "k", listObjects, 0)
		row("bytes allocated", "MB", listBytes, 0)
	}
	return rows
}

// slowest is what the 99th percentile of so many times is.
func slowest(times int) string {
	if times < 100 {
		return "slowest"
	}
	return "p99"
}

// timesFloor is the goal of at most factor times a floor; 0 is none.
func timesFloor(floor []float64, factor float64) *report.Goal {
	median, ok := report.Median(floor)
	if !ok || factor == 0 {
		return nil
	}
	return &report.Goal{Text: fmt.Sprintf("≤ %v × floor", factor), Limit: factor * median}
}

// notes say what was measured how.
func (m *measured) notes(o Options) []string {
	return []string{
		fmt.Sprintf("Both servers ran with the flags of manifests/base and --metric-resolution=%v, one after the other, against the same kube-apiserver (etcd and kube-apiserver alone), objects and fake kubelets, all on this machine; so did the client that timed the lists.", o.Resolution),
		"CPU per node scrape is the process's CPU time over the steady window, divided by the scrapes that the kubelets counted.",
		"Kubelets have certificates with ECDSA P-256 keys and speak HTTP/1.1 and HTTP/2. As real ones, they compress for clients that ask for it, which metrics-server's does. Floors ask for none.",
		fmt.Sprintf("Full lists come back to back, but for those after a pause: of %v, in which nearly all samples change. What they allocate includes what was allocated for scrapes meanwhile.", o.Resolution),
		"In one window: the floor's process ran beside ours, and each one's CPU time was read at the same moments, so that the machine's speed is the same for both. All other floors were measured minutes later.",
		"Where nothing is scraped: our server with a --node-selector that no node matches, which watches the same nodes and pods, and k8s.io/apiserver with nothing to answer. Their CPU time is divided by the scrapes that would have been made meanwhile: the more nodes, the less. The floor of scrapes does neither.",
		allSourcesNote,
		"The floors of lists are constant bytes, those that our server had answered, through the same chain of k8s.io/apiserver (filters, authentication, authorization, negotiation, compression). Requests come as from kube-apiserver: over HTTP/2, with the front proxy's certificate.",
		"The first complete list has every pod whose containers use CPU and that was there for a minute when the server started. The server is asked for some 300 pods fifty times a second until then, five times after the first five seconds, which is part of the CPU that it uses. The time begins before the process is started, includes the keys that a server makes for its serving certificate, as with manifests/base (metrics-server four of RSA with 2,048 bits, ours of ECDSA with P-256), and the first handshake with every kubelet.",
		m.startsNote(o),
		"Ages are those of pods in full lists; the floor is a simulation of the kubelets' refresh intervals for a server that publishes at once.",
		m.replacedNote(),
	}
}

// allSourcesNote says what is asked for.
const allSourcesNote = "All sources of custom metrics: with --custom-metrics --custom-metrics-always=*, each node is also asked for the whole /stats/summary and for /metrics/cadvisor, whose series, fields and lengths are those that a real kubelet gave for one pod."

// sourcesNotes are those of a report about the sources alone.
func (m *measured) sourcesNotes(o Options) []string {
	return []string{
		allSourcesNote,
		fmt.Sprintf("The server ran with the flags of manifests/base beside these, --metric-resolution=%v included, against kube-apiserver (etcd and kube-apiserver alone) and fake kubelets, all on this machine; the floor, a process that gets the three documents of the same kubelets at the same moments and discards them, ran after it.", o.Resolution),
		"CPU per node scrape is the process's CPU time over the steady window, divided by the scrapes of /metrics/resource that the kubelets counted; so are the bytes and what is allocated.",
		m.replacedNote(),
	}
}

// startsNote says how starts were kept comparable.
func (m *measured) startsNote(o Options) string {
	restless := ""
	if n := len(m.theirs[restlessStart]) + len(m.ours[restlessStart]); n > 0 {
		restless = fmt.Sprintf(" %d began without that rest, after %v.", n, restTimeout)
	}
	return fmt.Sprintf("Starts: the median of %d in a round, each of which began when kube-apiserver had collected its garbage and then used at most %v of a CPU for %v: it decodes the same objects for each start, and where it also looks at all that it holds meanwhile, as in every other start it did, that takes longer than the start.%s",
		o.Starts, atRest, restWindow, restless)
}

func (m *measured) replacedNote() string {
	return fmt.Sprintf("%d pods were replaced during the run. MB and kB are powers of ten.", m.replaced)
}

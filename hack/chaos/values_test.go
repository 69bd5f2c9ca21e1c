// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
)

// tryClocks is F5.
func tryClocks(x *trial) {
	const injected = "of 40 nodes, 13 clocks are an hour ahead, 13 an hour behind, 1 steps back by 30 s"
	w := x.world(40, 0)
	nodes := w.Nodes()
	skews := map[string]time.Duration{}
	for i, node := range nodes[:26] {
		skews[node.Name] = time.Hour
		if i%2 == 1 {
			skews[node.Name] = -time.Hour
		}
		node.SetSkew(skews[node.Name])
	}
	w.AddPods(x, nodes, 4)
	server := w.Serve(x)
	truth := truthOf(nodes...)
	truth.within, truth.skewed = 0.01, true
	x.wait(45 * time.Second)
	look := func(ctx context.Context) {
		if pods, err := server.Pods(ctx); !truth.missing.err(err) {
			truth.hold(pods, time.Minute)
		}
	}
	x.every(time.Second, 2*time.Minute, look)
	m, err := server.Metrics(x.Context())
	if err != nil {
		x.Fatal(err)
	}
	shown := &findings{}
	for name, skew := range skews {
		if got := m.Sum("metrics_apiserver_scrape_clock_offset_seconds", `node="`+name+`"`); off(got, -skew.Seconds()) > 3.0/3600 {
			shown.add("%s: %g s", name, got)
		}
	}
	stepped := nodes[30]
	stepped.SetSkew(-30 * time.Second)
	skews[stepped.Name] = -30 * time.Second
	x.every(time.Second, 2*time.Minute, look)
	if m, err = server.Metrics(x.Context()); err != nil {
		x.Fatal(err)
	}
	if got := m.Sum("metrics_apiserver_scrape_clock_offset_seconds", `node="`+stepped.Name+`"`); got < 27 || got > 33 {
		shown.add("%s: %g s", stepped.Name, got)
	}
	x.none("F5", injected, "answers more than 1 % off", &truth.values, truth.answers)
	x.none("F5", injected, "answers with a time in the future", &truth.future, truth.answers)
	x.none("F5", injected, "answers missing", &truth.missing, truth.answers)
	x.none("F5", injected, "answers older than a minute", &truth.aged, truth.answers)
	x.none("F5", injected, "clocks whose skew is not exposed", shown, len(skews))
}

// tryRestarts is F6.
func tryRestarts(x *trial) {
	injected := fmt.Sprintf("one of two containers of each of 60 pods restarts every 45 s for %v", x.lasting(10*time.Minute))
	w := x.world(20, 3)
	server := w.Serve(x)
	truth := truthOf(w.Nodes()...)
	x.wait(45 * time.Second)
	wrong, missing, low := &findings{}, &findings{}, &findings{}
	answers, seconds := 0, 0
	x.every(time.Second, 10*time.Minute, func(ctx context.Context) {
		if seconds++; seconds%45 == 0 {
			for _, node := range w.Nodes() {
				node.Change(func(pods map[string]kubelettest.Pod) {
					for key, pod := range pods {
						pod.Containers = slices.Clone(pod.Containers)
						pod.Containers[0].Started = time.Now().Truncate(time.Millisecond)
						pods[key] = pod
					}
				})
			}
		}
		pods, err := server.Pods(ctx)
		if missing.err(err) {
			return
		}
		for name, pod := range truth.pods {
			answers++
			usage, ok := pods[name]
			if !ok || len(usage.Containers) != len(pod.Containers) {
				missing.add("%s: %d containers", name, len(usage.Containers))
				continue
			}
			for i, c := range usage.Containers {
				cpu, real := float64(c.Usage.Cpu().ScaledValue(-9)), float64(pod.Containers[i].CPU)
				if cpu < 0 || cpu > 1.05*real {
					wrong.add("%s/%s: %v of %g n", name, c.Name, c.Usage.Cpu(), real)
				}
				if cpu < 0.95*real {
					low.add("%s/%s: %v of %g n", name, c.Name, c.Usage.Cpu(), real)
				}
			}
		}
	})
	x.none("F6", injected, "answers negative or above 1.05 × the truth", wrong, answers)
	x.none("F6", injected, "answers below 0.95 × the truth", low, answers)
	x.none("F6", injected, "answers that lack a pod or a container", missing, answers)
}

// tryForeignPods is F7.
func tryForeignPods(x *trial) {
	const injected = "a node reports the 200 pods of 50 others as if each used 64 cores"
	w := x.world(51, 4)
	liar := w.Nodes()[50]
	truth := truthOf(w.Nodes()[:50]...)
	truth.within = 0.01
	server := w.Serve(x)
	x.wait(45 * time.Second)
	liar.Change(func(pods map[string]kubelettest.Pod) {
		for _, pod := range truth.pods {
			pod.Containers = slices.Clone(pod.Containers)
			for i := range pod.Containers {
				pod.Containers[i].CPU, pod.Containers[i].Memory = 64_000_000_000, 1<<40
			}
			pods[pod.Namespace+"/"+pod.Name] = pod
		}
	})
	for truth.answers < 10_000 && x.Context().Err() == nil {
		if pods, err := server.Pods(x.Context()); !truth.missing.err(err) {
			truth.hold(pods, freshness)
		}
		x.wait(2 * time.Second)
	}
	x.none("F7", injected, "answers that are not the right node's", &truth.values, truth.answers)
	x.none("F7", injected, "answers missing", &truth.missing, truth.answers)
}

// nonsense is bodies that no kubelet should send.
func nonsense(now time.Time) map[string]string {
	stamp := now.UnixMilli()
	series := func(value string, at any) string {
		return fmt.Sprintf("container_cpu_usage_seconds_total{container=\"main\",namespace=\"chaos-f8\",pod=\"f8-0000-0\"} %[1]s %[2]v\n"+
			"container_memory_working_set_bytes{container=\"main\",namespace=\"chaos-f8\",pod=\"f8-0000-0\"} %[1]s %[2]v\n"+
			"node_cpu_usage_seconds_total %[1]s %[2]v\nnode_memory_working_set_bytes %[1]s %[2]v\n", value, at)
	}
	return map[string]string{
		"empty":               "",
		"a page":              "<html><body>502 Bad Gateway</body></html>\n",
		"no labels":           fmt.Sprintf("container_cpu_usage_seconds_total 1 %d\ncontainer_memory_working_set_bytes{} 1 %d\n", stamp, stamp),
		"NaN":                 series("NaN", stamp),
		"+Inf":                series("+Inf", stamp),
		"-Inf":                series("-Inf", stamp),
		"negative":            series("-5", stamp),
		"huge":                series("1e300", stamp),
		"more than 64 bits":   series("18446744073709551616000", stamp),
		"no number":           series("five", stamp),
		"far future":          series("5", now.Add(1000*time.Hour).UnixMilli()),
		"before time":         series("5", -stamp),
		"no time":             series("5", ""),
		"a time beyond 64 b":  series("5", "99999999999999999999999"),
		"truncated":           "container_cpu_usage_seconds_total{container=\"main\",name",
		"4 MiB of line feeds": strings.Repeat("\n", 4<<20),
		"a line of 1 MiB":     "container_cpu_usage_seconds_total{container=\"" + strings.Repeat("x", 1<<20) + "\"} 1\n",
		"twice":               series("5", stamp) + series("7", stamp),
		"bytes":               "\x00\xff\xfe{\x01=\"\x80\"} 1\n",
	}
}

// tryNonsense is F8.
func tryNonsense(x *trial) {
	kinds := slices.Sorted(maps.Keys(nonsense(time.Now())))
	injected := fmt.Sprintf("10 of 20 kubelets answer, in turn: %s", strings.Join(kinds, ", "))
	w := x.world(20, 2)
	server := w.Serve(x, "--metric-resolution=10s")
	x.wait(30 * time.Second)
	pid := server.Pid()
	healthy, odd := truthOf(w.Nodes()[10:]...), truthOf(w.Nodes()[:10]...)
	healthy.within = 0.01
	before, err := server.Metrics(x.Context())
	if err != nil {
		x.Fatal(err)
	}
	bad := &findings{}
	answers := 0
	for turn := range 2 * len(kinds) {
		bodies := nonsense(time.Now())
		for i, node := range w.Nodes()[:10] {
			node.SetFault(kubelettest.Fault{Path: "/metrics/resource", Body: []byte(bodies[kinds[(turn+i)%len(kinds)]])})
		}
		x.wait(5 * time.Second)
		pods, err := server.Pods(x.Context())
		if healthy.missing.err(err) {
			continue
		}
		healthy.hold(pods, freshness)
		// What is still served of the others is what was good.
		for name, pod := range odd.pods {
			if usage, ok := pods[name]; ok {
				answers++
				one := &truth{within: 0.01}
				if one.one(time.Now(), pod, &usage, time.Hour); one.values.count+one.future.count+one.missing.count > 0 {
					bad.add("%s: %s%s%s", name, one.values.first, one.future.first, one.missing.first)
				}
			}
		}
		nodes, err := server.UsageOfNodes(x.Context())
		if healthy.missing.err(err) {
			continue
		}
		for name, usage := range nodes {
			answers++
			if cpu, memory := usage.Usage.Cpu(), usage.Usage.Memory(); cpu.Sign() < 0 || memory.Sign() < 0 || cpu.MilliValue() > 32_000 || memory.Value() > 1<<40 || usage.Timestamp.After(time.Now()) {
				bad.add("%s: %v, %v, %v", name, cpu, memory, usage.Timestamp)
			}
		}
	}
	after, err := server.Metrics(x.Context())
	if err != nil {
		x.Fatal(err)
	}
	var counted []string
	for series, value := range after {
		if strings.HasPrefix(series, "metrics_apiserver_scrape_refused_") || strings.HasPrefix(series, "metrics_apiserver_scrape_failures_total") {
			if _, labels, _ := strings.Cut(series, "reason="); value > before[series] {
				counted = append(counted, fmt.Sprintf("%s %g", strings.Trim(labels, `"}`), value-before[series]))
			}
		}
	}
	slices.Sort(counted)
	const short = "10 of 20 kubelets answer nonsense of 19 kinds in turn (see TestChaos)"
	x.Log(injected)
	x.none("F8", short, "bad values served", bad, answers)
	x.none("F8", short, "answers of the others missing", &healthy.missing, healthy.answers)
	x.none("F8", short, "answers of the others more than 1 % off", &healthy.values, healthy.answers)
	x.figure("F8", short, "refusals by reason", strings.Join(counted, ", "), "at least 6 reasons", len(counted) >= 6)
	x.figure("F8", short, "the same process", server.Pid() == pid, true, server.Pid() == pid)
}

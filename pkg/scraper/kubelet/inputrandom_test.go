// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// TestRandomInputs compares with the references over answers that are mostly
// well formed and full of what is rare: names that come twice, runs side by
// side, metrics that lack some series, members in any order, missing and bad
// numbers.
func TestRandomInputs(t *testing.T) {
	seed := uint64(0)
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	for ; seed < 200; seed++ {
		rng := rand.New(rand.NewPCG(seed, 7))
		wanted := input.All()
		if seed%3 == 0 {
			wanted = input.Set(rng.Uint64())
		}
		holdInputs(t, input.Cadvisor, wanted, randomCadvisor(rng), randomCadvisor(rng))
		holdInputs(t, input.Summary, wanted, randomSummary(rng), randomSummary(rng))
	}
}

// pick is one of the choices, the first being the likeliest.
func pick(rng *rand.Rand, choices ...string) string {
	if rng.IntN(3) > 0 {
		return choices[0]
	}
	return choices[rng.IntN(len(choices))]
}

func randomCadvisor(rng *rand.Rand) string {
	var series []string
	for range 1 + rng.IntN(6) {
		series = append(series, `{container="`+pick(rng, "a", "", "b", "POD", `q\"`, strings.Repeat("x", 21))+
			`",device="`+pick(rng, "eth0", "lo", "cni0", "vda")+`",id="`+pick(rng, "/k/1", "/k/2", "/", "/k")+
			`",namespace="`+pick(rng, "ns", "", "n2")+`",pod="`+pick(rng, "p", "", "q", "r", "s", "t")+`"}`)
	}
	var out strings.Builder
	for _, name := range []string{
		"container_cpu_cfs_throttled_seconds_total", "container_memory_cache", "other", "container_network_receive_packets_total",
		"container_network_transmit_packets_total", "container_oom_events_total", "container_start_time_seconds", "container_threads",
	} {
		if rng.IntN(4) == 0 {
			continue
		}
		out.WriteString(pick(rng, "# HELP "+name+" text\n", "", "\n"))
		for _, s := range series {
			if rng.IntN(8) > 0 {
				fmt.Fprintf(&out, "%s%s%s%s%s\n", name, pick(rng, "", " "), s, pick(rng, " 5", " 0", " 1.5", " NaN", " -1", "\t7", " 9e18", ""), pick(rng, " 1700000000001", " 1700000000002", " 1700000000003", "", " x"))
			}
		}
	}
	return out.String() + pick(rng, "container_scrape_error 0\n", "container_scrape_error 1\n", "", "container_scrape_error 0")
}

func randomSummary(rng *rand.Rand) string {
	number := func() string {
		return pick(rng, fmt.Sprint(rng.IntN(9)), "0", "null", "-1", "9223372036854775807", "1e3")
	}
	members := func(all ...string) string {
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		return "{" + strings.Join(all[:max(rng.IntN(len(all)+1), rng.IntN(len(all)+1))], ",") + "}"
	}
	numbers := func(names ...string) string {
		var all []string
		for _, name := range names {
			all = append(all, fmt.Sprintf("%q:%s", name, number()))
		}
		psi := members(`"some":`+members(`"total":`+number()), `"full":`+members(`"total":`+number()))
		network := "[" + members(`"name":"`+pick(rng, "eth0", "lo", "cni0")+`"`, `"rxBytes":`+number()) + "," + members(`"rxBytes":`+number(), `"txErrors":`+number()) + "]"
		return members(append(all, `"psi":`+psi, `"pvcRef":`+pick(rng, "{}", "null"), `"interfaces":`+pick(rng, network, "[]", "null"),
			`"time":`+pick(rng, `"2026-11-21T00:43:08Z"`, `"2026-11-21T00:43:09Z"`, `"1970-01-01T00:00:00Z"`, `"x"`, "null"))...)
	}
	fs := func() string { return numbers("usedBytes", "capacityBytes", "inodes", "inodesUsed") }
	network := func() string { return numbers("rxBytes", "txBytes", "rxErrors", "txErrors") }
	pod := func() string {
		container := func() string {
			return members(`"name":"`+pick(rng, "a", "b", "")+`"`, `"memory":`+numbers("rssBytes"), `"rootfs":`+fs(), `"logs":`+fs())
		}
		return members(`"podRef":`+members(`"name":"`+pick(rng, "p", "q", "")+`"`, `"namespace":"ns"`, `"uid":"`+pick(rng, "u", "v")+`"`), `"podRef":{"namespace":"ns","name":"`+pick(rng, "p", "q", "r")+`"}`,
			`"startTime":"s"`, `"cpu":`+numbers("x"), `"memory":`+numbers("rssBytes"), `"io":`+numbers("x"), `"network":`+network(), `"ephemeral-storage":`+fs(),
			`"volume":[`+fs()+","+fs()+"]", `"process_stats":`+numbers("process_count"), `"containers":[`+container()+","+container()+"]")
	}
	node := `"node":` + members(`"cpu":`+numbers("x"), `"memory":`+numbers("rssBytes"), `"network":`+network(), `"fs":`+fs(), `"rlimit":`+numbers("curproc"), `"io":`+numbers("x"))
	all := []string{node, `"pods":[` + pod() + "," + pod() + "," + pod() + "]", pick(rng, `"x":1`, `"node":{}`, `"pods":null`)}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return "{" + strings.Join(all, ",") + "}"
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestPod holds what a pod's answer is made of, what replaces it and how long it
// stays.
func TestPod(t *testing.T) {
	f := func(name string, steps ...step) {
		t.Helper()
		t.Run(name, func(t *testing.T) { t.Helper(); play(t, steps...) })
	}

	f("time and window are those of the container with the oldest sample",
		scrape(15, read("web/app", 14, 100), read("web/proxy", 9, 50)),
		scrape(30, read("web/app", 29, 103), read("web/proxy", 21, 52.4)),
		answers(30, "web", "21/12 app=200m proxy=200m"))
	f("containers are sorted by name",
		scrape(15, read("web/z", 12, 1), read("web/a", 12, 1), read("web/m", 12, 1)),
		scrape(30, read("web/m", 28, 1), read("web/z", 28, 1), read("web/a", 28, 1)),
		answers(30, "web", "28/16 a=0m m=0m z=0m"))
	f("zero is data",
		scrape(15, read("web/app", 12, 0).memory(0).swap(0)),
		scrape(30, read("web/app", 28, 0).memory(0).swap(0)),
		answers(30, "web", "28/16 app=0m,memory=0,swap=0"))
	f("swap that is not reported is absent, for each container",
		scrape(15, read("web/app", 12, 0), read("web/proxy", 12, 0).swap(9)),
		scrape(30, read("web/app", 28, 0), read("web/proxy", 28, 0).swap(9)),
		answers(30, "web", "28/16 app=0m proxy=0m,swap=9"))
	f("swap that is no longer reported is absent again",
		scrape(15, read("web/app", 12, 0).swap(9)),
		scrape(30, read("web/app", 28, 0).swap(9)),
		scrape(45, read("web/app", 43, 0)),
		answers(45, "web", "43/15 app=0m"))
	f("pods of one node do not affect one another",
		scrape(15, read("web/app", 12, 100), read("job/app", 12, 50)),
		scrape(30, read("web/app", 28, 108), read("job/app", 12, 50)),
		answers(30, "web", "28/16 app=500m"),
		answers(30, "job", "no rate"))

	// Complete: every container that is listed has a rate and memory.
	f("a listed container without a rate is waited for",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 28, 108), read("web/proxy", 28, 50)),
		answers(30, "web", "no rate"),
		scrape(45, read("web/app", 43, 114), read("web/proxy", 43, 53)),
		answers(45, "web", "43/15 app=400m proxy=200m"))
	f("meanwhile the last complete answer stays, with its timestamp, to the bound",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 28, 108)),
		scrape(45, read("web/app", 43, 111), read("web/proxy", 43, 50)),
		answers(45, "web", "28/16 app=500m"),
		scrape(60, read("web/app", 58, 114), read("web/proxy", 43, 50)),
		scrape(75, read("web/app", 73, 117), read("web/proxy", 43, 50)),
		answers(88, "web", "28/16 app=500m"),
		answers(88.001, "web", "stale"),
		scrape(90, read("web/app", 88, 120), read("web/proxy", 43, 50)),
		answers(90, "web", "no rate"))
	f("a listed container without memory is waited for",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 28, 108).without(storage.HasMemory)),
		answers(30, "web", "no rate"),
		scrape(45, read("web/app", 28, 108)),
		answers(45, "web", "28/16 app=500m"),
		scrape(60, read("web/app", 58, 111).without(storage.HasMemory)),
		answers(60, "web", "28/16 app=500m"))
	f("a container of which only its being there is listed is waited for",
		scrape(15, read("web/app", 12, 100), read("web/proxy", 12, 50)),
		scrape(30, read("web/app", 28, 108), read("web/proxy", 28, 58)),
		scrape(45, read("web/app", 43, 111), read("web/proxy", 0, 0).without(storage.HasCPU|storage.HasMemory)),
		answers(45, "web", "28/16 app=500m proxy=500m"))
	f("memory above what can be served is refused, and waited for",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 28, 108)),
		scrape(45, read("web/app", 43, 111).memory(1<<63).swap(1<<63)),
		refused(map[storage.Refusal]int{storage.RefusedOverflow: 2}),
		answers(45, "web", "28/16 app=500m"),
		scrape(60, read("web/app", 58, 114).memory(1<<63-1)),
		answers(60, "web", "58/15 app=200m,memory=9223372036854775807"))

	// Complete: every container that the cluster says is running has a rate.
	f("a running container that is not listed is waited for",
		cluster("web", "app", "proxy"),
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 28, 108)),
		answers(30, "web", "no rate"))
	f("a running container that is not listed any more is waited for",
		cluster("web", "app", "proxy"),
		scrape(15, read("web/app", 12, 100), read("web/proxy", 12, 50)),
		scrape(30, read("web/app", 28, 108), read("web/proxy", 28, 58)),
		scrape(45, read("web/app", 43, 111)),
		answers(45, "web", "28/16 app=500m proxy=500m"),
		scrape(60, read("web/app", 58, 114), read("web/proxy", 58, 64)),
		answers(60, "web", "58/15 app=200m proxy=200m"))
	f("a waiting or terminated container that is not listed is not in the answer",
		cluster("web", "app", "-init"),
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 28, 108)),
		answers(30, "web", "28/16 app=500m"))
	f("a sidecar is a container as the others",
		cluster("web", "-init", "proxy", "app"),
		scrape(15, read("web/app", 12, 100), read("web/proxy", 12, 50)),
		scrape(30, read("web/app", 28, 108), read("web/proxy", 12, 50)),
		answers(30, "web", "no rate"),
		scrape(45, read("web/app", 28, 108), read("web/proxy", 44, 51.6)),
		answers(45, "web", "28/16 app=500m proxy=50m"))
	f("a listed container that the cluster does not name is waited for",
		cluster("web", "app"),
		scrape(15, read("web/app", 12, 100), read("web/debugger", 12, 1)),
		scrape(30, read("web/app", 28, 108), read("web/debugger", 12, 1)),
		answers(30, "web", "no rate"))
	f("a container that ended is left out of the next answer",
		cluster("web", "app", "job"),
		scrape(15, read("web/app", 12, 100), read("web/job", 12, 50)),
		scrape(30, read("web/app", 28, 108), read("web/job", 28, 58)),
		answers(30, "web", "28/16 app=500m job=500m"),
		cluster("web", "app", "-job"),
		scrape(45, read("web/app", 43, 111)),
		answers(45, "web", "43/15 app=200m"))

	// A crash-looping neighbour neither hides nor blinks the pod.
	f("a listed container that waits is not waited for",
		cluster("web", "app", "-bad"),
		scrape(15, read("web/app", 12, 100), read("web/bad", 14, 1).started(13)),
		scrape(30, read("web/app", 28, 108)),
		answers(30, "web", "28/16 app=500m"),
		scrape(45, read("web/app", 43, 111), read("web/bad", 44, 1).started(41)),
		answers(45, "web", "43/15 app=200m"), unrated(2, 1),
		scrape(60, read("web/app", 58, 114)),
		answers(60, "web", "58/15 app=200m"))
	f("while it runs it is waited for, and the last answer stays",
		cluster("web", "app", "-bad"),
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 28, 108)),
		answers(30, "web", "28/16 app=500m"),
		cluster("web", "app", "bad"),
		scrape(45, read("web/app", 43, 111), read("web/bad", 44, 1).started(40)),
		answers(45, "web", "28/16 app=500m"),
		cluster("web", "app", "-bad"),
		scrape(60, read("web/app", 58, 114)),
		answers(60, "web", "58/15 app=200m"))
	f("where it has a rate it is in the answer, and makes it no older",
		cluster("web", "app", "-bad"),
		scrape(15, read("web/app", 12, 100), read("web/bad", 8, 1)),
		scrape(30, read("web/app", 28, 108), read("web/bad", 20, 4.6)),
		answers(30, "web", "28/16 app=500m bad=300m"))
	f("where its sample is stale it is not",
		cluster("web", "app", "-bad"),
		scrape(15, read("web/app", 12, 100), read("web/bad", 8, 1)),
		scrape(30, read("web/app", 28, 108), read("web/bad", 20, 4.6)),
		scrape(80, read("web/app", 78, 118), read("web/bad", 20, 4.6)),
		answers(80, "web", "78/50 app=200m bad=300m"),
		scrape(81, read("web/app", 80, 118.4), read("web/bad", 20, 4.6)),
		answers(81, "web", "80/2 app=200m"))
	f("an answer that is stale already replaces none that is not",
		cluster("web", "app", "-bad"),
		scrape(15, read("web/app", 12, 100), read("web/bad", 8, 1)),
		scrape(30, read("web/app", 28, 108), read("web/bad", 20, 4.6)),
		scrape(80, read("web/app", 78, 118), read("web/bad", 20, 4.6)),
		scrape(85, read("web/app", 83, 119), read("web/bad", 20, 4.6)),
		answers(85, "web", "83/5 app=200m"),
		cluster("web", "app", "bad"),
		scrape(90, read("web/app", 88, 120), read("web/bad", 20, 4.6)),
		answers(90, "web", "83/5 app=200m"))
	f("a pod whose every container waits is served while what is listed is fresh",
		cluster("web", "-bad"),
		scrape(15, read("web/bad", 8, 1)),
		scrape(30, read("web/bad", 20, 4.6)),
		answers(30, "web", "20/12 bad=300m"),
		answers(80.001, "web", "stale"))

	// Not listed any more.
	f("a pod that is not listed any more keeps its answer to the bound",
		scrape(15, read("web/app", 12, 100), read("job/app", 12, 1)),
		scrape(30, read("web/app", 28, 108), read("job/app", 28, 1)),
		scrape(45, read("job/app", 43, 1)),
		answers(45, "web", "28/16 app=500m"),
		scrape(60), scrape(75),
		answers(75, "web", "28/16 app=500m"), answers(75, "job", "43/15 app=0m"),
		scrape(88),
		answers(88, "web", "28/16 app=500m"),
		answers(88.001, "web", "stale"),
		scrape(89),
		answers(89, "web", "not reported"), answers(89, "job", "43/15 app=0m"))
	f("its answer stays where its rows are older than the bound, or gone",
		cluster("web", "app", "-bad"),
		scrape(15, read("web/app", 12, 100), read("web/bad", 1, 1).estimated(100)),
		scrape(30, read("web/app", 28, 108), read("web/bad", 1, 1)),
		cluster("web", "app", "bad"),
		clock(10), // rows are older than the answers made of them
		scrape(31, read("web/app", 2, 108), read("web/bad", 2, 1)),
		clock(0),
		scrape(74), scrape(87), scrape(88),
		answers(88, "web", "28/16 app=500m bad=100m"),
		scrape(89), answers(89, "web", "not reported"))
	f("a pod that comes back goes on where it was",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 28, 108)),
		scrape(45), scrape(60),
		scrape(75, read("web/app", 73, 117)),
		answers(75, "web", "73/45 app=200m"))
	f("a pod that comes back after the bound begins anew",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 28, 108)),
		scrape(89),
		scrape(104, read("web/app", 103, 117)),
		answers(104, "web", "no rate"),
		scrape(119, read("web/app", 118, 120)),
		answers(119, "web", "118/15 app=200m"))
	f("a pod that no scrape of the node listed is not reported",
		answers(15, "web", "not scraped"),
		scrape(15),
		answers(15, "web", "not reported"),
		scrape(30, read("job/app", 28, 1)),
		answers(30, "web", "not reported"))
}

// TestNode holds the node's own usage, which follows the rules of a container's.
func TestNode(t *testing.T) {
	f := func(name string, steps ...step) {
		t.Helper()
		t.Run(name, func(t *testing.T) { t.Helper(); play(t, steps...) })
	}
	own := func(when, cpuSeconds float64) storage.Sample { return read("", when, cpuSeconds).sample }

	f("two distinct samples",
		answersNode(15, "not scraped"),
		nodeUsage(own(12, 1000), 0), scrape(15), answersNode(15, "no rate"), unrated(0, 1),
		nodeUsage(own(28, 1008), 0), scrape(30), answersNode(30, "28/16 500m"), unrated(0, 0),
		scrape(45), answersNode(45, "28/16 500m"),
		answersNode(88, "28/16 500m"), answersNode(88.001, "stale"))
	f("the kubelet's estimate bridges",
		nodeUsage(own(12, 1000), 1_500_000_000), scrape(15), answersNode(15, "12/20 1500m"),
		nodeUsage(own(28, 1008), 1_500_000_000), scrape(30), answersNode(30, "28/16 500m"))
	f("a reboot has no rate until its next sample, and the last answer stays",
		nodeUsage(own(12, 1000), 0), scrape(15),
		nodeUsage(own(28, 1008), 0), scrape(30),
		nodeUsage(own(43, 3), 0), scrape(45), answersNode(45, "28/16 500m"), unrated(0, 1),
		nodeUsage(own(58, 6), 0), scrape(60), answersNode(60, "58/15 200m"))
	f("an answer without the node's usage changes nothing",
		nodeUsage(own(12, 1000), 0), scrape(15),
		nodeUsage(own(28, 1008), 0), scrape(30),
		nodeUsage(storage.Sample{}, 0), scrape(45), unrated(0, 0), answersNode(45, "28/16 500m"),
		nodeUsage(own(58, 1014), 0), scrape(60), answersNode(60, "58/30 200m"))
	swapping := func(s storage.Sample, swap uint64) storage.Sample {
		s.Swap = swap
		s.Has |= storage.HasSwap
		return s
	}
	f("zero is data, swap that is not reported is absent",
		nodeUsage(swapping(own(12, 0), 0), 0), scrape(15),
		nodeUsage(swapping(own(28, 0), 0), 0), scrape(30), answersNode(30, "28/16 0m,swap=0"),
		nodeUsage(own(43, 0), 0), scrape(45), answersNode(45, "43/15 0m"))
	f("without memory there is no answer",
		nodeUsage(read("", 12, 0).without(storage.HasMemory).sample, 0), scrape(15),
		nodeUsage(read("", 28, 0).without(storage.HasMemory).sample, 0), scrape(30),
		answersNode(30, "no rate"))
	f("no container affects it",
		nodeUsage(own(12, 1000), 0), scrape(15, read("web/app", 12, 100)),
		nodeUsage(own(28, 1008), 0), scrape(30, read("web/app", 12, 100), read("web/new", 29, 1)),
		answersNode(30, "28/16 500m"), answers(30, "web", "no rate"))
}

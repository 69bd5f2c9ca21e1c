// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"math"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestClock holds what becomes of nodes whose clock is not ours, or steps.
func TestClock(t *testing.T) {
	f := func(name string, steps ...step) {
		t.Helper()
		t.Run(name, func(t *testing.T) { t.Helper(); play(t, steps...) })
	}
	const hour = 3600

	f("a node an hour behind is served by our clock",
		clock(hour),
		scrape(15, read("web/app", 12-hour, 100)),
		scrape(30, read("web/app", 28-hour, 108)),
		answers(30, "web", "28/16 app=500m"),
		answers(88, "web", "28/16 app=500m"),
		answers(88.001, "web", "stale"))
	f("a node an hour ahead is served by our clock",
		clock(-hour),
		scrape(15, read("web/app", 12+hour, 100)),
		scrape(30, read("web/app", 28+hour, 108)),
		answers(30, "web", "28/16 app=500m"))
	f("the offset is that of the newest answer, as long as the node is held",
		offset(scriptNode, 0),
		clock(-hour),
		scrape(15, read("web/app", 12+hour, 100)),
		offset(scriptNode, -hour),
		clock(-hour+3),
		scrape(30, read("web/app", 28+hour-3, 108)),
		offset(scriptNode, -hour+3),
		offset("other", 0),
		func(s *script) { s.store.Forget(scriptNode) },
		offset(scriptNode, 0))
	f("starts are shifted with the samples",
		clock(-hour),
		scrape(30, read("web/app", 28+hour, 4).started(8+hour)),
		answers(30, "web", "28/20 app=200m"))
	f("a sample up to 2 s ahead is served as of now",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 32, 110)),
		refused(nil),
		answers(30, "web", "30/20 app=500m"))
	f("a sample more than 2 s ahead is refused",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 28, 108)),
		scrape(45, read("web/app", 47.001, 108).memory(7)),
		refused(map[storage.Refusal]int{storage.RefusedFuture: 1}),
		answers(45, "web", "28/16 app=500m"))
	f("a sample refused as from the future is taken when its time has come",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 32.5, 110.25)),
		refused(map[storage.Refusal]int{storage.RefusedFuture: 1}),
		answers(30, "web", "no rate"),
		scrape(35, read("web/app", 32.5, 110.25)),
		answers(35, "web", "32.5/20.5 app=500m"))
	f("both after the node's offset",
		clock(-hour),
		scrape(30, read("web/app", 32+hour, 4).started(12+hour)),
		answers(30, "web", "30/20 app=200m"),
		scrape(45, read("web/app", 47.001+hour, 4).started(12+hour)),
		refused(map[storage.Refusal]int{storage.RefusedFuture: 1}))
	f("a sample served as of now and read twice is one sample, and keeps its time",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 31, 109.5)),
		answers(30, "web", "30/19 app=500m"),
		scrape(31.5, read("web/app", 31, 109.5)),
		answers(31.5, "web", "30/19 app=500m"),
		scrape(45, read("web/app", 46, 112.5)),
		answers(45, "web", "45/15 app=200m"))
	f("a sample before its container's start is refused",
		scrape(15, read("web/app", 12, 100).started(12.001)),
		refused(map[storage.Refusal]int{storage.RefusedBeforeStart: 1}),
		answers(15, "web", "no rate"), unrated(1, 1))
	f("and leaves what was held",
		scrape(15, read("web/app", 12, 100).started(-500)),
		scrape(30, read("web/app", 28, 108).started(-500)),
		scrape(45, read("web/app", 43, 108).started(44)),
		refused(map[storage.Refusal]int{storage.RefusedBeforeStart: 1}),
		answers(45, "web", "28/16 app=500m"),
		scrape(60, read("web/app", 58, 114).started(-500)),
		answers(60, "web", "58/30 app=200m"))
	f("a sample at its container's start is taken",
		scrape(15, read("web/app", 12, 0).started(12)),
		refused(nil),
		scrape(30, read("web/app", 28, 8).started(12)),
		answers(30, "web", "28/16 app=500m"))

	f("no rate is taken across a step of the node's clock, and the last answer stays",
		scrape(15, read("web/app", 12, 100).started(-500)),
		scrape(30, read("web/app", 28, 108).started(-500)),
		clock(30), // the node's clock went 30 s back
		scrape(45, read("web/app", 13, 111).started(-500)),
		refused(nil),
		answers(45, "web", "28/16 app=500m"))
	f("nor to a sample that the first answer after the step brought: it may be older than the step",
		scrape(15, read("web/app", 12, 100).started(-500)),
		scrape(30, read("web/app", 14, 101).started(-500)),
		clock(30), // at 44; what is read now was sampled at 15 of the old clock, 30 s ago
		scrape(45, read("web/app", 15.5, 101.75).started(-500)),
		scrape(60, read("web/app", 29, 123).started(-500)), // at 59: 21.25 s of CPU in 43.5 s, not in 13.5
		answers(60, "web", "14/2 app=500m"),
		scrape(75, read("web/app", 44, 130.5).started(-500)),
		answers(75, "web", "74/15 app=500m"))
	f("nor to one that was refused as from the future while it was from before the step",
		scrape(15, read("web/app", 12, 100).started(-500)),
		scrape(30, read("web/app", 14, 101).started(-500)),
		clock(10), // at 43, a second after the sample
		scrape(45, read("web/app", 42, 115).started(-500)),
		refused(map[storage.Refusal]int{storage.RefusedFuture: 1}),
		scrape(58, read("web/app", 42, 115).started(-500)),
		refused(nil), // though it is from 16 s ago
		scrape(66, read("web/app", 54, 126).started(-500)), // at 64: 11 s of CPU in 22 s, not in 12
		answers(66, "web", "14/2 app=500m"),
		scrape(80, read("web/app", 69, 133.5).started(-500)),
		answers(80, "web", "79/15 app=500m"))
	f("the sample held from before the step, read again, is still the one held",
		scrape(15, read("web/app", 12, 100).started(-500)),
		scrape(30, read("web/app", 28, 108).started(-500)),
		clock(-30), // the node's clock went 30 s ahead
		scrape(35, read("web/app", 28, 108).started(-500)),
		answers(35, "web", "28/16 app=500m"),
		scrape(50, read("web/app", 78, 110).started(-500)),
		answers(50, "web", "28/16 app=500m"),
		scrape(65, read("web/app", 93, 113).started(-500)),
		answers(65, "web", "63/15 app=200m"))
	f("a step ahead of an hour, values as before within two samples",
		scrape(15, read("web/app", 12, 100).started(-500)),
		scrape(30, read("web/app", 28, 108).started(-500)),
		clock(-hour),
		scrape(45, read("web/app", 43+hour, 115.5).started(-500)),
		scrape(60, read("web/app", 58+hour, 123).started(-500)),
		scrape(75, read("web/app", 73+hour, 130.5).started(-500)),
		answers(75, "web", "73/15 app=500m"))
	f("a container that restarts after its node's clock went back is a new run",
		scrape(15, read("web/app", 12, 1).started(8)),
		scrape(30, read("web/app", 28, 8).started(8)),
		clock(hour),
		scrape(45, read("web/app", 42-hour, 1).started(39-hour)),
		refused(nil),
		answers(45, "web", "28/16 app=437500000n"),
		scrape(60, read("web/app", 58-hour, 4).started(39-hour)),
		scrape(75, read("web/app", 73-hour, 7).started(39-hour)),
		answers(75, "web", "73/15 app=200m"))
	f("no rate is taken from a start that may be from before the step",
		scrape(15, read("web/other", 14, 1)),
		clock(20), // at 16 the node's clock went 20 s back; app began at 14, so at 14 of the old clock
		scrape(30, read("web/app", 9, 1).started(14)),
		refused(map[storage.Refusal]int{storage.RefusedBeforeStart: 1}),
		scrape(45, read("web/app", 24, 30).started(14)), // 30 s of CPU since 14: one core, not three
		answers(45, "web", "no rate"))
	f("but from one long after it",
		scrape(15, read("web/other", 14, 1)),
		clock(20),
		scrape(30, read("web/other", 9, 2)),
		scrape(200, read("web/app", 179, 4).started(159)),
		answers(200, "web", "199/20 app=200m"))
	f("the node's own usage, too",
		nodeUsage(storage.Sample{Time: at(14), CPU: 100e9, Memory: 7, Has: storage.HasCPU | storage.HasMemory}, 0),
		scrape(15),
		nodeUsage(storage.Sample{Time: at(29), CPU: 115e9, Memory: 7, Has: storage.HasCPU | storage.HasMemory}, 0),
		scrape(30), answersNode(30, "29/15 1000m,memory=7"),
		clock(30),
		nodeUsage(storage.Sample{Time: at(14.5), CPU: 130e9, Memory: 7, Has: storage.HasCPU | storage.HasMemory}, 0),
		scrape(45), refused(nil), answersNode(45, "29/15 1000m,memory=7"),
		nodeUsage(storage.Sample{Time: at(29), CPU: 145e9, Memory: 7, Has: storage.HasCPU | storage.HasMemory}, 0),
		scrape(60), answersNode(60, "29/15 1000m,memory=7"),
		nodeUsage(storage.Sample{Time: at(44), CPU: 160e9, Memory: 7, Has: storage.HasCPU | storage.HasMemory}, 0),
		scrape(75), answersNode(75, "74/15 1000m,memory=7"))
}

// TestTimesOutOfThisWorld holds that no timestamp, however wrong, keeps the
// samples after it from being served.
func TestTimesOutOfThisWorld(t *testing.T) {
	for _, when := range []storage.Millis{math.MinInt64, math.MinInt64 + 1, -1, 1, math.MaxInt64 - 1, math.MaxInt64} {
		for _, start := range []storage.Millis{math.MinInt64, -1, 0, 1, math.MaxInt64} {
			for _, offset := range []float64{0, -3600, 3600} {
				bad := read("web/app", 0, 50)
				bad.sample.Time, bad.sample.Start = when, start
				play(t,
					clock(offset),
					scrape(15, bad),
					answers(15, "web", "no rate"),
					scrape(30, read("web/app", 28-offset, 108).started(-500-offset)),
					scrape(45, read("web/app", 43-offset, 111).started(-500-offset)),
					answers(45, "web", "43/15 app=200m"),
					scrape(50, bad),
					scrape(60, read("web/app", 58-offset, 114).started(-500-offset)),
					answers(60, "web", "58/15 app=200m"))
			}
		}
	}
}

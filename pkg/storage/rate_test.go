// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage_test

import (
	"math"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestRate holds the rates of one container against the rules: two distinct
// samples of one run, over the time between those samples.
func TestRate(t *testing.T) {
	f := func(name string, steps ...step) {
		t.Helper()
		t.Run(name, func(t *testing.T) { t.Helper(); play(t, steps...) })
	}

	f("one sample has no rate",
		scrape(15, read("web/app", 14, 100)),
		answers(15, "web", "no rate"), unrated(1, 1))
	f("two distinct samples, over the time between them and not between scrapes",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 28, 108)),
		answers(30, "web", "28/16 app=500m"), unrated(1, 0))
	f("a sample that is read twice is one sample",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 12, 100)),
		answers(30, "web", "no rate"), unrated(1, 1),
		scrape(45, read("web/app", 42, 115)),
		answers(45, "web", "42/30 app=500m"),
		scrape(60, read("web/app", 42, 115)),
		answers(60, "web", "42/30 app=500m"))
	f("the memory of a sample that is read twice is the newest",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 28, 108)),
		scrape(45, read("web/app", 28, 108).memory(7)),
		answers(45, "web", "28/16 app=500m,memory=7"))
	f("the previous sample is the previous distinct one",
		scrape(15, read("web/app", 12, 100)),
		scrape(20, read("web/app", 12, 100)),
		scrape(25, read("web/app", 22, 105)),
		scrape(30, read("web/app", 22, 105)),
		scrape(35, read("web/app", 32, 106)),
		answers(35, "web", "32/10 app=100m"))
	f("samples less than a second apart are taken as one",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 12.999, 100.5).memory(7)),
		answers(30, "web", "no rate"),
		scrape(45, read("web/app", 13, 100.5)),
		answers(45, "web", "13/1 app=500m"),
		scrape(60, read("web/app", 13.5, 109).memory(7)),
		answers(60, "web", "13/1 app=500m,memory=7"))
	f("a rate of zero is a rate",
		scrape(15, read("web/app", 12, 0)),
		scrape(30, read("web/app", 28, 0)),
		answers(30, "web", "28/16 app=0m"), unrated(1, 0))
	f("a previous sample at the staleness bound is used",
		scrape(15, read("web/app", 12, 100)),
		scrape(75, read("web/app", 72, 130)),
		answers(75, "web", "72/60 app=500m"))
	f("a previous sample beyond the staleness bound is not used",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 28, 108)),
		scrape(600, read("web/app", 598, 700)),
		answers(600, "web", "no rate"),
		scrape(615, read("web/app", 613, 703)),
		answers(615, "web", "613/15 app=200m"))
	f("a counter that went back has no rate until its next sample",
		scrape(15, read("web/app", 12, 100).started(-500)),
		scrape(30, read("web/app", 28, 108).started(-500)),
		scrape(45, read("web/app", 43, 1).started(-500)),
		answers(45, "web", "28/16 app=500m"), unrated(1, 1),
		scrape(60, read("web/app", 58, 4).started(-500)),
		answers(60, "web", "58/15 app=200m"))
	f("a counter that went back while unknown to have restarted has no rate either",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 28, 1)),
		answers(30, "web", "no rate"))
	f("the other containers of the pod are not affected by one that went back",
		scrape(15, read("web/app", 12, 100), read("web/proxy", 13, 50)),
		scrape(30, read("web/app", 28, 1), read("web/proxy", 28, 53)),
		scrape(45, read("web/app", 43, 4), read("web/proxy", 43, 56)),
		answers(45, "web", "43/15 app=200m proxy=200m"))
	f("a sample older than the held one is refused",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 28, 108)),
		scrape(45, read("web/app", 20, 104).memory(7)),
		refused(map[storage.Refusal]int{storage.RefusedOutOfOrder: 1}),
		answers(45, "web", "28/16 app=500m"),
		scrape(60, read("web/app", 58, 114)),
		answers(60, "web", "58/30 app=200m"))
	f("a missed scrape changes nothing but the age",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 28, 108)),
		answers(88, "web", "28/16 app=500m"),
		answers(88.001, "web", "stale"))
	f("after a missed scrape the rate is over the longer window",
		scrape(15, read("web/app", 12, 100)),
		scrape(60, read("web/app", 57, 109)),
		answers(60, "web", "57/45 app=200m"))
	f("a rate beyond what can be served is refused, and the next one is taken",
		scrape(15, read("web/app", 12, 0)),
		scrape(30, overflowing(read("web/app", 28, 0))),
		refused(map[storage.Refusal]int{storage.RefusedOverflow: 1}),
		answers(30, "web", "no rate"),
		scrape(45, read("web/app", 43, 1)),
		answers(45, "web", "no rate"),
		scrape(60, read("web/app", 58, 4)),
		answers(60, "web", "58/15 app=200m"))
	f("a sample without CPU neither makes nor ends a rate",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 28, 108)),
		scrape(45, read("web/app", 43, 0).without(storage.HasCPU).memory(7)),
		answers(45, "web", "28/16 app=500m,memory=7"),
		scrape(60, read("web/app", 58, 114)),
		answers(60, "web", "58/30 app=200m"))
}

// overflowing is the line with a CPU counter that no rate can be taken to.
func overflowing(l line) line {
	l.sample.CPU = math.MaxUint64
	return l
}

// TestRun holds what begins a new run, and when its first rate is taken from
// its start.
func TestRun(t *testing.T) {
	f := func(name string, steps ...step) {
		t.Helper()
		t.Run(name, func(t *testing.T) { t.Helper(); play(t, steps...) })
	}

	f("a container never seen: its first rate is taken from its start",
		scrape(30, read("web/app", 28, 4).started(8)),
		answers(30, "web", "28/20 app=200m"), unrated(1, 0))
	f("at 10 s of age",
		scrape(30, read("web/app", 28, 4).started(18)),
		answers(30, "web", "28/10 app=400m"))
	f("not below 10 s of age",
		scrape(30, read("web/app", 28, 4).started(18.001)),
		answers(30, "web", "no rate"))
	f("at 2 resolutions of age",
		scrape(30, read("web/app", 28, 6).started(-2)),
		answers(30, "web", "28/30 app=200m"))
	f("not beyond 2 resolutions of age, so that our restart serves no lifetime's average",
		scrape(30, read("web/app", 28, 6).started(-2.001)),
		answers(30, "web", "no rate"))
	f("with no start known there is no rate from it",
		scrape(30, read("web/app", 28, 6)),
		answers(30, "web", "no rate"))
	f("a start that a first sample was too young for is not used later: there are two samples",
		scrape(15, read("web/app", 14, 1).started(10)),
		answers(15, "web", "no rate"),
		scrape(30, read("web/app", 29, 7).started(10)),
		answers(30, "web", "29/15 app=400m"))

	f("a new run's first rate is taken from its start",
		scrape(15, read("web/app", 12, 100).started(-500)),
		scrape(30, read("web/app", 28, 108).started(-500)),
		scrape(60, read("web/app", 58, 5).started(33)),
		answers(60, "web", "58/25 app=200m"))
	f("also where the counter did not go back",
		scrape(15, read("web/app", 12, 1).started(-3)),
		scrape(45, read("web/app", 43, 5).started(23)),
		answers(45, "web", "43/20 app=250m"))
	f("a new run too young has no rate, and the last answer stays",
		scrape(15, read("web/app", 12, 100).started(-500)),
		scrape(30, read("web/app", 28, 108).started(-500)),
		scrape(45, read("web/app", 42, 5).started(33)),
		answers(45, "web", "28/16 app=500m"), unrated(1, 1),
		scrape(60, read("web/app", 57, 8).started(33)),
		answers(60, "web", "57/15 app=200m"))
	f("a new run that began before the sample held has no rate from its start",
		scrape(15, read("web/app", 12, 100).started(-500)),
		scrape(30, read("web/app", 28, 2).started(11)),
		answers(30, "web", "no rate"),
		scrape(45, read("web/app", 43, 5).started(11)),
		answers(45, "web", "43/15 app=200m"))
	f("a new run that began with the sample held has none either",
		scrape(15, read("web/app", 12, 100).started(-500)),
		scrape(30, read("web/app", 28, 2).started(12)),
		answers(30, "web", "no rate"))
	f("no rate is taken across two runs, however alike their counters",
		scrape(15, read("web/app", 12, 1).started(8)),
		scrape(30, read("web/app", 28, 2).started(25)),
		answers(30, "web", "no rate"))
	f("a sample of an earlier run is refused",
		scrape(15, read("web/app", 12, 1).started(8)),
		scrape(30, read("web/app", 28, 4).started(8)),
		scrape(45, read("web/app", 43, 900).started(-500)),
		refused(map[storage.Refusal]int{storage.RefusedOutOfOrder: 1}),
		answers(45, "web", "28/16 app=187500000n"))
	f("a sample of a newer run that is older than the one held is refused",
		scrape(15, read("web/app", 12, 1).started(-500)),
		scrape(30, read("web/app", 28, 4.2).started(-500)),
		scrape(45, read("web/app", 20, 900).started(5)),
		refused(map[storage.Refusal]int{storage.RefusedOutOfOrder: 1}),
		answers(45, "web", "28/16 app=200m"))
	f("a start that is missing once is the start that was",
		scrape(15, read("web/app", 12, 100).started(-500)),
		scrape(30, read("web/app", 28, 108)),
		answers(30, "web", "28/16 app=500m"),
		scrape(45, read("web/app", 43, 111).started(-500)),
		answers(45, "web", "43/15 app=200m"))
	f("a start that becomes known is no new run where samples are older than it is not",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 28, 108).started(-500)),
		answers(30, "web", "28/16 app=500m"))
	f("a start that becomes known and is newer than the sample held is a new run",
		scrape(15, read("web/app", 12, 1)),
		scrape(45, read("web/app", 43, 4).started(23)),
		answers(45, "web", "43/20 app=200m"))
	f("a run that began while its container was not listed",
		scrape(15, read("web/app", 12, 100).started(-500), read("web/proxy", 12, 1)),
		scrape(30, read("web/proxy", 28, 1)),
		scrape(45, read("web/app", 43, 4).started(23), read("web/proxy", 43, 1)),
		answers(45, "web", "43/20 app=200m proxy=0m"))
	f("a container that is not listed once goes on where it was",
		scrape(15, read("web/app", 12, 100), read("web/proxy", 12, 1)),
		scrape(30, read("web/proxy", 28, 1)),
		scrape(45, read("web/app", 42, 106), read("web/proxy", 42, 1)),
		answers(45, "web", "42/30 app=200m proxy=0m"))
	f("an overflow from the start is refused too",
		scrape(30, overflowing(read("web/app", 28, 0).started(8))),
		refused(map[storage.Refusal]int{storage.RefusedOverflow: 1}),
		answers(30, "web", "no rate"))
	f("a restart every 45 s is never without an answer",
		cluster("web", "app"),
		scrape(15, read("web/app", 13, 2).started(0)), answers(15, "web", "13/13 app=153846153n"),
		scrape(30, read("web/app", 28, 5).started(0)), answers(30, "web", "28/15 app=200m"),
		scrape(45, read("web/app", 43, 8).started(0)), answers(45, "web", "43/15 app=200m"),
		scrape(60, read("web/app", 58, 2).started(48)), answers(60, "web", "58/10 app=200m"),
		scrape(75, read("web/app", 73, 5).started(48)), answers(75, "web", "73/15 app=200m"),
		scrape(105, read("web/app", 99, 1).started(94)), answers(105, "web", "73/15 app=200m"))
}

// TestRunAtAnotherResolution holds that the start rule and the bound follow the
// resolution.
func TestRunAtAnotherResolution(t *testing.T) {
	playAt(t, 60*time.Second,
		scrape(130, read("web/app", 128, 24).started(8)),
		answers(130, "web", "128/120 app=200m"),
		answers(308, "web", "128/120 app=200m"),
		answers(308.001, "web", "stale"))
	playAt(t, 60*time.Second,
		scrape(130, read("web/app", 128, 24).started(7.999)),
		answers(130, "web", "no rate"))
}

// TestEstimate holds how the kubelet's own rate bridges to the second sample.
func TestEstimate(t *testing.T) {
	f := func(name string, steps ...step) {
		t.Helper()
		t.Run(name, func(t *testing.T) { t.Helper(); play(t, steps...) })
	}

	f("serves at the first sample, over at most 20 s",
		scrape(15, read("web/app", 12, 100).started(-500).estimated(300)),
		answers(15, "web", "12/20 app=300m"), unrated(1, 0))
	f("over at most the time since the container's start",
		scrape(15, read("web/app", 12, 1).started(5).estimated(300)),
		answers(15, "web", "12/7 app=300m"))
	f("over 20 s where the start is not known",
		scrape(15, read("web/app", 12, 1).estimated(300)),
		answers(15, "web", "12/20 app=300m"))
	f("over at most the time since a start that was known before",
		scrape(15, read("web/app", 12, 100).started(6)),
		scrape(30, read("web/app", 18, 1).estimated(300)),
		answers(30, "web", "18/12 app=300m"))
	f("zero is unknown, not idle",
		scrape(15, read("web/app", 12, 1).estimated(0)),
		answers(15, "web", "no rate"), unrated(1, 1))
	f("one that is beyond what can be served is refused",
		scrape(15, func() line { l := read("web/app", 12, 1); l.estimate = math.MaxUint64; return l }()),
		refused(map[storage.Refusal]int{storage.RefusedOverflow: 1}),
		answers(15, "web", "no rate"))
	f("the rate from the start is better",
		scrape(30, read("web/app", 28, 4).started(8).estimated(300)),
		answers(30, "web", "28/20 app=200m"))
	f("may come with a later answer that has the same sample",
		scrape(15, read("web/app", 12, 1).started(-500)),
		answers(15, "web", "no rate"),
		scrape(20, read("web/app", 12, 1).started(-500).estimated(300)),
		answers(20, "web", "12/20 app=300m"))
	f("stays when a later answer with the same sample has none",
		scrape(15, read("web/app", 12, 1).started(-500).estimated(300)),
		scrape(20, read("web/app", 12, 1).started(-500)),
		answers(20, "web", "12/20 app=300m"))
	f("is superseded by two samples, whatever it says then",
		scrape(15, read("web/app", 12, 100).started(-500).estimated(300)),
		scrape(30, read("web/app", 28, 108).started(-500).estimated(900)),
		answers(30, "web", "28/16 app=500m"),
		scrape(40, read("web/app", 28, 108).started(-500).estimated(900)),
		answers(40, "web", "28/16 app=500m"))
	f("its sample is a previous sample, itself is none",
		scrape(15, read("web/app", 12, 100).estimated(300)),
		scrape(30, read("web/app", 22, 102)),
		answers(30, "web", "22/10 app=200m"))
	f("stands in where a counter went back",
		scrape(15, read("web/app", 12, 100)),
		scrape(30, read("web/app", 28, 1).estimated(300)),
		answers(30, "web", "28/20 app=300m"))
	f("at the container's very start there is no time to serve it over",
		scrape(15, read("web/app", 12, 0).started(12).estimated(300)),
		answers(15, "web", "no rate"))
	f("with one container without, the pod waits",
		scrape(15, read("web/app", 12, 1).estimated(300), read("web/proxy", 12, 1)),
		answers(15, "web", "no rate"), unrated(2, 1),
		scrape(30, read("web/app", 12, 1), read("web/proxy", 27, 1)),
		answers(30, "web", "12/20 app=300m proxy=0m"))
}

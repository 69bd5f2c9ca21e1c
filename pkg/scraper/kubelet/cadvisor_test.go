// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"slices"
	"strings"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// naiveCadvisor reads /metrics/cadvisor line by line into maps.
func naiveCadvisor(body string, wanted input.Set, sent storage.Millis, options Options) (naiveAnswer, error) {
	table := input.Table()
	a := naiveAnswer{}
	pods, containers := map[string]bool{}, map[string]bool{}
	listing := false
	for id := range wanted.Each() {
		listing = listing || table[id].Level == input.OfContainer
	}
	told, failed, count := false, false, 0
	lines := strings.Split(body, "\n")
	for _, line := range lines[:len(lines)-1] {
		line = strings.TrimLeft(line, " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		if count++; count > options.MaxSeries {
			return nil, ErrTooManySeries
		}
		family := cadvisorFamilyOf(exposition.Name([]byte(line)))
		if len(line) > options.MaxLineBytes || family.role == roleNone || family.role == roleInput && !wanted.Has(family.id) || family.role == roleListing && !listing {
			continue
		}
		series := exposition.Series{MaxLabels: options.MaxLabels}
		if series.Parse([]byte(line)) != nil {
			continue
		}
		value, err := exposition.ParseUint(series.Sample.Value, family.places)
		if family.role == roleHealth {
			if err == nil {
				told, failed = true, failed || value != 0
			}
			continue
		}
		labels := map[string]string{}
		twice := false
		for _, l := range series.Labels {
			name := string(l.Name)
			if name == "interface" {
				name = "device"
			}
			_, there := labels[name]
			twice = twice || there && slices.Contains([]string{"namespace", "pod", "container", "id", "device"}, name)
			labels[name] = string(l.Value())
		}
		namespace, pod, container := labels["namespace"], labels["pod"], labels["container"]
		if twice || max(len(namespace), len(pod), len(container)) > options.MaxNameBytes {
			continue
		}
		row, level := "", input.OfNode
		switch sandbox := container == "" || container == "POD"; {
		case namespace == "" && pod == "":
			if labels["id"] != "/" || virtualInterface([]byte(labels["device"])) {
				continue
			}
		case namespace == "" || pod == "":
			continue
		case sandbox && labels["device"] == "lo":
			continue
		default:
			row, level = namespace+"\x00"+pod, input.OfPod
			a.list(row)
			pods[row] = true
			if !sandbox {
				row, level = row+"\x00"+container, input.OfContainer
				a.list(row)
				containers[row] = true
			}
		}
		if len(pods) > options.MaxContainers || len(containers) > options.MaxContainers {
			return nil, ErrTooManyContainers
		}
		if family.role == roleListing || level == input.OfNode && !table[family.id].Node || level != input.OfNode && level != table[family.id].Level {
			continue
		}
		time := sent
		if series.Sample.HasTimestamp {
			time = storage.Millis(series.Sample.Timestamp)
		}
		if err != nil || time <= 0 || time > maxMillis {
			continue
		}
		a.list(row)
		held, there := a[row][family.id]
		switch {
		case !there, held.source != labels["id"] && time > held.time:
			held = naiveReading{value: value, time: time, source: labels["id"]}
		case held.source == labels["id"] && family.sums && held.value+value < 1<<63:
			held.value, held.time = held.value+value, min(held.time, time)
		}
		a[row][family.id] = held
	}
	readings := 0
	for _, r := range a {
		readings += len(r)
	}
	switch {
	case lines[len(lines)-1] != "":
		return nil, ErrTruncated
	case readings == 0 && len(pods) == 0 && (!told || failed):
		return nil, ErrNoMetrics
	}
	if oom := input.SetOf(input.OOMEvents); a.zero(oom) {
		a.drop(oom)
	}
	return a, nil
}

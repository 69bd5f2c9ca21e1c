// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// naiveSummary reads /stats/summary by encoding/json into trees of members.
func naiveSummary(body string, wanted input.Set, sent storage.Millis, options Options) (a naiveAnswer, err error) {
	if !json.Valid([]byte(body)) || !utf8.ValidString(body) || jsonDepth(body) > maxDepth {
		return nil, ErrMalformed
	}
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.UseNumber()
	root, err := referenceJSON(decoder)
	if err != nil {
		return nil, ErrMalformed
	}
	defer func() {
		if r := recover(); r != nil {
			refused, ok := r.(error)
			if !ok || !errors.Is(refused, ErrMalformed) && !errors.Is(refused, ErrTooManyContainers) {
				panic(r)
			}
			a, err = nil, refused
		}
	}()
	n := naiveSummaryReader{wanted: wanted, sent: sent, options: options, answer: naiveAnswer{}}
	if root == nil {
		return nil, ErrMalformed
	}
	n.root(root)
	if !n.told {
		return nil, ErrNoMetrics
	}
	if !n.pressed {
		n.answer.drop(pressures())
	}
	return n.answer, nil
}

// naiveSummaryReader reads a tree of members; it panics with the error of an
// answer that is refused.
type naiveSummaryReader struct {
	wanted        input.Set
	sent          storage.Millis
	options       Options
	answer        naiveAnswer
	told, pressed bool
	containers    map[string]bool
}

func objectOf(value any) []member {
	members, ok := value.([]member)
	if !ok && value != nil {
		panic(ErrMalformed)
	}
	return members
}

func arrayOf(value any) []any {
	elements, ok := value.([]any)
	if !ok && value != nil {
		panic(ErrMalformed)
	}
	return elements
}

func textOf(value any) string {
	s, ok := value.(string)
	if !ok && value != nil {
		panic(ErrMalformed)
	}
	return s
}

// numberOf is a number, or -1 where there is none that counts.
func numberOf(value any, unit int64) *big.Int {
	none := big.NewInt(-1)
	if value == nil {
		return none
	}
	n, ok := value.(json.Number)
	if !ok {
		panic(ErrMalformed)
	}
	u, err := exposition.ParseUint([]byte(n), 0)
	if err != nil {
		return none
	}
	b := new(big.Int).Mul(new(big.Int).SetUint64(u), big.NewInt(unit))
	if !b.IsInt64() {
		return none
	}
	return b
}

// naiveMoment is a time by the standard library alone.
func naiveMoment(text string) (storage.Millis, bool) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.UnixMilli() > maxMillis {
		return 0, false
	}
	return storage.Millis(t.UnixMilli()), true
}

// naiveSection is the numbers of a section by the path of their names.
type naiveSection struct {
	time    storage.Millis
	numbers map[string]*big.Int
	claim   bool
}

// section reads a section; counts says which interfaces do.
func (n *naiveSummaryReader) section(value any, counts func(name string) bool) naiveSection {
	s := naiveSection{time: n.sent, numbers: map[string]*big.Int{}}
	sums, listed := map[string]*big.Int{}, false
	for _, m := range objectOf(value) {
		switch m.key {
		case "time":
			s.time = n.sent
			if m.value != nil {
				var ok bool
				if s.time, ok = naiveMoment(textOf(m.value)); !ok || s.time <= 0 {
					s.time = -1
				}
			}
		case "usedBytes", "capacityBytes", "inodesUsed", "inodes", "rssBytes", "curproc", "process_count", "rxBytes", "txBytes", "rxErrors", "txErrors":
			s.numbers[m.key] = numberOf(m.value, 1)
		case "psi":
			delete(s.numbers, "some")
			delete(s.numbers, "full")
			for _, kind := range objectOf(m.value) {
				if kind.key != "some" && kind.key != "full" {
					continue
				}
				delete(s.numbers, kind.key)
				for _, total := range objectOf(kind.value) {
					if total.key == "total" {
						s.numbers[kind.key] = numberOf(total.value, 1000)
					}
				}
			}
		case "interfaces":
			clear(sums)
			elements := arrayOf(m.value)
			listed = len(elements) > 0
			for _, element := range elements {
				name, own := "", map[string]*big.Int{}
				for _, m := range objectOf(element) {
					switch m.key {
					case "name":
						name = textOf(m.value)
					case "rxBytes", "txBytes", "rxErrors", "txErrors":
						own[m.key] = numberOf(m.value, 1)
					}
				}
				if !counts(name) {
					continue
				}
				for key, v := range own {
					if v.Sign() < 0 {
						continue
					}
					sum := v
					if sums[key] != nil {
						sum = new(big.Int).Add(sums[key], v)
					}
					if sum.IsInt64() {
						sums[key] = sum
					}
				}
			}
		case "pvcRef":
			_, s.claim = m.value.([]member)
		}
	}
	if listed {
		for _, key := range []string{"rxBytes", "txBytes", "rxErrors", "txErrors"} {
			s.numbers[key] = sums[key]
		}
	}
	return s
}

// naiveInputs is which numbers of which section are which input.
func naiveInputs(section string) map[string]input.ID {
	switch section {
	case "cpu":
		return map[string]input.ID{"some": input.CPUPressureSome, "full": input.CPUPressureFull}
	case "memory":
		return map[string]input.ID{"some": input.MemoryPressureSome, "full": input.MemoryPressureFull, "rssBytes": input.MemoryRSS}
	case "io":
		return map[string]input.ID{"some": input.IOPressureSome, "full": input.IOPressureFull}
	case "network":
		return map[string]input.ID{"rxBytes": input.NetworkReceiveBytes, "txBytes": input.NetworkTransmitBytes, "rxErrors": input.NetworkReceiveErrors, "txErrors": input.NetworkTransmitErrors}
	case "ephemeral-storage":
		return map[string]input.ID{"usedBytes": input.EphemeralUsed, "inodesUsed": input.EphemeralInodesUsed}
	case "fs":
		return map[string]input.ID{"usedBytes": input.NodeFilesystemUsed, "capacityBytes": input.NodeFilesystemCapacity, "inodesUsed": input.NodeFilesystemInodesUsed, "inodes": input.NodeFilesystemInodes}
	case "rlimit":
		return map[string]input.ID{"curproc": input.NodeThreads}
	}
	return nil
}

// take adds a section's numbers to readings, of which those of an earlier
// section of the name go.
func (n *naiveSummaryReader) take(readings map[input.ID]naiveReading, name string, s naiveSection) {
	for key, id := range naiveInputs(name) {
		delete(readings, id)
		v := s.numbers[key]
		if v == nil || v.Sign() < 0 {
			continue
		}
		if (key == "some" || key == "full") && v.Sign() > 0 {
			n.pressed = true
		}
		if s.time > 0 {
			readings[id] = naiveReading{value: v.Uint64(), time: s.time}
		}
	}
}

func (n *naiveSummaryReader) root(value any) {
	n.containers = map[string]bool{}
	pods := 0
	nodes := map[input.ID]naiveReading{}
	for _, top := range objectOf(value) {
		switch top.key {
		case "node":
			n.told = true
			for _, m := range objectOf(top.value) {
				switch m.key {
				case "cpu", "memory", "io", "network", "fs", "rlimit":
					n.take(nodes, m.key, n.section(m.value, func(name string) bool { return !virtualInterface([]byte(name)) }))
				}
			}
			n.put("", "", nodes)
		case "pods":
			for _, pod := range arrayOf(top.value) {
				if pods++; pods > n.options.MaxContainers {
					panic(ErrTooManyContainers)
				}
				n.pod(pod)
			}
		}
	}
}

// put takes readings of a row that it does not have, or has from another source
// and older.
func (n *naiveSummaryReader) put(row, source string, readings map[input.ID]naiveReading) {
	n.answer.list(row)
	for id, r := range readings {
		r.source = source
		if held, there := n.answer[row][id]; !there || held.source != source && r.time > held.time {
			n.answer[row][id] = r
		}
	}
}

func (n *naiveSummaryReader) pod(value any) {
	var namespace, name, uid, start string
	readings := map[input.ID]naiveReading{}
	var cpu storage.Millis
	processes := big.NewInt(-1)
	type container struct {
		name     string
		readings map[input.ID]naiveReading
	}
	var containers []container
	wantsContainers := n.wanted&input.SetOf(input.MemoryRSS, input.FilesystemUsed) != 0
	for _, m := range objectOf(value) {
		switch m.key {
		case "podRef":
			namespace, name, uid = "", "", ""
			for _, ref := range objectOf(m.value) {
				switch ref.key {
				case "namespace":
					namespace = textOf(ref.value)
				case "name":
					name = textOf(ref.value)
				case "uid":
					uid = textOf(ref.value)
				}
			}
		case "startTime":
			start = textOf(m.value)
		case "cpu", "memory", "io", "network", "ephemeral-storage":
			s := n.section(m.value, func(name string) bool { return m.key != "network" || name != "lo" })
			if m.key == "cpu" {
				cpu = s.time
			}
			n.take(readings, m.key, s)
		case "process_stats":
			s := n.section(m.value, func(string) bool { return true })
			if processes = s.numbers["process_count"]; processes == nil {
				processes = big.NewInt(-1)
			}
		case "volume":
			n.volumes(readings, arrayOf(m.value))
		case "containers":
			if !wantsContainers {
				continue
			}
			for _, element := range arrayOf(m.value) {
				if len(containers) == n.options.MaxContainers {
					panic(ErrTooManyContainers)
				}
				c := container{readings: map[input.ID]naiveReading{}}
				var disk [2]naiveSection
				for _, m := range objectOf(element) {
					switch m.key {
					case "name":
						c.name = textOf(m.value)
					case "memory":
						delete(c.readings, input.MemoryRSS)
						s := n.section(m.value, func(string) bool { return true })
						if v := s.numbers["rssBytes"]; v != nil && v.Sign() >= 0 && s.time > 0 {
							c.readings[input.MemoryRSS] = naiveReading{value: v.Uint64(), time: s.time}
						}
					case "rootfs":
						disk[0] = n.section(m.value, func(string) bool { return true })
					case "logs":
						disk[1] = n.section(m.value, func(string) bool { return true })
					}
				}
				root, logs := disk[0].numbers["usedBytes"], disk[1].numbers["usedBytes"]
				if root != nil && logs != nil && root.Sign() >= 0 && logs.Sign() >= 0 && min(disk[0].time, disk[1].time) > 0 {
					c.readings[input.FilesystemUsed] = naiveReading{value: root.Uint64() + logs.Uint64(), time: min(disk[0].time, disk[1].time)}
				}
				containers = append(containers, c)
			}
		}
	}
	if processes.Sign() >= 0 {
		if cpu <= 0 {
			cpu = n.sent
		}
		readings[input.Processes] = naiveReading{value: processes.Uint64(), time: cpu}
	}
	delete(readings, input.MemoryRSS) // Only containers' counts.
	if bound := n.options.MaxNameBytes; namespace == "" || name == "" || len(namespace) > bound || len(name) > bound {
		return
	}
	source := uid + "\x00" + start
	row := namespace + "\x00" + name
	n.put(row, source, readings)
	for _, c := range containers {
		if c.name == "" || len(c.name) > n.options.MaxNameBytes {
			continue
		}
		n.containers[row+"\x00"+c.name] = true
		n.put(row+"\x00"+c.name, source, c.readings)
	}
	if len(n.containers) > n.options.MaxContainers {
		panic(ErrTooManyContainers)
	}
}

// volumes adds up the volumes of claims.
func (n *naiveSummaryReader) volumes(readings map[input.ID]naiveReading, elements []any) {
	for _, kind := range []struct {
		used, whole         string
		sum, total, fullest input.ID
	}{
		{"usedBytes", "capacityBytes", input.VolumeUsed, input.VolumeCapacity, input.VolumeMaxUsedRatio},
		{"inodesUsed", "inodes", input.VolumeInodesUsed, input.VolumeInodes, input.VolumeMaxInodesUsedRatio},
	} {
		sum, total, fullest, oldest := new(big.Int), new(big.Int), new(big.Int), storage.Millis(0)
		for _, element := range elements {
			s := n.section(element, func(string) bool { return true })
			used, whole := s.numbers[kind.used], s.numbers[kind.whole]
			if !s.claim || s.time <= 0 || used == nil || whole == nil || used.Sign() < 0 || whole.Sign() <= 0 {
				continue
			}
			sum.Add(sum, used)
			total.Add(total, whole)
			ratio := new(big.Int).Mul(used, big.NewInt(1_000_000))
			ratio.Div(ratio, whole)
			if ratio.Cmp(fullest) > 0 {
				fullest = ratio
			}
			if oldest == 0 || s.time < oldest {
				oldest = s.time
			}
		}
		delete(readings, kind.sum)
		delete(readings, kind.total)
		delete(readings, kind.fullest)
		if oldest == 0 || !sum.IsInt64() || !total.IsInt64() {
			continue
		}
		if !fullest.IsInt64() {
			fullest = big.NewInt(1<<63 - 1)
		}
		for id, v := range map[input.ID]*big.Int{kind.sum: sum, kind.total: total, kind.fullest: fullest} {
			readings[id] = naiveReading{value: v.Uint64(), time: oldest}
		}
	}
}

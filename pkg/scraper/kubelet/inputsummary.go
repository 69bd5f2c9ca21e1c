// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"fmt"
	"hash/maphash"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// pressures are the inputs that a kernel without pressure stall information, or
// a kubelet on cgroup v1, gives as zeros.
func pressures() input.Set {
	return input.SetOf(input.CPUPressureSome, input.CPUPressureFull, input.MemoryPressureSome,
		input.MemoryPressureFull, input.IOPressureSome, input.IOPressureFull)
}

// SummaryQuery is the query of the smallest answer of /stats/summary that has
// the inputs: without file systems and network it saves the kubelet work, too.
func SummaryQuery(inputs input.Set) string {
	light := pressures()&^input.SetOf(input.IOPressureSome, input.IOPressureFull) | input.SetOf(input.MemoryRSS)
	if inputs&^light == 0 {
		return "only_cpu_and_memory=true"
	}
	return ""
}

// summary reads an answer of /stats/summary.
func (d *InputDecoder) summary(body []byte, a *InputAnswer) (Stats, error) {
	s := inputSummary{
		sectionReader: sectionReader{json: jsonReader{body: body}, sent: sentByNode(&a.Batch)},
		decoder:       d, wanted: a.Batch.Inputs, rows: &a.rows, pod: &a.pod,
	}
	for id := range s.wanted.Each() {
		s.containers = s.containers || d.table[id].Level == input.OfContainer
	}
	well := s.json.document(s.root)
	a.pod.end()
	switch {
	case s.tooMany:
		return s.stats, fmt.Errorf("read summary: byte %d: %w: the bound is %d", s.json.at, ErrTooManyContainers, d.options.MaxContainers)
	case !well:
		return s.stats, fmt.Errorf("read summary: byte %d: %w", s.json.at, ErrMalformed)
	case !s.told:
		return s.stats, fmt.Errorf("read summary: %w", ErrNoMetrics)
	}
	if !s.pressed {
		for id := range (s.wanted & pressures()).Each() {
			s.rows.drop(id)
		}
	}
	return s.stats, nil
}

// inputSummary is one pass over an answer of /stats/summary.
type inputSummary struct {
	sectionReader
	decoder *InputDecoder
	wanted  input.Set
	// containers says that an input of containers is wanted; else they are not
	// looked at.
	containers bool
	rows       *inputRows
	node       [input.IDs]input.Reading
	pod        *summaryPod

	// told is set when the node's own part has come, which every summary has.
	told    bool
	pods    int
	tooMany bool
	// pressed is set when a pressure is not 0, whosever.
	pressed bool
}

// root reads the whole answer.
func (s *inputSummary) root() {
	s.json.summary(func() {
		s.told = true
		s.json.object(s.readNode)
		s.settleNode()
	}, s.readPod)
}

// readNode takes one member of the node.
func (s *inputSummary) readNode(key []byte) {
	var c section
	put := func(id input.ID, n number) { s.node[id] = c.reading(n) }
	switch string(key) {
	case "cpu":
		c = s.section(sectionOther)
		s.putPressure(put, &c, input.CPUPressureSome, input.CPUPressureFull)
	case "memory":
		c = s.section(sectionOther)
		put(input.MemoryRSS, c.rss)
		s.putPressure(put, &c, input.MemoryPressureSome, input.MemoryPressureFull)
	case "io":
		c = s.section(sectionOther)
		s.putPressure(put, &c, input.IOPressureSome, input.IOPressureFull)
	case "network":
		c = s.section(sectionNodeNetwork)
		putNetwork(put, &c)
	case "fs":
		c = s.section(sectionOther)
		put(input.NodeFilesystemUsed, c.used)
		put(input.NodeFilesystemCapacity, c.capacity)
		put(input.NodeFilesystemInodesUsed, c.inodesUsed)
		put(input.NodeFilesystemInodes, c.inodes)
	case "rlimit":
		c = s.section(sectionOther)
		put(input.NodeThreads, c.threads)
	default:
		s.json.skip()
	}
}

// settleNode puts what was gathered of the node.
func (s *inputSummary) settleNode() {
	for id := range s.wanted.Each() {
		if s.node[id].Time != 0 {
			s.refused(s.rows.putOwn(id, slotReading{Reading: s.node[id]}, false))
		}
	}
}

// putPressure puts the two pressures of a section.
func (s *inputSummary) putPressure(put func(input.ID, number), c *section, some, full input.ID) {
	s.pressed = s.pressed || c.some.value > 0 || c.full.value > 0
	put(some, c.some)
	put(full, c.full)
}

// putNetwork puts the numbers of a network section.
func putNetwork(put func(input.ID, number), c *section) {
	n := &c.network
	if c.interfaces {
		n = &c.sum
	}
	put(input.NetworkReceiveBytes, n.received)
	put(input.NetworkTransmitBytes, n.sent)
	put(input.NetworkReceiveErrors, n.receiveErrors)
	put(input.NetworkTransmitErrors, n.sendErrors)
}

// summaryPod is what one pod's object says, gathered until the object ends
// because the pod's name may come last.
type summaryPod struct {
	namespace, name, uid, start []byte
	readings                    [input.IDs]input.Reading
	// processes is how many there are, and cpu when the pod's CPU was read,
	// which stands in for the time that they lack.
	processes  number
	cpu        storage.Millis
	containers []summaryContainer
}

// summaryContainer is what one container's object says.
type summaryContainer struct {
	name      []byte
	rss, used input.Reading
}

// begin begins a pod.
func (p *summaryPod) begin() { *p = summaryPod{containers: p.containers[:0]} }

// end lets go of the body.
func (p *summaryPod) end() {
	clear(p.containers[:cap(p.containers)])
	p.begin()
}

// readPod takes one pod.
func (s *inputSummary) readPod() {
	if s.pods++; s.pods > s.decoder.options.MaxContainers {
		s.refuseAll()
		return
	}
	p, at := s.pod, s.json.at
	p.begin()
	s.json.object(s.readPodMember)
	if s.json.bad {
		return
	}
	if bound := s.decoder.options.MaxNameBytes; len(p.namespace) > bound || len(p.name) > bound {
		s.stats.refuse(Refusal{Reason: RefusedTooLong, Offset: at})
		return
	}
	if len(p.namespace) == 0 || len(p.name) == 0 {
		s.stats.refuse(Refusal{Reason: RefusedLabels, Offset: at})
		return
	}
	s.settle(at)
}

// readPodMember takes one member of a pod.
func (s *inputSummary) readPodMember(key []byte) {
	p := s.pod
	var c section
	put := func(id input.ID, n number) { p.readings[id] = c.reading(n) }
	switch string(key) {
	case "podRef":
		p.namespace, p.name, p.uid = nil, nil, nil
		s.json.object(func(key []byte) {
			switch string(key) {
			case "name":
				p.name = s.json.text()
			case "namespace":
				p.namespace = s.json.text()
			case "uid":
				p.uid = s.json.text()
			default:
				s.json.skip()
			}
		})
	case "startTime":
		p.start = s.json.text()
	case "containers":
		if s.containers {
			s.json.array(s.readContainer)
		} else {
			s.json.skip()
		}
	case "cpu":
		c = s.section(sectionOther)
		p.cpu = c.time
		s.putPressure(put, &c, input.CPUPressureSome, input.CPUPressureFull)
	case "memory":
		c = s.section(sectionOther)
		s.putPressure(put, &c, input.MemoryPressureSome, input.MemoryPressureFull)
	case "io":
		c = s.section(sectionOther)
		s.putPressure(put, &c, input.IOPressureSome, input.IOPressureFull)
	case "network":
		c = s.section(sectionPodNetwork)
		putNetwork(put, &c)
	case "ephemeral-storage":
		c = s.section(sectionOther)
		put(input.EphemeralUsed, c.used)
		put(input.EphemeralInodesUsed, c.inodesUsed)
	case "volume":
		var v volumes
		s.json.array(func() { v.add(s.section(sectionOther)) })
		v.put(&p.readings)
	case "process_stats":
		c = s.section(sectionOther)
		p.processes = c.processes
	default:
		s.json.skip()
	}
}

// readContainer takes one container of the pod.
func (s *inputSummary) readContainer() {
	if len(s.pod.containers) == s.decoder.options.MaxContainers {
		s.refuseAll()
		return
	}
	var c summaryContainer
	var rootfs, logs input.Reading
	s.json.object(func(key []byte) {
		switch string(key) {
		case "name":
			c.name = s.json.text()
		case "memory":
			m := s.section(sectionOther)
			c.rss = m.reading(m.rss)
		case "rootfs":
			m := s.section(sectionOther)
			rootfs = m.reading(m.used)
		case "logs":
			m := s.section(sectionOther)
			logs = m.reading(m.used)
		default:
			s.json.skip()
		}
	})
	if rootfs.Time != 0 && logs.Time != 0 {
		c.used = input.Reading{Value: rootfs.Value + logs.Value, Time: min(rootfs.Time, logs.Time)}
	}
	s.pod.containers = append(s.pod.containers, c)
}

// settle puts what was gathered of a pod into its rows; at is where its object
// begins.
func (s *inputSummary) settle(at int) {
	p := s.pod
	var h maphash.Hash
	h.SetSeed(s.decoder.seed)
	_, _ = h.Write(p.uid)
	_ = h.WriteByte(0xff)
	_, _ = h.Write(p.start)
	run := h.Sum64()

	if p.processes.known {
		time := p.cpu
		if time <= 0 {
			time = s.sent
		}
		p.readings[input.Processes] = input.Reading{Value: p.processes.value, Time: time}
	}
	s.at = at
	slot := s.rows.pod(p.namespace, p.name)
	put := func(id input.ID, slot int32, n input.Reading) {
		if s.wanted.Has(id) && n.Time != 0 {
			s.refused(s.rows.put(id, slot, slotReading{Reading: n, source: run}, false))
		}
	}
	for id := range s.wanted.Each() {
		if s.decoder.table[id].Level == input.OfPod {
			put(id, slot, p.readings[id])
		}
	}
	for i := range p.containers {
		c := &p.containers[i]
		switch {
		case len(c.name) == 0:
			s.stats.refuse(Refusal{Reason: RefusedLabels, Offset: at})
			continue
		case len(c.name) > s.decoder.options.MaxNameBytes:
			s.stats.refuse(Refusal{Reason: RefusedTooLong, Offset: at})
			continue
		}
		row := s.rows.container(slot, c.name)
		put(input.MemoryRSS, row, c.rss)
		put(input.FilesystemUsed, row, c.used)
	}
	if s.rows.containers.seen > s.decoder.options.MaxContainers {
		s.refuseAll()
	}
}

// refused counts a reading that was not taken.
func (s *inputSummary) refused(reason Reason, ok bool) {
	if !ok {
		s.stats.refuse(Refusal{Reason: reason, Offset: s.at})
	}
}

// refuseAll ends the reading because there is too much to read.
func (s *inputSummary) refuseAll() {
	s.tooMany = true
	s.json.fail()
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// Of a summary, what the two documents of text lack is read as series: file systems
// and volumes. It is JSON and has no names, so they are ours (docs/series.md), but
// for claims, which are called as in the kubelet's own /metrics.

// summaryScope is what a series of a summary is of.
type summaryScope uint8

const (
	scopeSummaryNode summaryScope = iota
	scopeSummaryPod
	scopeSummaryContainer
	scopeSummaryVolume
	scopeSummaryClaim
)

// summaryFill is the object of a summary that tells how full something is.
type summaryFill struct {
	scope  summaryScope
	prefix string
	of     string // For the help text.
	// whole says that how much there is in all is worth telling; a container's is
	// its node's.
	whole bool
}

// The objects, in the order of their series' numbers.
const (
	fillNode = iota
	fillImages
	fillContainers
	fillPod
	fillRoot
	fillLogs
	fillVolume
	fillClaim
	summaryFills
)

func summaryFillOf(i int) summaryFill {
	return [summaryFills]summaryFill{
		fillNode:       {scopeSummaryNode, "kubelet_summary_node_fs", "the node's file system", true},
		fillImages:     {scopeSummaryNode, "kubelet_summary_node_image_fs", "the file system of images", true},
		fillContainers: {scopeSummaryNode, "kubelet_summary_node_container_fs", "the file system of containers' writable layers", true},
		fillPod:        {scopeSummaryPod, "kubelet_summary_pod_ephemeral_storage", "a pod's ephemeral storage", true},
		fillRoot:       {scopeSummaryContainer, "kubelet_summary_container_rootfs", "a container's writable layer", false},
		fillLogs:       {scopeSummaryContainer, "kubelet_summary_container_logs", "a container's logs", false},
		fillVolume:     {scopeSummaryVolume, "kubelet_summary_pod_volume", "a pod's volume that is not of a claim", true},
		fillClaim:      {scopeSummaryClaim, "kubelet_volume_stats", "the volume of a claim", true},
	}[i]
}

// summaryColumn is one number of such an object.
type summaryColumn struct {
	suffix, help string
	whole        bool
}

const summaryColumns = 6

func summaryColumnOf(i int) summaryColumn {
	return [summaryColumns]summaryColumn{
		{"_used_bytes", "Bytes used", false},
		{"_inodes_used", "Inodes used", false},
		{"_capacity_bytes", "Bytes in all", true},
		{"_available_bytes", "Bytes that may be used", true},
		{"_inodes", "Inodes in all", true},
		{"_inodes_free", "Inodes that may be used", true},
	}[i]
}

// summaryMetrics is how many names there are, some of which are not used.
const summaryMetrics = summaryFills * summaryColumns

// summaryNames are the names of the series, empty for those that there are not.
func summaryNames() (names [summaryMetrics]string) {
	for i := range names {
		fill, column := summaryFillOf(i/summaryColumns), summaryColumnOf(i%summaryColumns)
		if fill.whole || !column.whole {
			names[i] = fill.prefix + column.suffix
		}
	}
	return names
}

// summaryReading is an object of a pod, gathered until the pod's name is known.
type summaryReading struct {
	fill    int
	section section
	// within is the container or volume.
	within []byte
}

// summaryLabels identify a series of a summary.
type summaryLabels struct {
	metric                 int
	namespace, pod, within []byte
}

// seriesSummary is what a summary is read into.
type seriesSummary struct {
	// wanted has a bit for each receiver that wants a metric.
	wanted [summaryMetrics]uint8
	// readings are those of one pod.
	readings []summaryReading
	// pending are the labels of pending series, claims the hashes of claims that
	// have come: one that several pods use is told once.
	pending []summaryLabels
	claims  []uint64
	key     []byte
}

// release lets go of the body.
func (s *seriesSummary) release() {
	clear(s.readings[:cap(s.readings)])
	clear(s.pending[:cap(s.pending)])
	s.readings, s.pending = s.readings[:0], s.pending[:0]
}

// summarySeries is one pass over a summary.
type summarySeries struct {
	sectionReader
	reading *seriesReading
	memory  *seriesSummary

	pods                   int
	namespace, pod         []byte
	told, tooMany, tooLong bool
}

// readSummary reads an answer of /stats/summary.
func (r *seriesReading) readSummary() error {
	m := &r.memory.summary
	m.claims, m.pending = m.claims[:0], m.pending[:0]
	for i := range m.wanted {
		m.wanted[i] = 0
		if name := r.stream.decoder.summaryNames[i]; name != "" {
			m.wanted[i] = r.wantedOf(name)
		}
	}
	s := summarySeries{sectionReader: sectionReader{json: jsonReader{body: r.body}, sent: r.sent}, reading: r, memory: m}
	well := s.json.document(s.root)
	r.stats.Stats = s.stats
	switch options := &r.stream.decoder.options; {
	case s.tooLong:
		return fmt.Errorf("byte %d: %w: the bound is %d", s.json.at, ErrTooManySeries, options.MaxSeries)
	case s.tooMany:
		return fmt.Errorf("byte %d: %w: the bound is %d", s.json.at, ErrTooManyContainers, options.MaxContainers)
	case !well:
		return fmt.Errorf("byte %d: %w", s.json.at, ErrMalformed)
	case !s.told:
		return ErrNoMetrics
	}
	return nil
}

// root reads the whole answer.
func (s *summarySeries) root() {
	s.json.summary(func() {
		s.told = true
		s.begin()
		s.json.object(s.readNode)
		s.settle()
	}, s.readPod)
}

// begin begins a node or a pod.
func (s *summarySeries) begin() {
	s.memory.readings, s.namespace, s.pod = s.memory.readings[:0], nil, nil
}

// add notes an object.
func (s *summarySeries) add(fill int) { s.addSection(fill, s.section(sectionOther), nil) }

func (s *summarySeries) addSection(fill int, c section, within []byte) {
	if c.time > 0 {
		s.memory.readings = append(s.memory.readings, summaryReading{fill: fill, section: c, within: within})
	}
}

func (s *summarySeries) readNode(key []byte) {
	switch string(key) {
	case "fs":
		s.add(fillNode)
	case "runtime":
		s.json.object(func(key []byte) {
			switch string(key) {
			case "imageFs":
				s.add(fillImages)
			case "containerFs":
				s.add(fillContainers)
			default:
				s.json.skip()
			}
		})
	default:
		s.json.skip()
	}
}

func (s *summarySeries) readPod() {
	if s.pods++; s.pods > s.reading.stream.decoder.options.MaxContainers {
		s.tooMany = true
		s.json.fail()
		return
	}
	at := s.json.at
	s.begin()
	s.json.object(s.readPodMember)
	if s.json.bad {
		return
	}
	if s.at = at; len(s.namespace) == 0 || len(s.pod) == 0 {
		s.refuse(RefusedLabels)
		return
	}
	s.settle()
}

func (s *summarySeries) readPodMember(key []byte) {
	switch string(key) {
	case "podRef":
		s.json.object(func(key []byte) {
			switch string(key) {
			case "name":
				s.pod = s.json.text()
			case "namespace":
				s.namespace = s.json.text()
			default:
				s.json.skip()
			}
		})
	case "containers":
		s.json.array(s.readContainer)
	case "ephemeral-storage":
		s.add(fillPod)
	case "volume":
		s.json.array(func() {
			c := s.section(sectionOther)
			if c.claim {
				s.addSection(fillClaim, c, c.claimName)
			} else {
				s.addSection(fillVolume, c, c.name)
			}
		})
	default:
		s.json.skip()
	}
}

func (s *summarySeries) readContainer() {
	first := len(s.memory.readings)
	if first > s.reading.stream.decoder.options.MaxContainers {
		s.tooMany = true
		s.json.fail()
		return
	}
	var name []byte
	s.json.object(func(key []byte) {
		switch string(key) {
		case "name":
			name = s.json.text()
		case "rootfs":
			s.add(fillRoot)
		case "logs":
			s.add(fillLogs)
		default:
			s.json.skip()
		}
	})
	for i := first; i < len(s.memory.readings); i++ {
		s.memory.readings[i].within = name
	}
}

// settle makes samples of what was gathered.
func (s *summarySeries) settle() {
	bound := s.reading.stream.decoder.options.MaxLabelBytes
	for i := range s.memory.readings {
		g := &s.memory.readings[i]
		labels := summaryLabels{namespace: s.namespace, pod: s.pod, within: g.within}
		scope := summaryFillOf(g.fill).scope
		if scope == scopeSummaryClaim {
			labels.namespace, labels.pod = g.section.claimNamespace, nil
		}
		switch {
		case len(labels.namespace) > bound || len(labels.pod) > bound || len(labels.within) > bound:
			s.refuse(RefusedTooLong)
			continue
		case scope >= scopeSummaryContainer && len(labels.within) == 0, scope == scopeSummaryClaim && len(labels.namespace) == 0:
			s.refuse(RefusedLabels)
			continue
		case scope == scopeSummaryClaim && s.known(labels):
			continue
		}
		c := &g.section
		for column, n := range [summaryColumns]number{c.used, c.inodesUsed, c.capacity, c.available, c.inodes, c.inodesFree} {
			labels.metric = g.fill*summaryColumns + column
			if n.known && s.reading.stream.decoder.summaryNames[labels.metric] != "" {
				s.take(labels, c.time, float64(n.value))
			}
		}
	}
}

// hash is that of a series, or of what several series are of.
func (s *summarySeries) hash(l summaryLabels) (hash uint64, length uint16) {
	key := s.memory.key[:0]
	key = append(key, byte(l.metric))
	for _, part := range [...][]byte{l.namespace, l.pod, l.within} {
		key = append(append(key, part...), 0xff)
	}
	s.memory.key = key
	return maphash.Bytes(s.reading.stream.decoder.seed, key), uint16(len(key))
}

// known says whether a claim has come before.
func (s *summarySeries) known(l summaryLabels) bool {
	hash, _ := s.hash(l)
	if slices.Contains(s.memory.claims, hash) {
		return true
	}
	s.memory.claims = append(s.memory.claims, hash)
	return false
}

// take takes one sample.
func (s *summarySeries) take(l summaryLabels, t storage.Millis, v float64) {
	r := s.reading
	if r.count++; r.count > r.stream.decoder.options.MaxSeries {
		s.tooLong = true
		s.json.fail()
		return
	}
	if r.wanted = s.memory.wanted[l.metric]; r.wanted == 0 {
		return
	}
	w := r.walk
	hash, length := s.hash(l)
	if r.wanted&r.reopening == 0 && w.at < len(w.plan.hashes) && w.plan.hashes[w.at] == hash {
		w.matched(t, v)
		return
	}
	s.memory.pending = append(s.memory.pending, l)
	r.sample(pendingSeries{hash: hash, length: length, wanted: r.wanted, origin: -1, line: int32(len(s.memory.pending) - 1)}, t, v)
}

// describeSummary sets the labels of a series.
func (r *seriesReading) describeSummary(p *pendingSeries) series.Metadata {
	m := r.memory
	l := m.summary.pending[p.line]
	fill, column := summaryFillOf(l.metric/summaryColumns), summaryColumnOf(l.metric%summaryColumns)
	name := r.stream.decoder.summaryNames[l.metric]
	m.labels = append(m.labels[:0], series.Label{Name: nameLabel, Value: name})
	add := func(name string, value []byte) {
		if len(value) > 0 {
			m.labels = append(m.labels, series.Label{Name: name, Value: string(bytes.ToValidUTF8(value, nil))})
		}
	}
	switch fill.scope {
	case scopeSummaryClaim:
		add("namespace", l.namespace)
		add("persistentvolumeclaim", l.within)
	case scopeSummaryContainer:
		add("container", l.within)
		fallthrough
	default:
		add("namespace", l.namespace)
		add("pod", l.pod)
		if fill.scope == scopeSummaryVolume {
			add("volume", l.within)
		}
	}
	return series.Metadata{Family: name, Type: series.Gauge, Help: column.help + " of " + fill.of + "."}
}

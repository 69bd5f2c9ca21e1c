// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"fmt"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// Summary reads an answer of /stats/summary and sets Estimates and
// UsageEstimate of the batch, which Resource filled before: an estimate is
// taken where the summary's cumulative CPU is that of the batch's sample, so
// that it is known which moment it belongs to. An estimate of 0 is what the
// kubelet says where it has none, and is left unknown.
//
// Estimates are newly allocated: a summary is asked for a few times after a
// start, and never again. After an error the batch has no estimates.
func (d *Decoder) Summary(body []byte, batch *storage.Batch) (Stats, error) {
	batch.Estimates, batch.UsageEstimate = nil, 0
	s := summary{json: jsonReader{body: body}, options: d.options, batch: batch}
	if batch.Layout != nil {
		s.estimates = make([]uint64, len(batch.Layout.Containers))
	}
	if !s.json.document(s.root) {
		if s.tooMany {
			return s.stats, fmt.Errorf("read summary: byte %d: %w: the bound is %d", s.json.at, ErrTooManyContainers, d.options.MaxContainers)
		}
		return s.stats, fmt.Errorf("read summary: byte %d: %w", s.json.at, ErrMalformed)
	}
	batch.Estimates, batch.UsageEstimate = s.estimates, s.node
	return s.stats, nil
}

// summary is one pass over an answer of /stats/summary.
type summary struct {
	json    jsonReader
	options Options
	batch   *storage.Batch
	stats   Stats

	// node and estimates are what is found.
	node      uint64
	estimates []uint64

	// pods is how many pods there were; tooMany is set when they or their
	// containers pass the bound.
	pods    int
	tooMany bool
}

// summary reads the outermost object of /stats/summary: node is called where the
// node's statistics begin, pod where those of each pod do, and has to take them.
func (j *jsonReader) summary(node, pod func()) {
	if j.peek() != '{' {
		j.fail()
		return
	}
	j.object(func(key []byte) {
		switch string(key) {
		case "node":
			node()
		case "pods":
			j.array(pod)
		default:
			j.skip()
		}
	})
}

// root reads the whole answer.
func (s *summary) root() { s.json.summary(s.readNode, s.readPod) }

// cpu is the CPU of one container or of the node, as the summary has it.
type cpu struct {
	// total is the cumulative nanoseconds; known says that they are there.
	total uint64
	known bool
	// rate is the nanocores; 0 is unknown.
	rate uint64
}

// of says whether c was read at the moment of sample. The text format prints a
// float64, so that a counter above 2^53 may have lost its last bits.
func (c cpu) of(sample *storage.Sample) bool {
	if !c.known || sample.Has&storage.HasCPU == 0 {
		return false
	}
	difference := max(c.total, sample.CPU) - min(c.total, sample.CPU)
	return difference <= max(1, c.total>>52)
}

// readNode takes the node's own estimate.
func (s *summary) readNode() {
	var c cpu
	s.json.object(func(key []byte) {
		if string(key) == "cpu" {
			c = s.readCPU()
		} else {
			s.json.skip()
		}
	})
	switch {
	case s.node != 0 || c.rate == 0:
	case c.of(&s.batch.Usage):
		s.node = c.rate
		s.stats.Series++
	case c.known:
		s.stats.Moved++
	}
}

// readPod takes the estimates of one pod's containers.
func (s *summary) readPod() {
	if s.pods++; s.pods > s.options.MaxContainers {
		s.refuseAll()
		return
	}
	var name containerName
	containers := -1 // Where they begin, if they came before the pod's name.
	s.json.object(func(key []byte) {
		switch string(key) {
		case "podRef":
			name = s.readPodName()
		case "containers":
			if name.pod != nil {
				s.readContainers(name)
				return
			}
			containers = s.json.at
			s.json.skip()
		default:
			s.json.skip()
		}
	})
	if containers < 0 || s.json.bad {
		return
	}
	end := s.json.at
	s.json.at = containers
	s.readContainers(name)
	if !s.json.bad {
		s.json.at = end
	}
}

// readPodName is the pod that the object names, with no container.
func (s *summary) readPodName() (name containerName) {
	s.json.object(func(key []byte) {
		switch string(key) {
		case "name":
			name.pod = s.json.text()
		case "namespace":
			name.namespace = s.json.text()
		default:
			s.json.skip()
		}
	})
	return name
}

// readContainers takes the estimates of the containers of the pod in name.
func (s *summary) readContainers(name containerName) {
	s.json.array(func() { s.readContainer(name) })
}

// readContainer takes the estimate of one container of the pod in name.
func (s *summary) readContainer(name containerName) {
	if s.stats.Containers++; s.stats.Containers > s.options.MaxContainers {
		s.refuseAll()
		return
	}
	var c cpu
	s.json.object(func(key []byte) {
		switch string(key) {
		case "name":
			name.container = s.json.text()
		case "cpu":
			c = s.readCPU()
		default:
			s.json.skip()
		}
	})
	if c.rate == 0 {
		return
	}
	_, row := findRow(s.batch.Layout, name)
	switch {
	case row < 0 || s.estimates[row] != 0:
	case c.of(&s.batch.Samples[row]):
		s.estimates[row] = c.rate
		s.stats.Series++
	case c.known:
		s.stats.Moved++
	}
}

// readCPU is the object's total and rate.
func (s *summary) readCPU() (c cpu) {
	s.json.object(func(key []byte) {
		switch string(key) {
		case "usageCoreNanoSeconds":
			c.total, c.known = s.readUint()
		case "usageNanoCores":
			c.rate, _ = s.readUint()
		default:
			s.json.skip()
		}
	})
	return c
}

// readUint is a number; ok is false for null, and for one that is refused.
func (s *summary) readUint() (value uint64, ok bool) {
	at := s.json.at
	numeral := s.json.numeral()
	if numeral == nil {
		return 0, false
	}
	value, err := exposition.ParseUint(numeral, 0)
	if err != nil {
		s.stats.refuse(Refusal{Reason: numberReason(err), Offset: at})
		return 0, false
	}
	return value, true
}

// refuseAll ends the reading because there is too much to read.
func (s *summary) refuseAll() {
	s.tooMany = true
	s.json.fail()
}

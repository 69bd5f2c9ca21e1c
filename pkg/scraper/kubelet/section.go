// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"math"
	"math/bits"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// section is one of the objects that a summary's objects are made of, such as a
// pod's "memory" or "network": some numbers, and when they were read. No two
// kinds of them use one name for two things, so that one type does for all.
type section struct {
	// time is when the numbers were read; below 0 it is no moment, and so are
	// the numbers nothing.
	time storage.Millis

	used, capacity, inodesUsed, inodes number
	// available and inodesFree are what may be used, which can be less than what is
	// not in use.
	available, inodesFree   number
	rss, threads, processes number
	// some and full are pressures, in nanoseconds.
	some, full number
	// network is the default interface, sum all that count; interfaces says that
	// they are listed.
	network, sum traffic
	interfaces   bool
	// name is a volume's; claim says that it is that of a claim, whose name and
	// namespace follow.
	name                      []byte
	claim                     bool
	claimName, claimNamespace []byte
}

// number is a number that may be there.
type number struct {
	value uint64
	known bool
}

// traffic is the numbers of an interface.
type traffic struct{ received, sent, receiveErrors, sendErrors number }

// reading is a number of the section as a reading; its Time is 0 where it is
// none.
func (c *section) reading(n number) input.Reading {
	if !n.known || c.time < 0 {
		return input.Reading{}
	}
	return input.Reading{Value: n.value, Time: c.time}
}

// sectionKind says which interfaces count.
type sectionKind uint8

const (
	sectionOther sectionKind = iota
	sectionPodNetwork
	sectionNodeNetwork
)

// sectionReader reads sections.
type sectionReader struct {
	json  jsonReader
	sent  storage.Millis
	stats Stats
	// at is where what is refused stands.
	at int
}

// section takes one section; null is one without numbers.
func (s *sectionReader) section(kind sectionKind) (c section) {
	c.time = s.sent
	s.json.object(func(key []byte) {
		switch string(key) {
		case "time":
			c.time = s.moment()
		case "usedBytes":
			c.used = s.number(1)
		case "capacityBytes":
			c.capacity = s.number(1)
		case "inodesUsed":
			c.inodesUsed = s.number(1)
		case "inodes":
			c.inodes = s.number(1)
		case "availableBytes":
			c.available = s.number(1)
		case "inodesFree":
			c.inodesFree = s.number(1)
		case "name":
			c.name = s.json.text()
		case "rssBytes":
			c.rss = s.number(1)
		case "curproc":
			c.threads = s.number(1)
		case "process_count":
			c.processes = s.number(1)
		case "psi":
			c.some, c.full = s.pressure()
		case "interfaces":
			c.sum, c.interfaces = traffic{}, false
			s.json.array(func() {
				c.interfaces = true
				if name, t := s.traffic(); string(name) != "lo" && (kind != sectionNodeNetwork || !virtualInterface(name)) {
					s.addTraffic(&c.sum, &t)
				}
			})
		case "pvcRef":
			c.claim = s.json.peek() == '{'
			s.json.object(func(key []byte) {
				switch string(key) {
				case "name":
					c.claimName = s.json.text()
				case "namespace":
					c.claimNamespace = s.json.text()
				default:
					s.json.skip()
				}
			})
		default:
			if !s.trafficMember(key, &c.network) {
				s.json.skip()
			}
		}
	})
	return c
}

// traffic takes one interface.
func (s *sectionReader) traffic() (name []byte, t traffic) {
	s.json.object(func(key []byte) {
		switch {
		case string(key) == "name":
			name = s.json.text()
		case !s.trafficMember(key, &t):
			s.json.skip()
		}
	})
	return name, t
}

// trafficMember takes the member of that name if it is one of an interface's
// numbers.
func (s *sectionReader) trafficMember(key []byte, t *traffic) bool {
	switch string(key) {
	case "rxBytes":
		t.received = s.number(1)
	case "txBytes":
		t.sent = s.number(1)
	case "rxErrors":
		t.receiveErrors = s.number(1)
	case "txErrors":
		t.sendErrors = s.number(1)
	default:
		return false
	}
	return true
}

// addTraffic adds the numbers of an interface to a sum.
func (s *sectionReader) addTraffic(sum, t *traffic) {
	add := func(sum *number, n number) {
		switch {
		case !n.known:
		case sum.value > math.MaxInt64-n.value:
			s.refuse(RefusedOverflow)
		default:
			sum.value, sum.known = sum.value+n.value, true
		}
	}
	add(&sum.received, t.received)
	add(&sum.sent, t.sent)
	add(&sum.receiveErrors, t.receiveErrors)
	add(&sum.sendErrors, t.sendErrors)
}

// pressure takes the totals of a pressure. They are the kernel's microseconds,
// whatever the kubelet's API says of them: the same numbers are microseconds in
// /metrics/cadvisor.
func (s *sectionReader) pressure() (some, full number) {
	total := func() (n number) {
		s.json.object(func(key []byte) {
			if string(key) == "total" {
				n = s.number(1000)
			} else {
				s.json.skip()
			}
		})
		return n
	}
	s.json.object(func(key []byte) {
		switch string(key) {
		case "some":
			some = total()
		case "full":
			full = total()
		default:
			s.json.skip()
		}
	})
	return some, full
}

// number takes a number of units; null is none, and so is what is refused.
func (s *sectionReader) number(unit uint64) (n number) {
	s.at = s.json.at
	numeral := s.json.numeral()
	if numeral == nil {
		return number{}
	}
	value, err := exposition.ParseUint(numeral, 0)
	switch {
	case err != nil:
		s.refuse(numberReason(err))
		return number{}
	case value > math.MaxInt64/unit:
		s.refuse(RefusedOverflow)
		return number{}
	}
	return number{value: value * unit, known: true}
}

// moment takes a time; null is the moment of the request. What is no moment is
// below 0: the year 1970 is what the kubelet says of what was never read.
func (s *sectionReader) moment() storage.Millis {
	s.at = s.json.at
	text := s.json.text()
	if text == nil {
		return s.sent
	}
	m, ok := parseMoment(text)
	switch {
	case !ok && !s.json.bad:
		s.refuse(RefusedTimestamp)
		return -1
	case m <= 0:
		return -1
	}
	return m
}

// refuse counts what is refused at the place at.
func (s *sectionReader) refuse(reason Reason) { s.stats.refuse(Refusal{Reason: reason, Offset: s.at}) }

// volumes adds up the volumes of a pod's claims. One that does not say both how
// much is used and of how much, as a block device cannot, does not count: the
// two sums must be of the same volumes.
type volumes struct{ bytes, inodes fill }

// fill is a sum, and the fullest of what is in it.
type fill struct {
	used, capacity, fullest uint64
	// time is that of the oldest; 0 is: there is none. over says that a sum
	// cannot be held.
	time storage.Millis
	over bool
}

// add adds a volume if it is that of a claim.
func (v *volumes) add(c section) {
	if c.claim && c.time > 0 {
		v.bytes.add(c.used, c.capacity, c.time)
		v.inodes.add(c.inodesUsed, c.inodes, c.time)
	}
}

func (f *fill) add(used, capacity number, time storage.Millis) {
	if !used.known || !capacity.known || capacity.value == 0 {
		return
	}
	if f.time == 0 || time < f.time {
		f.time = time
	}
	f.over = f.over || f.used > math.MaxInt64-used.value || f.capacity > math.MaxInt64-capacity.value
	f.used, f.capacity = f.used+used.value, f.capacity+capacity.value
	f.fullest = max(f.fullest, millionths(used.value, capacity.value))
}

// millionths is part/whole in parts of a million, rounded down; whole is not 0.
func millionths(part, whole uint64) uint64 {
	high, low := bits.Mul64(part, 1_000_000)
	if high >= whole {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(high, low, whole)
	return min(quotient, math.MaxInt64)
}

// put sets the readings of the volumes.
func (v *volumes) put(readings *[input.IDs]input.Reading) {
	set := func(f *fill, used, capacity, fullest input.ID) {
		readings[used], readings[capacity], readings[fullest] = input.Reading{}, input.Reading{}, input.Reading{}
		if f.time == 0 || f.over {
			return
		}
		readings[used] = input.Reading{Value: f.used, Time: f.time}
		readings[capacity] = input.Reading{Value: f.capacity, Time: f.time}
		readings[fullest] = input.Reading{Value: f.fullest, Time: f.time}
	}
	set(&v.bytes, input.VolumeUsed, input.VolumeCapacity, input.VolumeMaxUsedRatio)
	set(&v.inodes, input.VolumeInodesUsed, input.VolumeInodes, input.VolumeMaxInodesUsedRatio)
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package message

// appendV1 appends a series with one sample, as field 1 of the request.
func (e *Encoder) appendV1(s *Series, value float64, time int64) {
	if s.v1 == nil {
		s.v1 = e.labelsV1(s.Labels)
	}
	m := e.message
	m = append(m, tag(1, wireBytes))
	m = appendVarint(m, uint64(len(s.v1)+sampleLen(value, time, 0)))
	m = append(m, s.v1...)
	e.message = appendSample(m, value, time, 0)
}

// labelsV1 is labels as 1.0 has them.
func (e *Encoder) labelsV1(labels []uint32) []byte {
	n := 0
	for i := 0; i+1 < len(labels); i += 2 {
		n += labelLen(e.symbols.strings[labels[i]], e.symbols.strings[labels[i+1]])
	}
	dst := make([]byte, 0, n)
	for i := 0; i+1 < len(labels); i += 2 {
		dst = appendLabel(dst, e.symbols.strings[labels[i]], e.symbols.strings[labels[i+1]])
	}
	return dst
}

// appendLabel appends the field 1 of a series of 1.0.
func appendLabel(dst []byte, name, value string) []byte {
	dst = append(dst, tag(1, wireBytes))
	dst = appendVarint(dst, uint64(stringLen(name)+stringLen(value)))
	dst = appendString(dst, 1, name)
	return appendString(dst, 2, value)
}

func labelLen(name, value string) int {
	n := stringLen(name) + stringLen(value)
	return 1 + varintLen(uint64(n)) + n
}

// Metadata is what is known of a metric family.
type Metadata struct {
	Family     string
	Type       Type
	Help, Unit string
}

// AppendMetadata appends the body of a request of 1.0 that has no samples but
// metadata. In 2.0 every series has its own.
func AppendMetadata(dst []byte, all []Metadata) []byte {
	var m []byte
	for i := range all {
		one := &all[i]
		m = append(m, tag(3, wireBytes))
		m = appendVarint(m, uint64(intLen(uint64(one.Type))+stringLen(one.Family)+stringLen(one.Help)+stringLen(one.Unit)))
		m = appendInt(m, 1, uint64(one.Type))
		m = appendString(m, 2, one.Family)
		m = appendString(m, 4, one.Help)
		m = appendString(m, 5, one.Unit)
	}
	return appendSnappy(dst, m)
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"bytes"
	"slices"
	"strings"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

const nameLabel = series.NameLabel

// describeText parses the text of a series once more, into labels. It is done for
// new series only, after the whole answer has been found to be good.
func (r *seriesReading) describeText(p *pendingSeries) series.Metadata {
	m := r.memory
	if err := m.parser.Parse(r.body[p.line:p.end]); err != nil {
		panic("BUG: a series could be parsed before")
	}
	// All strings are parts of one, because each would be an allocation.
	m.text, m.ends = append(m.text[:0], m.parser.Name...), m.ends[:0]
	for _, label := range m.parser.Labels {
		m.text = append(m.text, label.Name...)
		m.ends = append(m.ends, len(m.text))
		m.text = label.AppendValue(m.text)
		m.ends = append(m.ends, len(m.text))
	}
	text := string(m.text)
	at := len(m.parser.Name)
	m.labels = append(m.labels[:0], series.Label{Name: nameLabel, Value: text[:at]})
	for i := 0; i < len(m.ends); i += 2 {
		name, value := m.ends[i], m.ends[i+1]
		m.labels = append(m.labels, series.Label{Name: text[at:name], Value: text[name:value]})
		at = value
	}
	slices.SortFunc(m.labels, func(a, b series.Label) int { return strings.Compare(a.Name, b.Name) })
	return r.metadata(m.labels.Get(nameLabel), p.comments)
}

// metadata is what the comments that begin at a place say of a series.
func (r *seriesReading) metadata(name string, at int32) series.Metadata {
	if r.meta.Family == name && r.metaAt == at && at >= 0 {
		return r.meta
	}
	meta := series.Metadata{Family: name}
	if at < 0 {
		return meta
	}
	family, help, kind := []byte(nil), []byte(nil), ""
	for rest := r.body[at:]; len(rest) > 0 && rest[0] == '#'; {
		end := bytes.IndexByte(rest, '\n')
		word, of, text := comment(rest[:end])
		rest = rest[end+1:]
		if word == "" {
			continue
		}
		if !bytes.Equal(of, family) {
			family, help, kind = of, nil, ""
		}
		if word == "HELP" {
			help = text
		} else {
			kind = string(text)
		}
	}
	suffix, ok := strings.CutPrefix(name, string(family))
	switch {
	case !ok || len(family) == 0:
		return meta
	case kind == "histogram" && (suffix == "_bucket" || suffix == "_sum" || suffix == "_count"),
		kind == "summary" && (suffix == "_sum" || suffix == "_count"):
		meta.Type = series.Counter
	case suffix != "":
		return meta
	case kind == "counter":
		meta.Type = series.Counter
	case kind == "gauge", kind == "summary":
		meta.Type = series.Gauge
	}
	meta.Family, meta.Help = string(family), unescapeHelp(help)
	r.meta, r.metaAt = meta, at
	return meta
}

// comment is what a comment says of which metric; word is HELP or TYPE, or empty
// for all others.
func comment(line []byte) (word string, of, text []byte) {
	fields := bytes.TrimLeft(line[1:], " \t")
	for _, w := range [...]string{"HELP", "TYPE"} {
		rest, ok := bytes.CutPrefix(fields, []byte(w))
		if !ok || len(rest) == 0 || rest[0] != ' ' && rest[0] != '\t' {
			continue
		}
		rest = bytes.TrimLeft(rest, " \t")
		of = exposition.Name(rest)
		if len(of) == 0 {
			return "", nil, nil
		}
		return w, of, bytes.Trim(rest[len(of):], " \t")
	}
	return "", nil, nil
}

// unescapeHelp replaces the two escapes that a help text has.
func unescapeHelp(text []byte) string {
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text)
	}
	return strings.NewReplacer("\\\\", "\\", "\\n", "\n").Replace(string(text))
}

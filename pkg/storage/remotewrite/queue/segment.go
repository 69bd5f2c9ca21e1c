// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// segmentMagic is how every segment begins; the last byte is the version.
const segmentMagic = "rwqueue\x01"

// segmentSuffix is how the names of segments end.
const segmentSuffix = ".segment"

// A segment is one file of records.
type segment struct {
	path string
	// first and last are the numbers of its records; last is 0 while there is none.
	first, last uint64
	// size is how far it can be read, bytes how long the file is.
	size, bytes int64
	// records and samples are what is not acknowledged.
	records, samples int64
	// sealed: nothing is appended any more.
	sealed bool
}

func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%016x%s", first, segmentSuffix))
}

// segmentPaths is the paths of all segments in a directory, oldest first.
func segmentPaths(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), segmentSuffix)
		if _, err := strconv.ParseUint(name, 16, 64); ok && err == nil && len(name) == 16 {
			paths = append(paths, filepath.Join(dir, entry.Name()))
		}
	}
	slices.Sort(paths)
	return paths, nil
}

// openSegment walks the headers of a segment that another process wrote, and
// counts what is not acknowledged.
func openSegment(path string, acked func(seq uint64) bool) (*segment, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	s := &segment{path: path, bytes: info.Size(), sealed: true}
	b := make([]byte, headerLen)
	if n, _ := f.ReadAt(b[:len(segmentMagic)], 0); string(b[:n]) != segmentMagic {
		return s, nil
	}
	for s.size = int64(len(segmentMagic)); ; {
		if n, _ := f.ReadAt(b, s.size); n < headerLen {
			return s, nil
		}
		h, err := parseHeader(b)
		if err != nil || s.size+headerLen+h.length > s.bytes || h.Seq <= s.last {
			return s, nil
		}
		if s.last == 0 {
			s.first = h.Seq
		}
		s.last = h.Seq
		s.size += headerLen + h.length
		if !acked(h.Seq) {
			s.records++
			s.samples += int64(h.Samples)
		}
	}
}

// A cursor reads one segment after the other, on a handle of its own.
type cursor struct {
	segment *segment
	file    *os.File
	offset  int64
}

// open moves the cursor to the beginning of a segment.
func (c *cursor) open(s *segment) error {
	c.close()
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	*c = cursor{segment: s, file: f, offset: int64(len(segmentMagic))}
	return nil
}

func (c *cursor) close() {
	if c.file != nil {
		c.file.Close()
	}
	*c = cursor{}
}

// read is the record at the cursor, which moves behind it. Where only the body is
// broken, the record is there without it.
func (c *cursor) read() (r Record, whole bool, err error) {
	var b [headerLen]byte
	if _, err := c.file.ReadAt(b[:], c.offset); err != nil {
		return Record{}, false, err
	}
	h, err := parseHeader(b[:])
	if err != nil {
		return Record{}, false, err
	}
	body := make([]byte, h.length)
	n, _ := c.file.ReadAt(body, c.offset+headerLen)
	c.offset += headerLen + h.length
	if n < len(body) || checksum(body) != h.sum {
		return h.Record, false, nil
	}
	h.Body = body
	return h.Record, true, nil
}

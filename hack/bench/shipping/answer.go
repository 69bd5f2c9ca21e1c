// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package shipping

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// An answer is one node's /metrics/cadvisor, whose times and values are written
// anew for each scrape.
type answer struct {
	body []byte
	// times and digits are where, in the body, times begin and a digit of a value is.
	times, digits []int
}

// readRecording reads what a kubelet once said.
func readRecording(dir string) ([]byte, error) {
	file, err := os.Open(filepath.Join(dir, "metrics-cadvisor.txt.gz"))
	if err != nil {
		return nil, fmt.Errorf("read recorded series: %w", err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("read recorded series: %w", err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("read recorded series: %w", err)
	}
	return text, nil
}

// newAnswer makes of what was recorded the answer of another node: its pods and
// containers have other names, of the same length or two digits more.
func newAnswer(recorded []byte, node int) *answer {
	body := regexp.MustCompile(`[0-9a-f]{64}`).ReplaceAllFunc(recorded, func(id []byte) []byte {
		return fmt.Appendf(nil, "%04x%s", node, id[4:])
	})
	body = regexp.MustCompile(`pod="([^"]+)"`).ReplaceAll(body, fmt.Appendf(nil, `pod="${1}-%02d"`, node))
	a := &answer{body: body}
	begin := 0
	for line := range bytes.Lines(body) {
		a.look(line, begin)
		begin += len(line)
	}
	return a
}

// look notes what of a line changes from scrape to scrape. A line is
//
//	name{labels} value time
func (a *answer) look(line []byte, begin int) {
	line = bytes.TrimRight(line, "\n")
	last := bytes.LastIndexByte(line, ' ')
	if bytes.HasPrefix(line, []byte("#")) || len(line)-last-1 != len("1795221790653") {
		return
	}
	a.times = append(a.times, begin+last+1)
	value := line[bytes.LastIndexByte(line[:last], ' ')+1 : last]
	if e := bytes.IndexByte(value, 'e'); e >= 0 {
		value = value[:e]
	}
	// The start of a container stays what it is.
	if digit := len(value) - 1; digit >= 0 && value[digit] >= '0' && value[digit] <= '9' && !bytes.HasPrefix(line, []byte("container_start_time_seconds")) {
		a.digits = append(a.digits, begin+bytes.LastIndexByte(line[:last], ' ')+1+digit)
	}
}

// advance writes the answer of the round-th scrape, at a time.
func (a *answer) advance(round int, at storage.Millis) {
	var text [20]byte
	stamp := strconv.AppendInt(text[:0], int64(at), 10)
	for _, i := range a.times {
		copy(a.body[i:], stamp)
	}
	digit := byte('0' + round%10)
	for _, i := range a.digits {
		a.body[i] = digit
	}
}

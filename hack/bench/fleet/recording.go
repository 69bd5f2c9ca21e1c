// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Of the recorded pods, the one whose name begins with recordedPod is taken for
// all pods, and of its containers the one named recordedContainer for all
// containers.
const (
	recordedPod       = "web-"
	recordedContainer = "web"
)

// Recording is what a real kubelet said on the two sources of custom metrics, as
// templates: so all its series and fields are there, with their lengths.
type Recording struct {
	families         []recordedFamily
	pod, container   template // of the summary
	summary, trailer string   // of the summary, around the pods
}

// recordedFamily is a family of /metrics/cadvisor.
type recordedFamily struct {
	comments string
	// Per pod, of its own cgroup and of its sandbox; per container; and once.
	pod, sandbox, container, node template
}

// ReadRecording reads a directory of pkg/scraper/kubelet/testdata.
func ReadRecording(dir string) (*Recording, error) {
	read := func(name string) ([]byte, error) {
		file, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		defer file.Close()
		z, err := gzip.NewReader(file)
		if err != nil {
			return nil, err
		}
		return io.ReadAll(z)
	}
	summary, err := read("stats-summary-whole.json.gz")
	if err != nil {
		return nil, fmt.Errorf("read a recorded summary: %w", err)
	}
	cadvisor, err := read("metrics-cadvisor.txt.gz")
	if err != nil {
		return nil, fmt.Errorf("read recorded series: %w", err)
	}
	r := &Recording{}
	who, err := r.readSummary(summary)
	if err != nil {
		return nil, fmt.Errorf("read a recorded summary: %w", err)
	}
	if err := r.readSeries(cadvisor, who); err != nil {
		return nil, fmt.Errorf("read recorded series: %w", err)
	}
	return r, nil
}

// recorded is the pod that is taken for all.
type recorded struct{ namespace, pod, uid string }

func (r *recorded) replacements() []replacement {
	return []replacement{{exactly(r.uid), uidSlot}, {exactly(r.pod), podSlot}}
}

// readSummary makes templates of the summary of one pod, with its containers, and
// says which pod that is.
func (r *Recording) readSummary(text []byte) (*recorded, error) {
	var summary struct {
		Node json.RawMessage   `json:"node"`
		Pods []json.RawMessage `json:"pods"`
	}
	if err := json.Unmarshal(text, &summary); err != nil {
		return nil, err
	}
	for _, raw := range summary.Pods {
		var pod map[string]json.RawMessage
		var ref struct{ Name, Namespace, UID string }
		var containers []json.RawMessage
		if err := json.Unmarshal(raw, &pod); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(pod["podRef"], &ref); err != nil || !strings.HasPrefix(ref.Name, recordedPod) {
			continue
		}
		if err := json.Unmarshal(pod["containers"], &containers); err != nil {
			return nil, err
		}
		who := &recorded{namespace: ref.Namespace, pod: ref.Name, uid: ref.UID}
		numbers := []replacement{
			{regexp.MustCompile(`"time":\s*"([^"]*)"`), sampledTextSlot},
			{regexp.MustCompile(`"startTime":\s*"([^"]*)"`), startedTextSlot},
			{regexp.MustCompile(`"(?:usageCoreNanoSeconds|rxBytes|txBytes|pageFaults)":\s*([0-9]+)`), wholeSlot},
		}
		var err error
		for _, c := range containers {
			var named struct{ Name string }
			if err := json.Unmarshal(c, &named); err == nil && named.Name == recordedContainer {
				name := replacement{regexp.MustCompile(`"name":\s*"([^"]*)"`), containerSlot}
				if r.container, err = newTemplate(string(c), append(numbers, name)); err != nil {
					return nil, err
				}
			}
		}
		// The containers come where theirs were.
		before, after, ok := bytes.Cut(raw, pod["containers"])
		if !ok || r.container == nil {
			return nil, fmt.Errorf("pod %s has no container %s", ref.Name, recordedContainer)
		}
		namespace := replacement{regexp.MustCompile(`"namespace":\s*"([^"]*)"`), namespaceSlot}
		all := append(append(who.replacements(), namespace), numbers...)
		head, err := newTemplate(string(before), all)
		if err != nil {
			return nil, err
		}
		tail, err := newTemplate(string(after), all)
		if err != nil {
			return nil, err
		}
		r.pod = append(append(head, part{text: containersMark}), tail...)
		r.summary = `{"node":` + string(summary.Node) + `,"pods":[`
		r.trailer = "]}"
		return who, nil
	}
	return nil, fmt.Errorf("there is no pod %s…", recordedPod)
}

// containersMark is the part of a pod's template where its containers belong.
const containersMark = "\x00"

// readSeries makes templates of /metrics/cadvisor.
func (r *Recording) readSeries(text []byte, who *recorded) error {
	id := regexp.MustCompile(`([0-9a-f]{64})`)
	stamp := regexp.MustCompile(`} [^ ]+ ([0-9]{13})\n`)
	value := regexp.MustCompile(`} ([^ \n]+)`)
	namespace := regexp.MustCompile(`namespace="([^"]*)"`)
	container := regexp.MustCompile(`container="([^"]*)"`)
	counter := false
	var family *recordedFamily
	var name string
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text() + "\n"
		if strings.HasPrefix(line, "# HELP ") {
			r.families = append(r.families, recordedFamily{})
			family = &r.families[len(r.families)-1]
			name = strings.Fields(line)[2]
		}
		if strings.HasPrefix(line, "#") {
			family.comments += line
			counter = strings.HasSuffix(line, " counter\n")
			continue
		}
		replacements := append(who.replacements(), replacement{id, idSlot}, replacement{stamp, sampledSlot}, replacement{namespace, namespaceSlot})
		switch {
		case name == "container_start_time_seconds":
			replacements = append(replacements, replacement{value, startedSlot})
		case name == "container_last_seen":
			replacements = append(replacements, replacement{value, nowSlot})
		case counter:
			replacements = append(replacements, replacement{value, counterSlot})
		}
		into := &family.node
		switch {
		case !strings.Contains(line, `pod="`) || strings.Contains(line, `pod=""`):
			replacements = []replacement{{stamp, sampledSlot}}
		case !strings.Contains(line, who.pod):
			continue // Another pod.
		case strings.Contains(line, `container="`+recordedContainer+`"`):
			into = &family.container
			replacements = append(replacements, replacement{container, containerSlot})
		case !strings.Contains(line, `container=""`):
			continue // Another container.
		case strings.Contains(line, `,name="",`):
			into = &family.pod
		default:
			into = &family.sandbox
		}
		t, err := newTemplate(line, replacements)
		if err != nil {
			return err
		}
		*into = append(*into, t...)
	}
	return lines.Err()
}

// appendCadvisor appends the answer of /metrics/cadvisor at now. Within a family
// the series are in another order than a kubelet's, which sorts by all labels.
func (n *node) appendCadvisor(dst []byte, r *Recording, now int64) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.advanceLocked(now)
	own := cgroup{sampled: n.mu.usage.at, started: n.mu.usage.started}
	for i := range r.families {
		f := &r.families[i]
		dst = append(dst, f.comments...)
		if f.pod != nil || f.sandbox != nil {
			for _, p := range n.mu.podOrder {
				if p.at != 0 {
					dst = f.pod.append(dst, &p.as, now)
					dst = f.sandbox.append(dst, &p.as, now)
				}
			}
		}
		if f.container != nil {
			for _, c := range n.mu.containers {
				if c.at != 0 {
					dst = f.container.append(dst, &c.as, now)
				}
			}
		}
		dst = f.node.append(dst, &own, now)
	}
	return dst
}

// appendWholeSummary appends the answer of /stats/summary at now, where it is not
// asked for CPU and memory only.
func (n *node) appendWholeSummary(dst []byte, r *Recording, now int64) []byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.advanceLocked(now)
	dst = append(dst, r.summary...)
	first := true
	for _, p := range n.mu.podOrder {
		if p.at == 0 {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		for i := range r.pod {
			if r.pod[i].text == containersMark {
				dst = p.appendContainers(dst, r, now)
				continue
			}
			dst = r.pod[i:i+1].append(dst, &p.as, now)
		}
	}
	return append(dst, r.trailer...)
}

func (p *podUsage) appendContainers(dst []byte, r *Recording, now int64) []byte {
	dst = append(dst, '[')
	for _, c := range p.containers {
		if c.at == 0 {
			continue
		}
		if dst[len(dst)-1] != '[' {
			dst = append(dst, ',')
		}
		dst = r.container.append(dst, &c.as, now)
	}
	return append(dst, ']')
}

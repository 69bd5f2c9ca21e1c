// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/rules"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// recordings is what a kubelet answered at some moments, taken in as the server
// does.
type recordings struct {
	recent *series.Recent
	at     storage.Millis
	// answered is the pods that answers are about at the last moment, by namespace
	// and name: of each its containers, and nothing else.
	answered map[string]*corev1.Pod

	// What setPods finds: pods that there are, in which namespaces they are, and what
	// there is to say about them.
	pods       *objects.Pods
	namespaces map[string]bool
	notes      []string
}

// recording is one directory.
type recording struct {
	dir string
	at  storage.Millis
}

// readRecordings reads directories, in the order of their times.
func readRecordings(usable []*rules.Compiled, node string, dirs []string) (*recordings, error) {
	list := make([]recording, len(dirs))
	for i, dir := range dirs {
		at, err := timeOf(dir)
		if err != nil {
			return nil, err
		}
		list[i] = recording{dir, at}
	}
	slices.SortFunc(list, func(a, b recording) int { return int(a.at - b.at) })

	recent, err := series.NewRecent(series.RecentOptions{})
	if err != nil {
		return nil, err
	}
	r := &recordings{recent: recent}
	var selectors []series.Selector
	for _, rule := range usable {
		selectors = append(selectors, rule.Selectors(rules.DefaultMaxAge)...)
	}
	recent.Want(selectors)
	decoder := kubelet.NewSeriesDecoder(kubelet.Options{})
	var streams [series.Sources]*kubelet.SeriesStream
	seen := podCollector{node: node}
	for source := range series.Sources {
		streams[source] = decoder.Stream(node, source)
		streams[source].Attach(recent.Receiver(node, source))
		streams[source].Attach(&seen)
	}
	for _, rec := range list {
		r.at = rec.at
		seen.pods = map[string]*corev1.Pod{}
		for source := range series.Sources {
			body, err := readAnswer(rec.dir, source)
			if err != nil {
				return nil, err
			}
			if body == nil {
				continue
			}
			if _, err := streams[source].Decode(kubelet.SeriesAnswer{Body: body, Sent: rec.at, Received: rec.at}); err != nil && source != series.Summary {
				return nil, fmt.Errorf("read %s of %s: %w", source, rec.dir, err)
			}
		}
	}
	r.answered = seen.pods
	return r, nil
}

// setPods says which pods there are: those of the objects that run on the node, as
// the server would know them, and those that are only in the answers.
func (r *recordings) setPods(known []foundPod, node string) error {
	r.pods, r.namespaces = objects.NewPods(), map[string]bool{}
	var elsewhere, ended int
	var others []string
	add := func(pod *corev1.Pod) error {
		r.namespaces[pod.Namespace] = true
		return r.pods.Add(pod)
	}
	left := maps.Clone(r.answered)
	for _, found := range known {
		pod := found.pod
		answered := r.answered[found.key()]
		delete(left, found.key())
		switch {
		case pod.Status.Phase != "" && pod.Status.Phase != corev1.PodRunning:
			ended++
			continue
		case pod.Spec.NodeName == "":
			pod.Spec.NodeName = node // As one has it who writes a pod by hand.
		case pod.Spec.NodeName != node:
			elsewhere++
			if !slices.Contains(others, pod.Spec.NodeName) {
				others = append(others, pod.Spec.NodeName)
			}
			continue
		}
		if pod.Status.Phase == "" && len(pod.Status.ContainerStatuses) == 0 && answered != nil {
			pod.Status.ContainerStatuses = answered.Status.ContainerStatuses
		}
		if err := add(pod); err != nil {
			return err
		}
	}
	if elsewhere > 0 && elsewhere+ended == len(known) {
		slices.Sort(others)
		return fmt.Errorf("none of the pods in --objects is on the node %q: say with --node which node answered; they are on %s", node, strings.Join(others, ", "))
	}
	for _, pod := range left {
		if err := add(pod); err != nil {
			return err
		}
	}
	note := func(n int, format string, args ...any) {
		if n > 0 && len(known) > 0 {
			r.notes = append(r.notes, fmt.Sprintf("%d of the pods "+format, append([]any{n}, args...)...))
		}
	}
	note(elsewhere, "in --objects are on other nodes than %s, and left out.", node)
	note(ended, "in --objects do not run, and are left out.")
	note(len(left), "in the answers are not in --objects: they are taken to run, without labels and owners.")
	return nil
}

// timeOf is when a directory was recorded.
func timeOf(dir string) (storage.Millis, error) {
	text, err := os.ReadFile(filepath.Join(dir, "time"))
	if err != nil {
		return 0, fmt.Errorf("read when the answers in %s were given: %w", dir, err)
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
	if err != nil {
		return 0, fmt.Errorf("read when the answers in %s were given: %w", dir, err)
	}
	return storage.Millis(seconds * float64(time.Second/time.Millisecond)), nil
}

// maxRecorded is the largest answer that is read.
const maxRecorded = 64 << 20

// readAnswer is a source's answer in a directory; nil is that there is none.
func readAnswer(dir string, source series.Source) ([]byte, error) {
	names := [...]string{series.Resource: "metrics-resource.txt", series.Cadvisor: "metrics-cadvisor.txt", series.Summary: "stats-summary.json"}
	path := filepath.Join(dir, names[source])
	text, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return text, err
	}
	packed, err := os.ReadFile(path + ".gz")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack %s.gz: %w", path, err)
	}
	text, err = io.ReadAll(io.LimitReader(reader, maxRecorded))
	if err != nil {
		return nil, fmt.Errorf("unpack %s.gz: %w", path, err)
	}
	return text, nil
}

// podCollector is a series.Receiver that takes down which pods there are.
type podCollector struct {
	node string
	// pods is those of one moment, by namespace and name.
	pods   map[string]*corev1.Pod
	opened []podSeries
}

// podSeries is what a series says of a pod.
type podSeries struct{ namespace, pod, container string }

// Open is series.Receiver's.
func (c *podCollector) Open(l series.Labels, _ *series.Metadata) series.Handle {
	p := podSeries{strings.Clone(l.Get("namespace")), strings.Clone(l.Get("pod")), strings.Clone(l.Get("container"))}
	if p.pod == "" {
		return 0
	}
	c.opened = append(c.opened, p)
	return series.Handle(len(c.opened))
}

// Commit is series.Receiver's.
func (c *podCollector) Commit(batch *series.Batch, _ []series.Handle) {
	for _, handle := range batch.Handles {
		p := c.opened[handle-1]
		key := podKey(p.namespace, p.pod)
		pod := c.pods[key]
		if pod == nil {
			pod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: p.pod}, Spec: corev1.PodSpec{NodeName: c.node}}
			c.pods[key] = pod
		}
		statuses := &pod.Status.ContainerStatuses
		if p.container != "" && !slices.ContainsFunc(*statuses, func(s corev1.ContainerStatus) bool { return s.Name == p.container }) {
			*statuses = append(*statuses, corev1.ContainerStatus{Name: p.container, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}})
		}
	}
}

// Failed is series.Receiver's.
func (*podCollector) Failed(storage.Millis) {}

// End is series.Receiver's.
func (*podCollector) End(storage.Millis) {}

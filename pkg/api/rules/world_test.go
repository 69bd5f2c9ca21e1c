// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8slabels "k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// world is a cluster as a test says it is: objects, and what nodes answer.
type world struct {
	t        testing.TB
	nodes    *objects.Nodes
	pods     *objects.Pods
	recent   *series.Recent
	provider *Provider
	feeds    map[string]*feed
	// offset is how far the nodes' clocks are behind ours.
	offset storage.Millis
}

// feed plays the decoder of one source of a node.
type feed struct {
	receiver   series.Receiver
	generation uint64
	handles    map[string]series.Handle
}

func newWorld(t testing.TB, nodes ...string) *world {
	t.Helper()
	recent, err := series.NewRecent(series.RecentOptions{})
	w := &world{t: t, nodes: objects.NewNodes(nil), pods: objects.NewPods(), recent: recent, feeds: map[string]*feed{}}
	w.must(err)
	w.must(w.nodes.Replace(nil, "1"))
	w.must(w.pods.Replace(nil, "1"))
	for _, name := range nodes {
		w.must(w.nodes.Add(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"name": name}}}))
	}
	w.provider = New(Options{Samples: recent, Nodes: w.nodes, Pods: w.pods, Want: recent.Want})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// set puts rules in force, all of which are to be good.
func (w *world) set(rules ...Rule) {
	w.t.Helper()
	w.must(errors.Join(w.provider.Set(rules)...))
}

// podOption says what is special about a pod.
type podOption func(*corev1.Pod)

func terminating(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }

func onNode(name string) podOption { return func(p *corev1.Pod) { p.Spec.NodeName = name } }

func begun(at time.Time) podOption {
	return func(p *corev1.Pod) { p.Status.StartTime = &metav1.Time{Time: at} }
}

func labelled(key, value string) podOption {
	return func(p *corev1.Pod) { p.Labels[key] = value }
}

func ownedBy(kind, name string) podOption {
	return func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: name, Controller: new(true)}}
	}
}

func crashed(p *corev1.Pod) {
	p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}
}

// pod adds a running pod of one container c, on the node n1, with the label app.
func (w *world) pod(namespace, name, app string, options ...podOption) {
	w.t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": app}},
		Spec:       corev1.PodSpec{NodeName: "n1", Containers: []corev1.Container{{Name: "c"}}},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			Name: "c", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
		}}},
	}
	for _, option := range options {
		option(pod)
	}
	w.must(w.pods.Add(pod))
}

// answer is an answer of a node's source, at this moment: a series, its value, and
// how old the sample is, on each line.
func (w *world) answer(node string, source series.Source, lines ...string) {
	w.t.Helper()
	key := node + source.Path()
	f := w.feeds[key]
	if f == nil {
		f = &feed{receiver: w.recent.Receiver(node, source), handles: map[string]series.Handle{}}
		w.feeds[key] = f
	}
	chooser, ok := f.receiver.(series.Chooser)
	if !ok {
		w.t.Fatal("the receiver is no Chooser")
	}
	if g := chooser.Generation(); g != f.generation {
		f.generation = g
		clear(f.handles)
	}
	now := storage.MillisOf(time.Now())
	batch := &series.Batch{Node: node, Source: source, Sent: now, Received: now, Offset: w.offset}
	seen := map[string]bool{}
	for _, line := range lines {
		l, value, age := parseLine(w.t, line)
		if !chooser.Wants(l.Get(series.NameLabel)) {
			continue
		}
		id := labels.FromMap(asMap(l)).String()
		handle, known := f.handles[id]
		if !known {
			handle = f.receiver.Open(l, &series.Metadata{})
			f.handles[id] = handle
		}
		seen[id] = true
		if handle != 0 {
			batch.Handles = append(batch.Handles, handle)
			batch.Times = append(batch.Times, now-storage.MillisIn(age)-w.offset)
			batch.Values = append(batch.Values, value)
		}
	}
	var gone []series.Handle
	for _, id := range slices.Collect(maps.Keys(f.handles)) {
		if !seen[id] {
			if f.handles[id] != 0 {
				gone = append(gone, f.handles[id])
			}
			delete(f.handles, id)
		}
	}
	f.receiver.Commit(batch, gone)
}

// parseLine reads `name{label="value"} 5 3s`.
func parseLine(t testing.TB, line string) (l series.Labels, value float64, age time.Duration) {
	t.Helper()
	end := strings.LastIndexByte(line, '}') + 1
	metric, err := newParser().ParseMetric(line[:end])
	if err != nil {
		t.Fatal(err)
	}
	metric.Range(func(label labels.Label) { l = append(l, series.Label{Name: label.Name, Value: label.Value}) })
	fields := strings.Fields(line[end:])
	if value, err = strconv.ParseFloat(fields[0], 64); err == nil && len(fields) > 1 {
		age, err = time.ParseDuration(fields[1])
	}
	if err != nil {
		t.Fatal(err)
	}
	return l, value, age
}

func asMap(l series.Labels) map[string]string {
	m := map[string]string{}
	for _, label := range l {
		m[label.Name] = label.Value
	}
	return m
}

// ask asks for a metric of objects of a resource: "pods", "deployments.apps". The
// values are by the objects' names.
func (w *world) ask(namespace, resource, name, metric, selector string) (map[string]custommetrics.Value, error) {
	w.t.Helper()
	parsed, err := k8slabels.Parse(selector)
	w.must(err)
	q := &custommetrics.Query{
		Resource: schema.ParseGroupResource(resource), Namespace: namespace, Name: name,
		Selector: parsed, Metric: metric, MetricSelector: k8slabels.Everything(),
	}
	return w.query(q)
}

func (w *world) query(q *custommetrics.Query) (map[string]custommetrics.Value, error) {
	var a custommetrics.Answer
	if err := w.provider.Custom(context.Background(), q, &a); err != nil {
		return nil, err
	}
	values := map[string]custommetrics.Value{}
	for _, v := range a.Values {
		values[v.Name] = v
	}
	if len(values) != len(a.Values) {
		w.t.Errorf("two values of one object: %v", a.Values)
	}
	return values, nil
}

// askPods is the values of all pods of a namespace, in thousandths, as text:
// "web-1=5 web-2=6", or the error.
func (w *world) askPods(namespace, metric string) string {
	w.t.Helper()
	return text(w.ask(namespace, "pods", custommetrics.AllObjects, metric, ""))
}

func text(values map[string]custommetrics.Value, err error) string {
	if err != nil {
		return err.Error()
	}
	parts := []string{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		parts = append(parts, fmt.Sprintf("%s=%d", name, values[name].Milli))
	}
	return strings.Join(parts, " ")
}

// external is the values of an external metric, as text: their thousandths in order.
func (w *world) external(namespace, metric, selector string) string {
	w.t.Helper()
	parsed, err := k8slabels.Parse(selector)
	w.must(err)
	values, err := w.provider.External(context.Background(), &custommetrics.ExternalQuery{Namespace: namespace, Metric: metric, Selector: parsed})
	if err != nil {
		return err.Error()
	}
	var milli []int64
	for _, v := range values {
		milli = append(milli, v.Milli)
	}
	slices.Sort(milli)
	return fmt.Sprint(milli)
}

// contains is whether a text has all parts in it.
func contains(text string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}

// containsAny is whether a text has one of the parts in it.
func containsAny(text string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
}

func ofPods(name, expr string) Rule {
	return Rule{Name: name, Attach: Attach{Resource: "pods"}, Expr: expr}
}

func ofNothing(name, expr string, namespaces ...string) Rule {
	return Rule{Name: name, Attach: Attach{External: true}, Expr: expr, Namespaces: namespaces}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"errors"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// world is a cluster as a test says it is: objects, and the readings of each.
// What is not said is not collected.
type world struct {
	t     testing.TB
	nodes *objects.Nodes
	pods  *objects.Pods

	mu sync.Mutex
	// readings are by "namespace/name" of a pod, or by the name of a node.
	readings map[string]map[input.ID]reading
	usage    map[string]storage.PodUsage
	ofNodes  map[string]storage.NodeUsage
	// offsets are by the name of a node.
	offsets map[string]storage.Millis
}

// reading is a value, or why there is none.
type reading struct {
	input.Value
	absence storage.Absence
}

func newWorld(t testing.TB, nodes ...string) *world {
	t.Helper()
	w := &world{
		t: t, nodes: objects.NewNodes(nil), pods: objects.NewPods(),
		readings: map[string]map[input.ID]reading{}, usage: map[string]storage.PodUsage{}, ofNodes: map[string]storage.NodeUsage{}, offsets: map[string]storage.Millis{},
	}
	w.must(w.nodes.Replace(nil, "1"))
	w.must(w.pods.Replace(nil, "1"))
	for _, name := range nodes {
		w.must(w.nodes.Add(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"name": name}}}))
	}
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// podOption says what is special about a pod.
type podOption func(*corev1.Pod)

func terminating(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }

func onHost(p *corev1.Pod) { p.Spec.HostNetwork = true }

func crashed(p *corev1.Pod) {
	p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}
}

func begunAt(at time.Time) podOption {
	return func(p *corev1.Pod) { p.Status.StartTime = &metav1.Time{Time: at} }
}

func requesting(cpu, memory string) podOption {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Requests = quantities(cpu, memory)
	}
}

func limitedTo(cpu, memory string) podOption {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Limits = quantities(cpu, memory)
	}
}

func quantities(cpu, memory string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
}

// pod adds a running pod of one container, on the node n1, with the label app.
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

// set says what is read of an object.
func (w *world) set(object string, id input.ID, r reading) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.readings[object] == nil {
		w.readings[object] = map[input.ID]reading{}
	}
	w.readings[object][id] = r
}

// value sets a reading of that value, taken at t over 15 s.
func (w *world) value(object string, id input.ID, value float64, t storage.Millis) {
	w.set(object, id, reading{Value: input.Value{Time: t, Window: 15_000, Value: value}})
}

// absent sets why there is no reading.
func (w *world) absent(object string, id input.ID, why storage.Absence) {
	w.set(object, id, reading{absence: why})
}

func (w *world) read(object string, id input.ID) (input.Value, storage.Absence) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, ok := w.readings[object][id]
	if !ok {
		return input.Value{}, storage.NotCollected
	}
	return r.Value, r.absence
}

// inputsOf and usageOf are a world as the two stores.
type (
	inputsOf struct{ *world }
	usageOf  struct{ *world }
)

func (w inputsOf) Pod(q *storage.PodQuery, id input.ID, _ storage.Millis, _ *input.Recent) (input.Value, storage.Absence) {
	return w.read(q.Namespace+"/"+q.Name, id)
}

func (w inputsOf) PodPair(q *storage.PodQuery, first, second input.ID, now storage.Millis, recent *input.Recent) (a, b input.Value, absence storage.Absence) {
	if a, absence = w.Pod(q, first, now, recent); absence == storage.Present {
		b, absence = w.Pod(q, second, now, recent)
	}
	return a, b, absence
}

func (w inputsOf) Node(name string, id input.ID, _ storage.Millis) (input.Value, storage.Absence) {
	return w.read(name, id)
}

func (w usageOf) Pod(_ []storage.ContainerUsage, q storage.PodQuery, _ storage.Millis) (storage.PodUsage, storage.Absence) {
	usage, ok := w.usage[q.Namespace+"/"+q.Name]
	if !ok {
		return storage.PodUsage{}, storage.NoRate
	}
	return usage, storage.Present
}

func (w usageOf) Node(name string, _ storage.Millis) (storage.NodeUsage, storage.Absence) {
	usage, ok := w.ofNodes[name]
	if !ok {
		return storage.NodeUsage{}, storage.NotScraped
	}
	return usage, storage.Present
}

func (w usageOf) Offset(node string) storage.Millis { return w.offsets[node] }

// provider is a provider of the world for which everything has been wanted for
// long, so that no request waits.
func (w *world) provider() *Provider {
	w.t.Helper()
	demand, err := NewDemand([]string{AllMetrics}, func(input.Set) {})
	w.must(err)
	demand.wanted(time.Now().Add(-time.Hour))
	return w.providerWith(demand)
}

func (w *world) providerWith(demand *Demand) *Provider {
	return New(Options{Usage: usageOf{w}, Inputs: inputsOf{w}, Nodes: w.nodes, Pods: w.pods, Demand: demand})
}

// query asks for a metric: of pods of a namespace, say "pods shop/*", where app
// is not "" of that app's, of "nodes n1", or of "namespaces shop".
func query(resource, namespace, name, app, metric string) *custommetrics.Query {
	q := &custommetrics.Query{
		Resource: schema.GroupResource{Resource: resource}, Namespace: namespace, Name: name, Metric: metric,
		Selector: labels.Everything(), MetricSelector: labels.Everything(),
	}
	if app != "" {
		q.Selector = labels.SelectorFromSet(labels.Set{"app": app})
	}
	return q
}

// values asks and wants the answer, and no error.
func (w *world) values(q *custommetrics.Query) []custommetrics.Value {
	w.t.Helper()
	var a custommetrics.Answer
	if err := w.provider().Custom(w.t.Context(), q, &a); err != nil {
		w.t.Fatalf("%+v: %v", q, err)
	}
	return a.Values
}

// refusal asks and wants the message of a custommetrics.NotFound.
func (w *world) refusal(q *custommetrics.Query) string {
	w.t.Helper()
	var a custommetrics.Answer
	err := w.provider().Custom(w.t.Context(), q, &a)
	var notFound *custommetrics.NotFound
	if !errors.As(err, &notFound) {
		w.t.Fatalf("%+v: %v with %+v, want a NotFound", q, err, a.Values)
	}
	if len(a.Values) != 0 {
		w.t.Errorf("%+v: not found, and yet %+v", q, a.Values)
	}
	return notFound.Message
}

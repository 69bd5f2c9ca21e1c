// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/metrics/pkg/apis/custom_metrics/v1beta1"
	"k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
)

// customListKind is the kind of every answer about objects, in both versions.
const customListKind = "MetricValueList"

// customList is a MetricValueList.
type customList struct {
	version schema.GroupVersion
	metric  string
	// selector is what the answer says of the series; nil for everything.
	selector *metav1.LabelSelector
	answer   *Answer
}

// selectorOf is a selector over a metric's series as answers repeat it: nil for
// everything, and for one that a metav1.LabelSelector cannot say.
func selectorOf(selector labels.Selector) *metav1.LabelSelector {
	if selector.Empty() {
		return nil
	}
	typed, err := metav1.ParseToLabelSelector(selector.String())
	if err != nil {
		return nil
	}
	return typed
}

// old is whether the list is of v1beta1.
func (l *customList) old() bool { return l.version == v1beta1.SchemeGroupVersion }

// encodes implements content. Objects of no kind or version, which no provider
// has, are left to the typed encoder.
func (l *customList) encodes(wire.Encoding) bool {
	return l.answer.Kind != "" && l.answer.APIVersion != ""
}

// encode implements content.
func (l *customList) encode(out *wire.Chunks, encoding wire.Encoding) {
	if encoding == wire.JSON {
		l.json(out)
	} else {
		l.protobuf(out)
	}
}

// typed implements content.
func (l *customList) typed() runtime.Object {
	if l.old() {
		return l.typedV1beta1()
	}
	return l.typedV1beta2()
}

func (l *customList) typedV1beta1() *v1beta1.MetricValueList {
	list := &v1beta1.MetricValueList{Items: make([]v1beta1.MetricValue, 0, len(l.answer.Values))}
	for i := range l.answer.Values {
		v := &l.answer.Values[i]
		window := windowSeconds(v.Window)
		list.Items = append(list.Items, v1beta1.MetricValue{
			DescribedObject: l.described(v),
			MetricName:      l.metric,
			Timestamp:       metav1.NewTime(v.Time.Time()),
			WindowSeconds:   &window,
			Value:           *resource.NewMilliQuantity(v.Milli, resource.DecimalSI),
			Selector:        l.selector,
		})
	}
	return list
}

func (l *customList) typedV1beta2() *v1beta2.MetricValueList {
	list := &v1beta2.MetricValueList{Items: make([]v1beta2.MetricValue, 0, len(l.answer.Values))}
	for i := range l.answer.Values {
		v := &l.answer.Values[i]
		window := windowSeconds(v.Window)
		list.Items = append(list.Items, v1beta2.MetricValue{
			DescribedObject: l.described(v),
			Metric:          v1beta2.MetricIdentifier{Name: l.metric, Selector: l.selector},
			Timestamp:       metav1.NewTime(v.Time.Time()),
			WindowSeconds:   &window,
			Value:           *resource.NewMilliQuantity(v.Milli, resource.DecimalSI),
		})
	}
	return list
}

func (l *customList) described(v *Value) corev1.ObjectReference {
	return corev1.ObjectReference{Kind: l.answer.Kind, APIVersion: l.answer.APIVersion, Namespace: v.Namespace, Name: v.Name}
}

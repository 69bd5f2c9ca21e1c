// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// WatchHPAs keeps demand true to what the cluster's HPAs need until ctx ends;
// client is the REST client of autoscaling/v2. Without the right to list them it
// goes on trying, and what HPAs ask for is wanted only once they have asked.
func WatchHPAs(ctx context.Context, client cache.Getter, demand *Demand) {
	lw := cache.NewFilteredListWatchFromClient(client, "horizontalpodautoscalers", metav1.NamespaceAll, func(*metav1.ListOptions) {})
	store := &hpaStore{demand: demand, metrics: byName()}
	reflector := cache.NewReflectorWithOptions(lw, &autoscalingv2.HorizontalPodAutoscaler{}, store, cache.ReflectorOptions{Name: "horizontalpodautoscalers"})
	reflector.RunWithContext(ctx)
}

// hpaStore hands on what HPAs need, and keeps nothing else of them. It is a
// cache.TransformingStore.
type hpaStore struct {
	demand  *Demand
	metrics map[string]*Metric
}

var _ cache.TransformingStore = (*hpaStore)(nil)

// hpa is what is kept of an HPA.
type hpa struct {
	namespace, name string
	inputs          input.Set
}

// key is the same for no two HPAs.
func (h *hpa) key() string { return h.namespace + "/" + h.name }

// GetObjectMeta lets client-go's temporary store, through which a reflector's
// first list goes, find the key of an HPA that was trimmed on its way in.
func (h *hpa) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: h.namespace, Name: h.name}
}

// trim is what is kept of obj, an HPA as it is in the API or as it is kept.
func (s *hpaStore) trim(obj any) (*hpa, error) {
	switch object := obj.(type) {
	case *hpa:
		return object, nil
	case *autoscalingv2.HorizontalPodAutoscaler:
		kept := &hpa{namespace: object.Namespace, name: object.Name}
		for i := range object.Spec.Metrics {
			kept.inputs |= s.needs(&object.Spec.Metrics[i])
		}
		return kept, nil
	case cache.DeletedFinalStateUnknown:
		return s.trim(object.Obj)
	default:
		return nil, fmt.Errorf("take in HPA: unexpected type %T", obj)
	}
}

// needs is what one metric of an HPA needs.
func (s *hpaStore) needs(spec *autoscalingv2.MetricSpec) input.Set {
	name := ""
	switch {
	case spec.Pods != nil:
		name = spec.Pods.Metric.Name
	case spec.Object != nil:
		object := spec.Object.DescribedObject
		// The HPA controller takes no version for the core group's, too.
		core := object.APIVersion == "" || object.APIVersion == corev1.SchemeGroupVersion.String()
		if core && (object.Kind == "Pod" || object.Kind == "Namespace") {
			name = spec.Object.Metric.Name
		}
	}
	metric, ok := s.metrics[name]
	if !ok {
		return 0
	}
	return metric.Pods.Inputs()
}

// Transformer is cache.TransformingStore's.
func (s *hpaStore) Transformer() cache.TransformFunc {
	return func(obj any) (any, error) {
		kept, err := s.trim(obj)
		if err != nil {
			return nil, err
		}
		return kept, nil
	}
}

// Add is cache.ReflectorStore's.
func (s *hpaStore) Add(obj any) error { return s.Update(obj) }

// Update is cache.ReflectorStore's.
func (s *hpaStore) Update(obj any) error {
	kept, err := s.trim(obj)
	if err != nil {
		return err
	}
	s.demand.setHPA(kept.key(), kept.inputs)
	return nil
}

// Delete is cache.ReflectorStore's.
func (s *hpaStore) Delete(obj any) error {
	kept, err := s.trim(obj)
	if err != nil {
		return err
	}
	s.demand.setHPA(kept.key(), 0)
	return nil
}

// Replace is cache.ReflectorStore's: list is all HPAs. Nothing changes where it
// fails.
func (s *hpaStore) Replace(list []any, _ string) error {
	byHPA := map[string]input.Set{}
	for _, obj := range list {
		kept, err := s.trim(obj)
		if err != nil {
			return err
		}
		if kept.inputs != 0 {
			byHPA[kept.key()] = kept.inputs
		}
	}
	s.demand.setHPAs(byHPA)
	return nil
}

// Resync is cache.ReflectorStore's; there is nothing to do.
func (s *hpaStore) Resync() error { return nil }

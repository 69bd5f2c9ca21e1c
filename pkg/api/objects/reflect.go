// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/cache"
)

// WatchPods keeps pods true to the cluster's running pods until ctx ends; client
// is the REST client of the core group. It must be the only one to feed pods.
// Pods that are not running have no usage, so the API server selects them away.
func WatchPods(ctx context.Context, client cache.Getter, pods *Pods) {
	running := fields.OneTermEqualSelector("status.phase", string(corev1.PodRunning)).String()
	lw := cache.NewFilteredListWatchFromClient(client, "pods", metav1.NamespaceAll, func(o *metav1.ListOptions) {
		o.FieldSelector = running
	})
	run(ctx, "pods", lw, &corev1.Pod{}, pods)
}

// WatchNodes keeps nodes true to the cluster's nodes that selector matches until
// ctx ends; client is the REST client of the core group. It must be the only
// one to feed nodes, or events would lose their order.
func WatchNodes(ctx context.Context, client cache.Getter, selector labels.Selector, nodes *Nodes) {
	lw := cache.NewFilteredListWatchFromClient(client, "nodes", metav1.NamespaceAll, func(o *metav1.ListOptions) {
		o.LabelSelector = selector.String()
	})
	run(ctx, "nodes", lw, &corev1.Node{}, nodes)
}

func run(ctx context.Context, name string, lw cache.ListerWatcher, object any, store cache.ReflectorStore) {
	reflector := cache.NewReflectorWithOptions(lw, object, store, cache.ReflectorOptions{Name: name})
	reflector.RunWithContext(ctx)
}

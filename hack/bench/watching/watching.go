// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package watching

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// Run watches as the kubeconfig's user until ctx ends.
func Run(ctx context.Context, kubeconfig string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return fmt.Errorf("read how to reach kube-apiserver: %w", err)
	}
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf
	config.DisableCompression = true // As the product has it.
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	var group errgroup.Group
	for resource, object := range map[string]runtime.Object{"nodes": &corev1.Node{}, "pods": &corev1.Pod{}} {
		lw := cache.NewFilteredListWatchFromClient(client.CoreV1().RESTClient(), resource, metav1.NamespaceAll, func(o *metav1.ListOptions) {
			if resource == "pods" {
				o.FieldSelector = "status.phase=Running"
			}
		})
		r := cache.NewReflectorWithOptions(lw, object, discard{}, cache.ReflectorOptions{Name: resource})
		group.Go(func() error {
			r.RunWithContext(ctx)
			return nil
		})
	}
	return group.Wait()
}

// discard is a store that keeps nothing.
type discard struct{}

func (discard) Add(any) error               { return nil }
func (discard) Update(any) error            { return nil }
func (discard) Delete(any) error            { return nil }
func (discard) Replace([]any, string) error { return nil }
func (discard) Resync() error               { return nil }

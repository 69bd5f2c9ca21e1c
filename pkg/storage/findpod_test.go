// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package storage_test

import "github.com/metrics-apiserver/metrics-apiserver/pkg/storage"

// statusFunc says what the cluster knows of the containers of a pod, the plain
// way: by its name.
type statusFunc func(namespace, name string) (containers []storage.ContainerStatus, known bool)

// findPod makes an Options.FindPod of it. The pods that it finds are known for
// as long as status knows one of their name.
func (status statusFunc) findPod(namespace, name string) storage.KnownPod {
	if _, known := status(namespace, name); !known {
		return nil
	}
	return &podNamed{status: status, namespace: namespace, name: name}
}

// findOnce is findPod with pods that are gone once they were asked, so that they
// are looked up by name for each commit.
func (status statusFunc) findOnce(namespace, name string) storage.KnownPod {
	if _, known := status(namespace, name); !known {
		return nil
	}
	return &podNamed{status: status, namespace: namespace, name: name, once: true}
}

// podNamed is whatever pod has its name.
type podNamed struct {
	status          statusFunc
	namespace, name string
	once, asked     bool
	place           *storage.PodPlace
}

func (p *podNamed) Place() *storage.PodPlace { return p.place }

func (p *podNamed) Statuses() ([]storage.ContainerStatus, bool) {
	if p.once && p.asked {
		return nil, false
	}
	p.asked = true
	return p.status(p.namespace, p.name)
}

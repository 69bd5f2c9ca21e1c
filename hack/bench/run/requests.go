// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bytes"
	"fmt"
	"net/url"

	"k8s.io/apimachinery/pkg/runtime"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/listing"
)

// api is the version that both servers have.
const api = "/apis/metrics.k8s.io/v1beta1"

// fullList is the list of all pods.
func fullList(encoding listing.Encoding, gzip bool) listing.Request {
	return listing.Request{Path: api + "/pods", Encoding: encoding, Gzip: gzip}
}

// namespaceList is the list of the pods of a namespace.
func namespaceList(namespace string) listing.Request {
	return listing.Request{Path: api + "/namespaces/" + namespace + "/pods", Encoding: listing.Protobuf}
}

// hpaList is what an HPA asks for: the pods of one workload.
func (s *site) hpaList() listing.Request {
	// The first that is neither first nor last in its namespace.
	pod := s.world.Pod(min(105, s.world.TotalPods()-1), 0)
	r := namespaceList(pod.Namespace)
	r.Path += "?labelSelector=" + url.QueryEscape("app.kubernetes.io/name="+pod.Workload)
	return r
}

// decodeList reads a list in protobuf.
func decodeList(body []byte) (*metricsv1beta1.PodMetricsList, error) {
	raw, ok := bytes.CutPrefix(body, []byte("k8s\x00"))
	if !ok {
		return nil, fmt.Errorf("read a list: %d bytes are not the API's protobuf", len(body))
	}
	var envelope runtime.Unknown
	if err := envelope.Unmarshal(raw); err != nil {
		return nil, fmt.Errorf("read a list: %w", err)
	}
	list := new(metricsv1beta1.PodMetricsList)
	if err := list.Unmarshal(envelope.Raw); err != nil {
		return nil, fmt.Errorf("read a list: %w", err)
	}
	return list, nil
}

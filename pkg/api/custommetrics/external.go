// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"net/http"

	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
)

// externalServer serves metrics that describe no object.
type externalServer struct {
	*writer
	provider ExternalProvider
	listed   *listed[string]
}

// resources is the document of a version.
func (s *externalServer) resources(version schema.GroupVersion) *resourceList {
	return &resourceList{version: version, kind: externalListKind, entries: s.listed.get().entries}
}

// metric answers a request.
func (s *externalServer) metric(response http.ResponseWriter, request *http.Request, version schema.GroupVersion, info *genericapirequest.RequestInfo) {
	s.listed.get() // for the aggregated document, which may be behind
	q, err := externalQuery(info, request)
	if err != nil {
		s.error(response, request, err)
		return
	}
	values, err := s.provider.External(request.Context(), q)
	if err != nil {
		s.error(response, request, providerError(err))
		return
	}
	if len(values) == 0 {
		s.error(response, request, notFound("no value of external metric %s in namespace %s with selector %q", q.Metric, q.Namespace, q.Selector))
		return
	}
	s.content(response, request, version, &externalList{version: version, metric: q.Metric, values: values})
}

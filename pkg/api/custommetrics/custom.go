// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"fmt"
	"net/http"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
)

// customServer serves metrics that describe objects.
type customServer struct {
	*writer
	provider Provider
	listed   *listed[MetricInfo]
	// answers keeps the room of some answers for those that come.
	answers sync.Pool // of *Answer
}

// maxPooledValues is up to how many values the room of an answer is kept.
const maxPooledValues = 4096

// resources is the document of a version.
func (s *customServer) resources(version schema.GroupVersion) *resourceList {
	return &resourceList{version: version, kind: customListKind, entries: s.listed.get().entries}
}

// metric answers a request.
func (s *customServer) metric(response http.ResponseWriter, request *http.Request, version schema.GroupVersion, info *genericapirequest.RequestInfo) {
	answer, ok := s.answers.Get().(*Answer)
	if !ok {
		answer = &Answer{}
	}
	defer s.keep(answer)
	q, err := s.ask(request, info, answer)
	if err != nil {
		s.error(response, request, err)
		return
	}
	s.content(response, request, version, &customList{
		version:  version,
		metric:   q.Metric,
		selector: selectorOf(q.MetricSelector),
		answer:   answer,
	})
}

// keep keeps the room of an answer that has been written.
func (s *customServer) keep(answer *Answer) {
	if cap(answer.Values) > maxPooledValues {
		return
	}
	*answer = Answer{Values: answer.Values[:0]}
	s.answers.Put(answer)
}

// ask asks the provider what the request asks.
func (s *customServer) ask(request *http.Request, info *genericapirequest.RequestInfo, answer *Answer) (*Query, error) {
	q, err := customQuery(info, request)
	if err != nil {
		return nil, err
	}
	namespaced, known := s.listed.get().namespaced[q.Resource]
	if err := checkScope(q, namespaced, known); err != nil {
		return nil, err
	}
	if err := s.provider.Custom(request.Context(), q, answer); err != nil {
		return nil, providerError(err)
	}
	switch n := len(answer.Values); {
	case n == 0:
		return nil, noValue(q)
	case n > 1 && q.Name != AllObjects:
		return nil, apierrors.NewInternalError(errTooMany)
	}
	return q, nil
}

// noValue is what to say for a provider that did not.
func noValue(q *Query) error {
	text := fmt.Sprintf("no value of metric %s for %s %s", q.Metric, q.Resource, q.Name)
	if q.Namespace != "" {
		text += " in namespace " + q.Namespace
	}
	if !q.Selector.Empty() {
		text += fmt.Sprintf(" with selector %q", q.Selector)
	}
	return notFound("%s", text)
}

// checkScope checks that the objects are where the query looks for them. A query
// is authorized in its namespace, and a provider that did not mind it for objects
// that have none would serve them to whoever may read any namespace.
func checkScope(q *Query, namespaced, known bool) error {
	if !known {
		return nil
	}
	switch {
	case !namespaced && q.Namespace != "":
		return notFound("%s are in no namespace, so metric %s of %s cannot be asked for in namespace %s, where an HPA asks; it is at .../%s/%s/%s",
			q.Resource, q.Metric, q.Name, q.Namespace, q.Resource, q.Name, q.Metric)
	case namespaced && q.Namespace == "" && q.Name != AllObjects:
		return notFound("%s are in namespaces: metric %s of %s is at .../namespaces/{namespace}/%s/%s/%s",
			q.Resource, q.Metric, q.Name, q.Resource, q.Name, q.Metric)
	default:
		return nil
	}
}

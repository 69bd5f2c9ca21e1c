// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// A Provider has metrics that describe objects of the cluster. Its methods are
// called concurrently.
type Provider interface {
	// Metrics are all metrics that can be asked for, for discovery and for what
	// lives in namespaces. They may change. It is called for every request, so
	// it is quick, and as long as nothing changes it returns the same slice. The
	// caller does not write to that, and the provider does not once it has
	// returned it.
	//
	// A resource is namespaced in all of its metrics or in none: a document that
	// says both is refused by clients as a whole. So what contradicts an earlier
	// entry is left out, and so are names that no path can have.
	Metrics() []MetricInfo

	// Custom appends to a.Values what the query asks for, and sets the other
	// fields of a; it keeps nothing of a, and a.Values may have room in it
	// already. An object without a value is left out. If that leaves none, and
	// for what is not known at all, the error is a *NotFound, whose message
	// people read. Any other error is served as 503, with its text, or as what
	// it says itself if it is an API status. q is only read, and not kept.
	// The context ends when a client would rather hear that there is nothing.
	Custom(ctx context.Context, q *Query, a *Answer) error
}

// AllObjects is the Name of a Query that asks for all objects that its Selector
// matches.
const AllObjects = "*"

// A Query asks for one metric of one object or of several.
type Query struct {
	// Resource is what kind of objects is asked for, as in the path: lower case
	// and plural. It need not be one that the provider has.
	// Namespaces are objects, too: the Name is the namespace's then, and never
	// AllObjects.
	Resource schema.GroupResource
	// Namespace is that of the objects. It is empty for a Resource that Metrics
	// says has none, and, if the Name is AllObjects, for those of all namespaces.
	Namespace string
	// Name is the object's, or AllObjects. One object has one value or none.
	Name string
	// Selector is over the objects' labels. It is never nil, and selects
	// everything if Name is not AllObjects.
	Selector labels.Selector
	// Metric is the metric's name.
	Metric string
	// MetricSelector is over the labels of the metric's series. It is never nil.
	MetricSelector labels.Selector
}

// A Value is a metric's value for one object.
type Value struct {
	// Namespace is the object's; empty if it has none.
	Namespace string
	// Name is the object's.
	Name string
	// Time is when the value was sampled.
	Time storage.Millis
	// Window is the time over which a rate was taken; 0 for a gauge.
	Window storage.Millis
	// Milli is the value in thousandths.
	Milli int64
}

// An Answer is one metric's values for objects of one kind.
type Answer struct {
	// Kind is that of the objects, such as "Pod".
	Kind string
	// APIVersion is that of the objects, such as "v1" or "apps/v1".
	APIVersion string
	// Values has an entry for each object with a value, in the order in which
	// they are served.
	Values []Value
}

// MetricInfo is one metric of one resource, for discovery.
type MetricInfo struct {
	// Resource is what the metric describes, lower case and plural.
	Resource schema.GroupResource
	// Namespaced says whether objects of the resource live in namespaces.
	Namespaced bool
	// Metric is the metric's name.
	Metric string
}

// An ExternalProvider has metrics that describe no object of the cluster. Its
// methods are called concurrently.
type ExternalProvider interface {
	// ExternalMetrics are the names of all metrics that can be asked for, for
	// discovery. They may change; otherwise it is as with Provider.Metrics.
	ExternalMetrics() []string

	// External is what the query asks for: the values of the series that its
	// selector matches, which an HPA adds up. If there are none, and for what is
	// not known at all, the error is a *NotFound; for others, see
	// Provider.Custom. q is only read, and not kept; what is returned is not
	// written to by either side.
	External(ctx context.Context, q *ExternalQuery) ([]ExternalValue, error)
}

// An ExternalQuery asks for one metric in one namespace.
type ExternalQuery struct {
	// Namespace is the one in whose name it is asked.
	Namespace string
	// Metric is the metric's name.
	Metric string
	// Selector is over the labels of the metric's series. It is never nil.
	Selector labels.Selector
}

// An ExternalValue is the value of one series.
type ExternalValue struct {
	// Labels tell the series from the metric's others.
	Labels map[string]string
	// Time is when the value was sampled.
	Time storage.Millis
	// Window is the time over which a rate was taken; 0 for a gauge.
	Window storage.Millis
	// Milli is the value in thousandths.
	Milli int64
}

// NotFound is the error of a provider that has no value for a query.
type NotFound struct {
	// Message says why, to people: an HPA shows it as it is. It names the
	// metric, the objects and the selector, and how many of the objects matched
	// and had a value.
	Message string
}

// Error implements error.
func (e *NotFound) Error() string { return e.Message }

// NotFoundf is a *NotFound with a message that is formatted as fmt.Sprintf does.
func NotFoundf(format string, args ...any) error {
	return &NotFound{Message: fmt.Sprintf(format, args...)}
}

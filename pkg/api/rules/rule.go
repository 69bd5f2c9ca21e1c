// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import "time"

// Rule is a metric as it is configured.
type Rule struct {
	// Name is the metric's.
	Name string
	// Attach is what its values are of.
	Attach Attach
	// Expr is PromQL.
	Expr string
	// Window is the time that is served as the one over which the value was taken;
	// 0 is the longest range in the expression.
	Window time.Duration
	// MaxAge is how old a sample may be; 0 is Options.MaxAge.
	MaxAge time.Duration
	// OnMissing is what becomes of a value that lacks samples, OnNaN of one that is
	// not a number. Empty is Omit.
	OnMissing, OnNaN Policy
	// Namespaces are where an external metric is visible; AllNamespaces is
	// everywhere. Other metrics have none.
	Namespaces []string
}

// Attach is what a metric's values are of: objects of a resource, or nothing in
// the cluster.
type Attach struct {
	// Group and Resource name the resource, in lower case and plural; the core group
	// is empty. Nodes and namespaces are in no namespace, all others are.
	Group, Resource string
	// Label is the label of the results whose value is the object's name. Empty is
	// pod for pods, node for nodes and namespace for namespaces; others need it.
	Label string
	// External is that the metric is of no object.
	External bool
}

// AllNamespaces among a rule's Namespaces is all of them.
const AllNamespaces = "*"

// A Policy is what becomes of a value that is not as it should be.
type Policy string

// The policies.
const (
	// Omit leaves the value out.
	Omit Policy = "omit"
	// Ignore serves what there is. It is for what is missing only.
	Ignore Policy = "ignore"
	// Zero takes what is not there for 0.
	Zero Policy = "zero"
)

// A FieldError is what is wrong with a field of a rule.
type FieldError struct {
	// Field is its name in the configuration, such as "expr" or "attach.label".
	Field string
	// Err says what is wrong, and what to do.
	Err error
}

// Error implements error.
func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap is the error without the field.
func (e *FieldError) Unwrap() error { return e.Err }

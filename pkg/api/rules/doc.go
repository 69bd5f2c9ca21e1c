// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rules has the metrics that a configuration defines: each an expression
// in PromQL over what kubelets say, of pods, nodes, namespaces, other objects, or
// of nothing in the cluster.
//
//   - Rule is one metric as it is written, Compiled what Compile makes of it.
//   - Provider serves the rules in force; it is a custommetrics.Provider and a
//     custommetrics.ExternalProvider. Set replaces the rules while it serves.
//
// # What an expression sees
//
// A rule is evaluated for one namespace, when somebody asks, and reads nothing but
// that namespace's series: others are out of reach of the expression, whatever it
// says. Rules about nodes see everything, because reading nodes is a right of its
// own. Of pods there are only those that run, as the node tells on which they do.
// Labels of the pods, and the workloads they belong to, are there as labels where
// an expression names them.
//
// # When there is no value
//
// A sample older than the rule's maxAge is not used. What lacks one that ought to
// be there (of a pod that runs, whose node does not answer) would be too small, and
// an HPA would scale down on it, so there is no value then, unless the rule says
// otherwise. Two results for one object are an error: one of them would be a guess.
// Every reason is counted, and told where nobody has a value.
//
// # Bounds
//
// An evaluation has a second, and so many samples; few run at once, of one rule
// only one at a time; and a rule that has used up its share of a CPU waits. Results
// are kept for a second, and who asks while they are made waits for them.
//
// # Concurrency
//
// All methods may be called concurrently. Nothing runs between requests.
package rules

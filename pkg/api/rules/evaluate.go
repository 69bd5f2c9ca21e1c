// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// Bounds of an evaluation.
const (
	// evaluationTimeout is how long one may take.
	evaluationTimeout = time.Second
	// maxSamples is how many samples it may read, and have at once.
	maxSamples = 2_000_000
	// subqueryStep is the step of subqueries that do not say, in milliseconds.
	subqueryStep = 15_000
)

// Evaluator evaluates rules. It may be used concurrently.
type Evaluator struct {
	samples Samples
	pods    *objects.Pods
	engine  *promql.Engine
	maxAge  storage.Millis
	scratch scratches
}

// NewEvaluator is an evaluator over samples of the pods that run. maxAge is how old
// a sample may be where a rule does not say; 0 is DefaultMaxAge.
func NewEvaluator(samples Samples, pods *objects.Pods, maxAge time.Duration) *Evaluator {
	if maxAge == 0 {
		maxAge = DefaultMaxAge
	}
	return &Evaluator{
		samples: samples,
		pods:    pods,
		maxAge:  storage.MillisIn(maxAge),
		engine: promql.NewEngine(promql.EngineOpts{
			MaxSamples:               maxSamples,
			Timeout:                  evaluationTimeout,
			Parser:                   &preparedParser{Parser: newParser()},
			NoStepSubqueryIntervalFn: func(int64) int64 { return subqueryStep },
		}),
	}
}

// Result is what a rule is in one namespace at one moment. It is not changed once
// it is made.
type Result struct {
	// At is the moment.
	At storage.Millis
	// Elements are in the order of the engine, which is none.
	Elements []Element
	// Err is that there is no result.
	Err error
	// failed is why, if it is.
	failed failure

	// byObject has the indices of the elements of each object.
	byObject map[string][]int
	// missing is what ought to have been read and was not, and short what there was
	// no memory for.
	missing attribution
	short   int
	// settled is that the rule has been in force for long enough that what is not
	// there will not come.
	settled bool
	// empty is the names of series of which there was none.
	empty []string
}

// An Element is one value of a result.
type Element struct {
	Labels labels.Labels
	Value  float64
	// Time is the oldest of the newest samples that it can have been made from.
	Time storage.Millis
	// lacks is how many inputs are missing, and because of what the first.
	lacks   int
	because *input
}

// Evaluate evaluates a rule for a namespace; empty is all of them, which only rules
// about nodes are evaluated for. since is from when on the rule's series have been
// selected. The context bounds it, beside the evaluator's own bound.
func (e *Evaluator) Evaluate(ctx context.Context, c *Compiled, namespace string, at, since storage.Millis) *Result {
	r := &reading{
		scratch: e.scratch.get(),
		samples: e.samples, pods: e.pods, rule: c, namespace: namespace,
		at: at, maxAge: c.ageOr(e.maxAge), since: since, keep: maxSamples,
		builder: labels.NewScratchBuilder(24),
	}
	result := &Result{At: at, settled: at-since > r.maxAge}
	vector, err := e.run(ctx, c, r)
	if err != nil {
		result.Err, result.failed = err, failureOf(err)
		return result
	}
	result.Elements = make([]Element, 0, len(vector.Value))
	for i := range vector.Value {
		result.Elements = append(result.Elements, r.element(&vector.Value[i]))
	}
	vector.close()
	e.scratch.put(r.scratch)
	result.index(c)
	result.missing, result.empty = r.missing, r.empty
	for i := range c.selectors {
		short := e.samples.Shortfall(namespace, c.selectors[i].name)
		result.short += short.Missing + short.Shortened
	}
	return result
}

// evaluated is a result that is the engine's until it is closed.
type evaluated struct {
	Value promql.Vector
	close func()
}

// run has the engine evaluate the expression over r.
func (e *Evaluator) run(ctx context.Context, c *Compiled, r *reading) (evaluated, error) {
	options := promql.NewPrometheusQueryOpts(false, r.maxAge.Duration())
	query, err := e.engine.NewInstantQuery(ctx, r, options, c.rule.Expr, r.at.Time())
	if err != nil {
		return evaluated{}, plainError(err)
	}
	result := query.Exec(ctx)
	if r.exceeded {
		query.Close()
		return evaluated{}, errExceeded
	}
	if result.Err != nil {
		query.Close()
		return evaluated{}, plainError(result.Err)
	}
	vector, err := result.Vector()
	if err != nil {
		query.Close()
		return evaluated{}, err
	}
	return evaluated{vector, query.Close}, nil
}

// Errors of an evaluation in words for people.
var (
	errTooLong = fmt.Errorf("it takes longer than %v", evaluationTimeout)
	errTooMuch = fmt.Errorf("it takes more than %d samples at once", maxSamples)
)

// plainError is an engine's error in words for people.
func plainError(err error) error {
	if _, ok := errors.AsType[promql.ErrQueryTimeout](err); ok {
		return errTooLong
	}
	if _, ok := errors.AsType[promql.ErrTooManySamples](err); ok {
		return errTooMuch
	}
	return err
}

// failureOf is which failure the error of an evaluation is.
func failureOf(err error) failure {
	switch {
	case errors.Is(err, errTooLong):
		return tookTooLong
	case errors.Is(err, errTooMuch), errors.Is(err, errExceeded):
		return tookTooMuch
	default:
		return failedItself
	}
}

// element is one result of the engine.
func (r *reading) element(sample *promql.Sample) Element {
	element := Element{Labels: sample.Metric, Value: sample.F, Time: r.at}
	if sample.H != nil {
		element.Value = math.NaN()
	}
	used, lacks := r.used.of(sample.Metric), r.missing.of(sample.Metric)
	if used.count == 0 {
		used, lacks = r.used.all(), r.missing.all()
	}
	if used.count > 0 {
		element.Time = min(used.oldest, r.at)
	}
	if element.lacks = lacks.count; lacks.count > 0 {
		element.because = &r.missing.inputs[lacks.first]
	}
	return element
}

// index finds the elements of each object.
func (r *Result) index(c *Compiled) {
	if c.rule.Attach.External {
		return
	}
	r.byObject = make(map[string][]int, len(r.Elements))
	for i := range r.Elements {
		name := r.Elements[i].Labels.Get(c.label)
		r.byObject[name] = append(r.byObject[name], i)
	}
}

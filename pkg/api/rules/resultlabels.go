// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"slices"

	"github.com/prometheus/prometheus/promql/parser"
)

// resultLabels is which labels the results of an expression can have; all is that
// it could be any.
func resultLabels(expr parser.Expr) (labels []string, all bool) {
	switch e := expr.(type) {
	case *parser.ParenExpr:
		return resultLabels(e.Expr)
	case *parser.UnaryExpr:
		return resultLabels(e.Expr)
	case *parser.AggregateExpr:
		return ofAggregate(e)
	case *parser.Call:
		return ofCall(e)
	case *parser.BinaryExpr:
		return ofBinary(e)
	default:
		return nil, true
	}
}

func ofAggregate(e *parser.AggregateExpr) (labels []string, all bool) {
	switch e.Op {
	case parser.TOPK, parser.BOTTOMK, parser.LIMITK, parser.LIMIT_RATIO:
		return resultLabels(e.Expr) // They choose among results.
	case parser.COUNT_VALUES:
		if name, ok := e.Param.(*parser.StringLiteral); ok && !e.Without {
			return append(slices.Clone(e.Grouping), name.Val), false
		}
		return nil, true
	}
	inner, all := resultLabels(e.Expr)
	switch {
	case !e.Without && all:
		return e.Grouping, false
	case !e.Without:
		return slices.DeleteFunc(slices.Clone(e.Grouping), func(l string) bool { return !slices.Contains(inner, l) }), false
	default:
		return slices.DeleteFunc(slices.Clone(inner), func(l string) bool { return slices.Contains(e.Grouping, l) }), all
	}
}

func ofCall(e *parser.Call) (labels []string, all bool) {
	switch e.Func.Name {
	case "vector", "time":
		return nil, false
	case "absent", "absent_over_time", "info":
		return nil, true
	case "label_replace", "label_join":
		inner, all := resultLabels(e.Args[0])
		if name, ok := e.Args[1].(*parser.StringLiteral); ok {
			inner = append(slices.Clone(inner), name.Val)
		}
		return inner, all
	}
	for _, arg := range e.Args {
		switch arg.Type() {
		case parser.ValueTypeVector:
			return resultLabels(arg)
		case parser.ValueTypeMatrix:
			if sub, ok := arg.(*parser.SubqueryExpr); ok {
				return resultLabels(sub.Expr)
			}
			return nil, true
		}
	}
	return nil, true
}

func ofBinary(e *parser.BinaryExpr) (labels []string, all bool) {
	left, leftAll := resultLabels(e.LHS)
	right, rightAll := resultLabels(e.RHS)
	switch m := e.VectorMatching; {
	case e.LHS.Type() == parser.ValueTypeScalar:
		return right, rightAll
	case e.RHS.Type() == parser.ValueTypeScalar, m == nil:
		return left, leftAll
	case e.Op == parser.LOR:
		return append(slices.Clone(left), right...), leftAll || rightAll
	case e.Op == parser.LAND, e.Op == parser.LUNLESS:
		return left, leftAll
	case m.Card == parser.CardOneToOne && m.On && !e.Op.IsComparisonOperator():
		return m.MatchingLabels, false
	case m.Card == parser.CardOneToMany:
		return append(slices.Clone(right), m.Include...), rightAll
	default:
		return append(slices.Clone(left), m.Include...), leftAll
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"slices"

	"github.com/prometheus/prometheus/promql/parser"
)

// numberLabel is the label that tells series apart whose other labels are left out.
// No name of a label that a kubelet writes begins like it.
const numberLabel = "#"

// narrowed is the labels of series that can be seen in a result, sorted, numberLabel
// among them; nil is all of them.
//
// Where every series goes into an aggregation by labels, nothing outside sees any
// others. So the engine is given those, and a number of its own for each series,
// since its checks for two of the same labels would find some that differ in what is
// left out: most of an evaluation's memory was labels that nobody reads. What is
// between the series and its aggregation must look at no labels.
//
// names are all labels that the expression names anywhere, so that what results
// are made from is found as ever (attribution).
func narrowed(expr parser.Expr, names map[string]bool) []string {
	if names[numberLabel] || !allAggregated(expr) {
		return nil
	}
	list := []string{numberLabel}
	for name := range names {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// allAggregated is whether every selector is in an aggregation by labels, with
// nothing in between that looks at labels.
func allAggregated(expr parser.Expr) bool {
	switch e := expr.(type) {
	case *parser.NumberLiteral, *parser.StringLiteral:
		return true
	case *parser.ParenExpr:
		return allAggregated(e.Expr)
	case *parser.UnaryExpr:
		return allAggregated(e.Expr)
	case *parser.BinaryExpr:
		return allAggregated(e.LHS) && allAggregated(e.RHS)
	case *parser.SubqueryExpr:
		return allAggregated(e.Expr)
	case *parser.Call:
		return !slices.ContainsFunc(e.Args, func(arg parser.Expr) bool { return !allAggregated(arg) })
	case *parser.AggregateExpr:
		if e.Param != nil && !allAggregated(e.Param) {
			return false
		}
		return allAggregated(e.Expr) || !e.Without && sumsUp(e.Op) && isBlind(e.Expr)
	default:
		return false
	}
}

// sumsUp is whether an aggregation makes one value of each group.
func sumsUp(op parser.ItemType) bool {
	switch op {
	case parser.SUM, parser.AVG, parser.MIN, parser.MAX, parser.COUNT, parser.GROUP, parser.STDDEV, parser.STDVAR, parser.QUANTILE:
		return true
	default:
		return false
	}
}

// isBlind is whether an expression over series looks at none of their labels.
func isBlind(expr parser.Expr) bool {
	switch e := expr.(type) {
	case *parser.VectorSelector, *parser.MatrixSelector, *parser.NumberLiteral:
		return true
	case *parser.ParenExpr:
		return isBlind(e.Expr)
	case *parser.UnaryExpr:
		return isBlind(e.Expr)
	case *parser.BinaryExpr:
		_, left := e.LHS.(*parser.NumberLiteral)
		_, right := e.RHS.(*parser.NumberLiteral)
		return (left || right) && isBlind(e.LHS) && isBlind(e.RHS)
	case *parser.Call:
		return blindFunction(e.Func.Name) && !slices.ContainsFunc(e.Args, func(arg parser.Expr) bool { return !isBlind(arg) })
	default:
		return false
	}
}

func blindFunction(name string) bool {
	switch name {
	case "rate", "irate", "increase", "delta", "idelta", "deriv", "changes", "resets",
		"avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "count_over_time", "last_over_time",
		"quantile_over_time", "stddev_over_time", "stdvar_over_time", "present_over_time",
		"abs", "ceil", "floor", "round", "sqrt", "exp", "ln", "log2", "log10", "clamp", "clamp_min", "clamp_max", "sgn":
		return true
	default:
		return false
	}
}

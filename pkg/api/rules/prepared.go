// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/prometheus/promql/parser"
)

// maxPrepared is how many expressions are held; a configuration has fewer.
const maxPrepared = 1024

// preparedParser is a parser that parses an expression once. The engine has it parse
// for each evaluation, and writes into what it gets, so it gets a copy: that takes a
// tenth of the time, and what is compiled of a regular expression is shared. See
// BenchmarkPrepared.
type preparedParser struct {
	parser.Parser
	// exprs is of texts to parser.Expr that nobody writes to; held is how many.
	exprs sync.Map
	held  atomic.Int64
}

// ParseExpr is parser.Parser's.
func (p *preparedParser) ParseExpr(input string) (parser.Expr, error) {
	if known, ok := p.exprs.Load(input); ok {
		if expr, ok := known.(parser.Expr); ok {
			if mine, ok := copyExpr(expr); ok {
				return mine, nil
			}
		}
	}
	expr, err := p.Parser.ParseExpr(input)
	if err != nil {
		return nil, err
	}
	if kept, ok := copyExpr(expr); ok {
		if p.held.Add(1) > maxPrepared { // They are of rules from before.
			p.exprs.Clear()
			p.held.Store(1)
		}
		p.exprs.Store(input, kept)
	}
	return expr, nil
}

// copyExpr is an expression that shares nothing with the given one that an
// evaluation writes to. ok is false where there is something in it that is not known
// here.
func copyExpr(expr parser.Expr) (mine parser.Expr, ok bool) {
	switch e := expr.(type) {
	case nil:
		return nil, true
	case *parser.NumberLiteral:
		c := *e
		return &c, true
	case *parser.StringLiteral:
		c := *e
		return &c, true
	case *parser.VectorSelector:
		if e.OriginalOffsetExpr != nil || e.UnexpandedSeriesSet != nil || e.Series != nil {
			return nil, false
		}
		c := *e
		c.LabelMatchers = slices.Clone(e.LabelMatchers)
		return &c, true
	case *parser.MatrixSelector:
		c := *e
		c.VectorSelector, ok = copyExpr(e.VectorSelector)
		return &c, ok && e.RangeExpr == nil
	case *parser.SubqueryExpr:
		c := *e
		c.Expr, ok = copyExpr(e.Expr)
		return &c, ok && e.RangeExpr == nil && e.OriginalOffsetExpr == nil && e.StepExpr == nil
	case *parser.ParenExpr:
		c := *e
		c.Expr, ok = copyExpr(e.Expr)
		return &c, ok
	case *parser.UnaryExpr:
		c := *e
		c.Expr, ok = copyExpr(e.Expr)
		return &c, ok
	case *parser.AggregateExpr:
		c := *e
		c.Grouping = slices.Clone(e.Grouping)
		c.Expr, ok = copyExpr(e.Expr)
		if ok {
			c.Param, ok = copyExpr(e.Param)
		}
		return &c, ok
	case *parser.BinaryExpr:
		return copyBinary(e)
	case *parser.Call:
		c := *e
		c.Args = slices.Clone(e.Args)
		for i := range c.Args {
			if c.Args[i], ok = copyExpr(e.Args[i]); !ok {
				return nil, false
			}
		}
		return &c, true
	default:
		return nil, false
	}
}

func copyBinary(e *parser.BinaryExpr) (mine parser.Expr, ok bool) {
	c := *e
	if m := e.VectorMatching; m != nil {
		matching := *m
		matching.MatchingLabels, matching.Include = slices.Clone(m.MatchingLabels), slices.Clone(m.Include)
		c.VectorMatching = &matching
	}
	if c.LHS, ok = copyExpr(e.LHS); !ok {
		return nil, false
	}
	c.RHS, ok = copyExpr(e.RHS)
	return &c, ok
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// selector is one selector of an expression.
type selector struct {
	name     string
	matchers []*labels.Matcher
	// window is its range; 0 is that the newest sample is taken. reach is how far
	// back it looks, with offsets and subqueries, but for the age of an instant.
	window, reach storage.Millis
	sources       series.SourceSet
}

// series is what has to be kept for the selector.
func (s *selector) series(maxAge storage.Millis) series.Selector {
	reach := s.reach
	if s.window == 0 {
		reach += maxAge
	}
	matchers := s.matchers
	return series.Selector{
		Name:    s.name,
		Match:   func(l series.Labels) bool { return matches(matchers, l) },
		Range:   reach,
		Sources: s.sources,
	}
}

// matches is whether labels of a series match all matchers but those over derived
// labels, which a series has not.
func matches(matchers []*labels.Matcher, l series.Labels) bool {
	for _, m := range matchers {
		if isDerived(m.Name) {
			continue
		}
		if !m.Matches(l.Get(m.Name)) {
			return false
		}
	}
	return true
}

// inspect takes the selectors and the names of labels out of an expression, and
// refuses what cannot be served.
func (c *Compiled) inspect(expr parser.Expr) error {
	var inside error
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		if inside == nil {
			inside = c.inspectNode(node, path)
		}
		return inside
	})
	switch {
	case inside != nil:
		return inside
	case len(c.selectors) == 0:
		return errors.New("reads no series")
	case len(c.selectors) > maxSelectors:
		return fmt.Errorf("has %d selectors of series: at most %d are allowed", len(c.selectors), maxSelectors)
	}
	return nil
}

func (c *Compiled) inspectNode(node parser.Node, path []parser.Node) error {
	switch n := node.(type) {
	case *parser.VectorSelector:
		return c.addSelector(n, path)
	case *parser.SubqueryExpr:
		if n.Step != 0 && n.Step < minStep {
			return fmt.Errorf("the step of a subquery is %v: must be at least %v", n.Step, minStep)
		}
		return checkTimes(n.Timestamp, n.StartOrEnd, n.OriginalOffset)
	case *parser.AggregateExpr:
		c.nameAll(n.Grouping)
	case *parser.BinaryExpr:
		if n.VectorMatching != nil {
			c.nameAll(n.VectorMatching.MatchingLabels)
			c.nameAll(n.VectorMatching.Include)
		}
	case *parser.StringLiteral: // It may be an argument of label_replace.
		c.nameAll([]string{n.Val})
	}
	return nil
}

// nameAll takes down that the expression names labels.
func (c *Compiled) nameAll(names []string) {
	for _, name := range names {
		c.names[name] = true
		c.derived.add(name)
	}
}

// checkTimes refuses to look at a fixed time, or into the future.
func checkTimes(at *int64, startOrEnd parser.ItemType, offset time.Duration) error {
	switch {
	case at != nil || startOrEnd != 0:
		return errors.New("the modifier @ cannot be used: values are of the moment at which they are asked for")
	case offset < 0:
		return fmt.Errorf("the offset %v is in the future", offset)
	default:
		return nil
	}
}

func (c *Compiled) addSelector(n *parser.VectorSelector, path []parser.Node) error {
	if err := checkTimes(n.Timestamp, n.StartOrEnd, n.OriginalOffset); err != nil {
		return err
	}
	s := selector{matchers: n.LabelMatchers}
	reach := n.OriginalOffset
	for i, node := range path {
		switch outer := node.(type) {
		case *parser.SubqueryExpr:
			reach += outer.Range + outer.OriginalOffset
		case *parser.MatrixSelector:
			if i == len(path)-1 {
				reach += outer.Range
				s.window = storage.MillisIn(outer.Range)
			}
		}
	}
	if reach > MaxReach {
		return fmt.Errorf("%s looks back %v: at most %v is allowed", n, reach, MaxReach)
	}
	s.reach = storage.MillisIn(reach)
	var paths []*labels.Matcher
	for _, m := range n.LabelMatchers {
		switch {
		case m.Name == series.NameLabel && m.Type == labels.MatchEqual:
			s.name = m.Value
		case m.Name == pathLabel:
			paths = append(paths, m)
		case m.Name == workloadTypeLabel && m.Type == labels.MatchEqual && m.Value != strings.ToLower(m.Value):
			return fmt.Errorf("%s matches nothing: types of workloads are in lower case, as in %q", m, strings.ToLower(m.Value))
		}
		if isDerived(m.Name) { // What others say is looked at before.
			c.nameAll([]string{m.Name})
		}
	}
	if s.name == "" {
		return fmt.Errorf("%s says no name of a series: begin it with one, such as container_network_receive_bytes_total", n)
	}
	if s.sources = sourcesOf(s.name, paths); s.sources == 0 {
		return fmt.Errorf("%s reads nothing: %s is %s, %s or %s", n, pathLabel, series.Resource.Path(), series.Cadvisor.Path(), series.Summary.Path())
	}
	c.selectors = append(c.selectors, s)
	return nil
}

// sourcesOf is where series of a name are read from, given matchers over the path.
// What kubelets say in two places is read in one unless the path is named, or sums
// would be twice what they are.
func sourcesOf(name string, paths []*labels.Matcher) series.SourceSet {
	if len(paths) == 0 {
		return series.SourceSetOf(series.SourceOf(name))
	}
	var set series.SourceSet
	for source := range series.Sources {
		all := true
		for _, m := range paths {
			all = all && m.Matches(source.Path())
		}
		if all {
			set |= series.SourceSetOf(source)
		}
	}
	return set
}

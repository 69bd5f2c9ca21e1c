// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// Bounds of a rule.
const (
	// maxNameLength is the longest name of a metric, maxExprLength the longest
	// expression, in bytes.
	maxNameLength, maxExprLength = 253, 8192
	// maxSelectors is how many series an expression may select.
	maxSelectors = 16
	// MaxReach is how far back an expression may look.
	MaxReach = time.Hour
	// maxMaxAge is how old samples may be allowed to be.
	maxMaxAge = 15 * time.Minute
	// minStep is the shortest step of a subquery.
	minStep = time.Second
)

// DefaultMaxAge is how old a sample may be where nobody says otherwise.
const DefaultMaxAge = time.Minute

// A Compiled is a rule that can be evaluated. It is immutable.
type Compiled struct {
	rule     Rule
	resource schema.GroupResource
	// kind and apiVersion are those of the objects.
	kind, apiVersion string
	// label is the label of the results that has the object's name.
	label     string
	selectors []selector
	derived   derivedLabels
	// names is the labels that the expression names, but for matchers of those that
	// series have; narrow is those that its series are given, nil for all of them.
	names  map[string]bool
	narrow []string
	// window and maxAge are 0 where neither the rule nor its expression say.
	window, maxAge storage.Millis
}

// Rule is what was compiled.
func (c *Compiled) Rule() Rule { return c.rule }

// Selectors are the series that the rule reads, with maxAge for what is read
// without a range if the rule does not say.
func (c *Compiled) Selectors(maxAge time.Duration) []series.Selector {
	list := make([]series.Selector, len(c.selectors))
	age := c.ageOr(storage.MillisIn(maxAge))
	for i := range c.selectors {
		list[i] = c.selectors[i].series(age)
	}
	return list
}

func (c *Compiled) ageOr(age storage.Millis) storage.Millis {
	if c.maxAge != 0 {
		return c.maxAge
	}
	return age
}

// VisibleIn is whether an external metric is there in a namespace.
func (c *Compiled) VisibleIn(namespace string) bool {
	return slices.Contains(c.rule.Namespaces, namespace) || slices.Contains(c.rule.Namespaces, AllNamespaces)
}

// Compile makes a rule ready to be evaluated. The error is a *FieldError.
func Compile(rule Rule) (*Compiled, error) {
	c := &Compiled{rule: rule, names: map[string]bool{}}
	c.rule.Namespaces = slices.Clone(rule.Namespaces)
	for _, step := range [...]struct {
		field string
		check func() error
	}{
		{"name", c.checkName},
		{"attach", c.checkAttach},
		{"namespaces", c.checkNamespaces},
		{"onMissing", func() error { return c.checkPolicy(c.rule.OnMissing, Omit, Ignore, Zero) }},
		{"onNaN", func() error { return c.checkPolicy(c.rule.OnNaN, Omit, Zero) }},
		{"window", func() error { return checkDuration(rule.Window, MaxReach) }},
		{"maxAge", func() error { return checkDuration(rule.MaxAge, maxMaxAge) }},
		{"expr", c.compileExpr},
	} {
		if err := step.check(); err != nil {
			if _, ok := errors.AsType[*FieldError](err); ok {
				return nil, err
			}
			return nil, &FieldError{Field: step.field, Err: err}
		}
	}
	return c, nil
}

func (c *Compiled) checkName() error {
	switch name := c.rule.Name; {
	case len(name) > maxNameLength:
		return fmt.Errorf("is longer than %d bytes", maxNameLength)
	case !regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_:.-]*$`).MatchString(name):
		return fmt.Errorf("%q is no name of a metric: it begins with a letter and has letters, digits and _ : . - in it", name)
	default:
		return nil
	}
}

func (c *Compiled) checkAttach() error {
	a := c.rule.Attach
	if a.External {
		if a != (Attach{External: true}) {
			return errors.New("an external metric is of no object: leave out group, resource and label, or external")
		}
		return nil
	}
	c.resource = schema.GroupResource{Group: a.Group, Resource: a.Resource}
	name := c.resource.String()
	switch {
	case a.Resource == "":
		return errors.New("say what the values are of: {resource: pods}, {group: apps, resource: deployments, label: workload}, or {external: true}")
	case name != strings.ToLower(name), strings.ContainsAny(name, "/ *"), schema.ParseGroupResource(name) != c.resource:
		return fmt.Errorf("%q is no resource: it is in lower case and plural, as in pods or deployments with group: apps", name)
	}
	if c.label = a.Label; c.label == "" {
		c.label = defaultLabel(c.resource)
	}
	if c.label == "" {
		return &FieldError{Field: "attach.label", Err: fmt.Errorf("say which label of the results has the names of %s", c.resource)}
	}
	c.kind, c.apiVersion = kindOf(c.resource)
	return nil
}

func (c *Compiled) checkNamespaces() error {
	if !c.rule.Attach.External {
		if len(c.rule.Namespaces) > 0 {
			return errors.New("are for external metrics; one of objects is visible where they are: leave them out")
		}
		return nil
	}
	if len(c.rule.Namespaces) == 0 {
		return errors.New("an external metric is visible in the namespaces that it names: add namespaces: [team-a], or [\"*\"] for all")
	}
	for _, name := range c.rule.Namespaces {
		if name != AllNamespaces && len(validation.ValidateNamespaceName(name, false)) > 0 {
			return fmt.Errorf("%q is no name of a namespace", name)
		}
	}
	return nil
}

func (*Compiled) checkPolicy(policy Policy, allowed ...Policy) error {
	if policy == "" || slices.Contains(allowed, policy) {
		return nil
	}
	return fmt.Errorf("is %q: must be one of %q", policy, allowed)
}

func checkDuration(d, most time.Duration) error {
	if d < 0 || d > most {
		return fmt.Errorf("is %v: must be at most %v", d, most)
	}
	return nil
}

// newParser is a parser of what Prometheus takes without any feature flag.
func newParser() parser.Parser { return parser.NewParser(parser.Options{}) }

// compileExpr looks at all that is in the expression.
func (c *Compiled) compileExpr() error {
	if len(c.rule.Expr) > maxExprLength {
		return fmt.Errorf("is longer than %d bytes", maxExprLength)
	}
	expr, err := newParser().ParseExpr(c.rule.Expr)
	if err != nil {
		return fmt.Errorf("parse: %w", err)
	}
	if expr.Type() != parser.ValueTypeVector {
		return fmt.Errorf("is a %s: must be a vector, with a value for each object", parser.DocumentedType(expr.Type()))
	}
	if err := c.inspect(expr); err != nil {
		return err
	}
	if !c.rule.Attach.External {
		if known, all := resultLabels(expr); !all && !slices.Contains(known, c.label) && !c.isOneNamespace(known) {
			return fmt.Errorf("its results have no label %s, which has the name of the object: aggregate by (%[1]s)", c.label)
		}
	}
	c.narrow = narrowed(expr, c.names)
	c.window, c.maxAge = storage.MillisIn(c.rule.Window), storage.MillisIn(c.rule.MaxAge)
	if c.window == 0 {
		for i := range c.selectors {
			c.window = max(c.window, c.selectors[i].window)
		}
	}
	return nil
}

// isOneNamespace is that results are of the namespace that is asked for, though
// they do not say so: they are of nothing else.
func (c *Compiled) isOneNamespace(labels []string) bool {
	return len(labels) == 0 && c.resource == schema.GroupResource{Resource: namespacesResource} && c.label == namespaceLabel
}

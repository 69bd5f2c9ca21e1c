// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

func TestTable(t *testing.T) {
	named := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	suffix := map[string]string{
		"cores": "_cores", "bytes": "_bytes", "ratio": "_ratio", "bytes per second": "_bytes_per_second", "seconds per second": "_seconds_per_second",
		"packets per second": "_per_second", "errors per second": "_per_second", "reads per second": "_reads_per_second",
		"writes per second": "_writes_per_second", "kills per second": "_kills_per_second",
		"inodes": "", "threads": "threads", "processes": "processes", "restarts": "restarts",
	}
	infos := input.Table()
	seen := map[string]bool{}
	var read input.Set
	for _, section := range Table() {
		for _, m := range section.Metrics {
			if seen[m.Name] {
				t.Errorf("%s is there twice", m.Name)
			}
			seen[m.Name] = true
			read |= m.Inputs()
			if !named.MatchString(m.Name) || !strings.HasSuffix(m.Name, suffix[m.Unit]) {
				t.Errorf("%s is no name for a metric in %s", m.Name, m.Unit)
			}
			if !strings.HasSuffix(m.Help, ".") {
				t.Errorf("%s: %q is no sentence", m.Name, m.Help)
			}
			if q, err := resource.ParseQuantity(m.Target); err != nil || q.Sign() <= 0 {
				t.Errorf("%s: the target %q: %v", m.Name, m.Target, err)
			}
			if !m.Pods.Defined() && !m.Nodes.Defined() || m.Namespaces && !m.Pods.Defined() {
				t.Errorf("%s: of nothing, or of namespaces and not of pods", m.Name)
			}
			for id := range m.Pods.Inputs().Each() {
				if infos[id].Level == input.OfNode {
					t.Errorf("%s: pods have no %s", m.Name, infos[id].Name)
				}
			}
			for id := range m.Pods.Inputs().Each() {
				if infos[id].Sparse && m.Needs == "" {
					t.Errorf("%s needs something, for not every container has %s", m.Name, infos[id].Name)
				}
			}
			for id := range m.Nodes.Inputs().Each() {
				if !infos[id].Node {
					t.Errorf("%s: nodes have no %s", m.Name, infos[id].Name)
				}
			}
			for _, f := range []Formula{m.Pods, m.Nodes} {
				checkFormula(t, &m, f)
			}
		}
	}
	if lacking := input.All() &^ read; lacking != 0 {
		for id := range lacking.Each() {
			t.Errorf("no metric is computed from %s", infos[id].Name)
		}
	}
}

// checkFormula checks that the unit is what the formula gives.
func checkFormula(t *testing.T, m *Metric, f Formula) {
	t.Helper()
	if !f.Defined() {
		return
	}
	infos := input.Table()
	if f.String() == "" || f.Source() == "" {
		t.Errorf("%s: the formula %q of %q", m.Name, f, f.Source())
	}
	switch f.kind {
	case ofInput:
		in := infos[f.over]
		perSecond := strings.HasSuffix(m.Unit, " per second")
		isRatio := m.Unit == "ratio"
		// Seconds per second are a ratio.
		if counts := in.Kind == input.Counter; counts != perSecond && (!counts || !isRatio) {
			t.Errorf("%s in %s is %s", m.Name, m.Unit, f)
		}
		if (in.Unit == input.Byte) != strings.HasPrefix(m.Unit, "bytes") {
			t.Errorf("%s in %s is of %s", m.Name, m.Unit, in.Name)
		}
	case ofQuotient:
		over, under := infos[f.over], infos[f.under]
		if over.Unit != under.Unit || over.Kind != under.Kind || over.Source != under.Source || over.Level != under.Level || m.Unit != "ratio" {
			t.Errorf("%s is %s, of different things", m.Name, f)
		}
	case ofShare:
		if m.Unit != "ratio" {
			t.Errorf("%s in %s is %s", m.Name, m.Unit, f)
		}
	}
}

// TestResources: what is discovered follows from the table.
func TestResources(t *testing.T) {
	count := map[string]int{}
	for _, info := range newWorld(t).provider().Metrics() {
		count[info.Resource.String()]++
		if info.Namespaced != (info.Resource.Resource == "pods") {
			t.Errorf("%+v", info)
		}
	}
	for _, section := range Table() {
		for _, m := range section.Metrics {
			for _, r := range m.Resources() {
				count[r]--
			}
		}
	}
	for r, n := range count {
		if n != 0 {
			t.Errorf("%s: %d too many", r, n)
		}
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/wire"
)

// FuzzMatch holds what selectors of strangers match, on labels in the form in
// which they are kept, against what they match on a map.
func FuzzMatch(f *testing.F) {
	for _, seed := range []struct{ selector, set string }{
		{"", "app=web"},
		{"app=web", "app=web,tier=front"},
		{"app!=web,tier", "app=web"},
		{"app in (web,db),!canary", "app=db"},
		{"app notin (web)", "tier=front"},
		{"a>5", "a=6"},
		{"a<5", "a=six"},
		{"app==", "app="},
		{"app in ()", ""},
		{",", "a=b"},
	} {
		f.Add(seed.selector, seed.set)
	}
	f.Fuzz(func(t *testing.T, text, set string) {
		selector, err := labels.Parse(text)
		if err != nil {
			return
		}
		plain := map[string]string{}
		for pair := range strings.SplitSeq(set, ",") {
			if key, value, ok := strings.Cut(pair, "="); ok {
				plain[key] = value
			}
		}
		matcher := NewMatcher(selector)
		pod, other := &Pod{Labels: wire.LabelsOf(plain)}, &Pod{Labels: wire.LabelsOf(map[string]string{"other": "pod"})}
		want, wantOther := selector.Matches(labels.Set(plain)), selector.Matches(labels.Set{"other": "pod"})
		// Twice, and after another: what is remembered of the pod before must
		// not show.
		for range 2 {
			if got := matcher.Matches(pod); got != want {
				t.Errorf("%q on %q: %t, want %t", text, plain, got, want)
			}
			if got := matcher.Matches(other); got != wantOther {
				t.Errorf("%q on another pod: %t, want %t", text, got, wantOther)
			}
			if got := matcher.Matches(other); got != wantOther {
				t.Errorf("%q on another pod again: %t, want %t", text, got, wantOther)
			}
		}
	})
}

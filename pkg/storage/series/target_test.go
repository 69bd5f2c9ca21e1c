// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import "testing"

func TestTargetLabels(t *testing.T) {
	target := TargetLabels("a", "10.0.0.1:10250", Cadvisor)
	for name, want := range map[string]string{
		"endpoint": "https-metrics", "instance": "10.0.0.1:10250", "job": "kubelet", "metrics_path": "/metrics/cadvisor",
		"namespace": "kube-system", "node": "a", "service": "kubelet",
	} {
		if got := target.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if len(target) != 7 || len(TargetLabels("a", "", Resource)) != 6 {
		t.Errorf("target labels are %v", target)
	}
}

func TestAppendTarget(t *testing.T) {
	target := Labels{{"job", "kubelet"}, {"namespace", "kube-system"}, {"node", "a"}}
	for _, test := range []struct {
		name         string
		labels, want Labels
	}{
		{"nothing", nil, target},
		{
			"the answer's wins",
			Labels{{NameLabel, "up"}, {"namespace", "shop"}, {"pod", "p"}},
			Labels{{NameLabel, "up"}, {"job", "kubelet"}, {"namespace", "shop"}, {"node", "a"}, {"pod", "p"}},
		},
		{
			"empty keeps the target's away",
			Labels{{NameLabel, "up"}, {"container", ""}, {"namespace", ""}, {"zone", ""}},
			Labels{{NameLabel, "up"}, {"job", "kubelet"}, {"node", "a"}},
		},
	} {
		if got := test.labels.AppendTarget(nil, target); got.Compare(test.want) != 0 {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

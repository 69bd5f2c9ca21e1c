// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
)

// The labels that series do not have, and get from objects where an expression
// names them.
const (
	workloadLabel     = "workload"
	workloadTypeLabel = "workload_type"
	// podLabelPrefix is before the name of a pod's label, as kube-state-metrics
	// writes it.
	podLabelPrefix = "label_"
)

// templateHash is the label that the controller of a Deployment gives its pods:
// what the name of the ReplicaSet ends with.
const templateHash = "pod-template-hash"

// isDerived is whether a label comes from objects.
func isDerived(name string) bool {
	return name == workloadLabel || name == workloadTypeLabel || strings.HasPrefix(name, podLabelPrefix)
}

// derivedLabels are the derived labels that an expression names.
type derivedLabels struct {
	workload bool
	// podLabels are those of pods, with their prefix.
	podLabels map[string]bool
}

// add adds a name if it is one.
func (d *derivedLabels) add(name string) {
	switch {
	case name == workloadLabel, name == workloadTypeLabel:
		d.workload = true
	case isDerived(name):
		if d.podLabels == nil {
			d.podLabels = map[string]bool{}
		}
		d.podLabels[name] = true
	}
}

// any is whether there are any.
func (d *derivedLabels) any() bool { return d.workload || len(d.podLabels) > 0 }

// appendTo adds the labels of a pod. They are not sorted.
func (d *derivedLabels) appendTo(b *labels.ScratchBuilder, pod *objects.Pod) {
	if d.workload {
		if kind, name := workloadOf(pod); name != "" {
			b.Add(workloadLabel, name)
			b.Add(workloadTypeLabel, kind)
		}
	}
	if len(d.podLabels) == 0 {
		return
	}
	added := 0
	for key, value := range pod.Labels.All() {
		name := podLabelPrefix + labelName(key)
		// Two labels may have the same name here: the first is taken, lest one name
		// come twice.
		if d.podLabels[name] && value != "" && !(added > 0 && d.isAmbiguous(pod, key, name)) {
			b.Add(name, value)
			added++
		}
	}
}

// isAmbiguous is whether a label of the pod before key has the same name here.
func (d *derivedLabels) isAmbiguous(pod *objects.Pod, key, name string) bool {
	for before, value := range pod.Labels.All() {
		if before == key {
			return false
		}
		if value != "" && podLabelPrefix+labelName(before) == name {
			return true
		}
	}
	return false
}

// labelName is a label of an object as a name in PromQL.
func labelName(key string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			return r
		default:
			return '_'
		}
	}, key)
}

// workloadOf is what a pod belongs to: its controller, or the Deployment whose
// ReplicaSet that is. The kind is in lower case, as dashboards have it. A pod
// without a controller has none.
func workloadOf(pod *objects.Pod) (kind, name string) {
	owner := pod.Owner
	if owner == nil {
		return "", ""
	}
	if owner.Kind == "ReplicaSet" {
		if hash := pod.Labels.Get(templateHash); hash != "" {
			if deployment, ok := strings.CutSuffix(owner.Name, "-"+hash); ok && deployment != "" {
				return "deployment", deployment
			}
		}
	}
	return strings.ToLower(owner.Kind), owner.Name
}

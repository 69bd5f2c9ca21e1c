// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

// The labels that a target has in kube-prometheus' ServiceMonitor of kubelets,
// and those of their values that are the same for all nodes. Dashboards and rules
// expect them.
const (
	jobValue       = "kubelet"
	serviceValue   = "kubelet"
	endpointValue  = "https-metrics"
	namespaceValue = "kube-system"
)

// PathLabel is the label that says which document of a target a series was in.
const PathLabel = "metrics_path"

// TargetLabels are the labels of one source of a node as a target, sorted.
// instance is the address and port of its kubelet; empty is none.
//
// The namespace among them is that of the service by which Prometheus finds
// kubelets. It is to be seen in series that say nothing of a namespace: those of
// the node in /metrics/resource, for example.
func TargetLabels(node, instance string, source Source) Labels {
	labels := make(Labels, 0, 7)
	labels = append(labels, Label{"endpoint", endpointValue})
	if instance != "" {
		labels = append(labels, Label{"instance", instance})
	}
	return append(labels,
		Label{"job", jobValue},
		Label{PathLabel, source.Path()},
		Label{"namespace", namespaceValue},
		Label{"node", node},
		Label{"service", serviceValue},
	)
}

// AppendTarget appends to dst the labels of a series, as Open was given them, and
// those of its target that the series does not have, sorted. It is what Prometheus
// does with honor_labels: the kubelet's namespace, pod and container win, and a
// label that the answer writes with an empty value keeps the target's away and is
// itself left out.
func (l Labels) AppendTarget(dst, target Labels) Labels {
	for len(l) > 0 || len(target) > 0 {
		switch {
		case len(l) == 0 || len(target) > 0 && target[0].Name < l[0].Name:
			dst = append(dst, target[0])
			target = target[1:]
			continue
		case len(target) > 0 && target[0].Name == l[0].Name:
			target = target[1:]
		}
		if l[0].Value != "" {
			dst = append(dst, l[0])
		}
		l = l[1:]
	}
	return dst
}

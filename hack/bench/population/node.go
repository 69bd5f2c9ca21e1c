// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package population

import (
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/world"
)

func newNamespace(name string, created time.Time) *corev1.Namespace {
	return &corev1.Namespace{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, UID: types.UID("6e1cf7a0-0000-4000-8000-" + fmt.Sprintf("%012x", name[len(name)-4:])[:12]),
			CreationTimestamp: metav1.NewTime(created), Labels: map[string]string{"kubernetes.io/metadata.name": name},
		},
		Spec:   corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{corev1.FinalizerKubernetes}},
		Status: corev1.NamespaceStatus{Phase: corev1.NamespaceActive},
	}
}

// newNode is a ready node whose kubelet listens at its address and port.
func newNode(w world.World, index, port int) *corev1.Node {
	name := w.Node(index)
	zone := fmt.Sprintf("zone-%d", index%3)
	capacity := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("16"), corev1.ResourceMemory: resource.MustParse("128Gi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("200Gi"), corev1.ResourcePods: resource.MustParse("110"),
	}
	node := &corev1.Node{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, UID: types.UID(fmt.Sprintf("9d3b4c5e-0000-4000-8000-%012x", index)),
			CreationTimestamp: metav1.NewTime(w.Epoch.Add(-40 * 24 * time.Hour)),
			Labels: map[string]string{
				"kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux", "kubernetes.io/hostname": name,
				"node.kubernetes.io/instance-type": "m7.4xlarge", "topology.kubernetes.io/zone": zone, "topology.kubernetes.io/region": "region-1",
			},
			Annotations: map[string]string{"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
		},
		Spec: corev1.NodeSpec{ProviderID: "cloud:///" + zone + "/" + name},
		Status: corev1.NodeStatus{
			Capacity: capacity, Allocatable: capacity,
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: w.Address(index).String()},
				{Type: corev1.NodeHostName, Address: name},
			},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: int32(port)}},
			NodeInfo: corev1.NodeSystemInfo{
				MachineID: "ec2a1b3c4d5e6f708192a3b4c5d6e7f8", KernelVersion: "6.12.0", OSImage: "Linux",
				ContainerRuntimeVersion: "containerd://2.4.2", KubeletVersion: w.KubeletVersion(), OperatingSystem: "linux", Architecture: "amd64",
			},
		},
	}
	for _, condition := range []struct {
		kind   corev1.NodeConditionType
		status corev1.ConditionStatus
		reason string
	}{
		{corev1.NodeMemoryPressure, corev1.ConditionFalse, "KubeletHasSufficientMemory"},
		{corev1.NodeDiskPressure, corev1.ConditionFalse, "KubeletHasNoDiskPressure"},
		{corev1.NodePIDPressure, corev1.ConditionFalse, "KubeletHasSufficientPID"},
		{corev1.NodeReady, corev1.ConditionTrue, "KubeletReady"},
	} {
		node.Status.Conditions = append(node.Status.Conditions, corev1.NodeCondition{
			Type: condition.kind, Status: condition.status, Reason: condition.reason, Message: "kubelet says so",
			LastHeartbeatTime: metav1.NewTime(w.Epoch), LastTransitionTime: metav1.NewTime(w.Epoch.Add(-40 * 24 * time.Hour)),
		})
	}
	for i := range 20 {
		node.Status.Images = append(node.Status.Images, corev1.ContainerImage{
			Names: []string{fmt.Sprintf("registry.example/team/image-%d:v1.%d.0", i, i)}, SizeBytes: int64(i+1) << 24,
		})
	}
	node.ManagedFields = []metav1.ManagedFieldsEntry{
		managed("kubelet", "", w.Epoch, node.ObjectMeta.Labels),
		managed("kubelet", "status", w.Epoch, node.Status),
	}
	return node
}

// managed is who owns the fields that value has: the set of their paths, as
// kube-apiserver keeps it.
func managed(manager, subresource string, at time.Time, value any) metav1.ManagedFieldsEntry {
	when := metav1.NewTime(at)
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", Time: &when,
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(string(fieldsOf(value))), Subresource: subresource,
	}
}

// fieldsOf is the FieldsV1 of a value.
func fieldsOf(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		panic("BUG: " + err.Error())
	}
	if text, err = json.Marshal(paths(tree)); err != nil {
		panic("BUG: " + err.Error())
	}
	return text
}

// paths is the set of the fields of a decoded JSON value. Lists whose items
// have a name or a type are sets keyed by it, others are owned whole.
func paths(value any) any {
	set := map[string]any{}
	switch value := value.(type) {
	case map[string]any:
		for name, field := range value {
			if name == "containerStatuses" { // Owned whole.
				field = nil
			}
			set["f:"+name] = paths(field)
		}
	case []any:
		for _, item := range value {
			fields, _ := item.(map[string]any)
			for _, key := range []string{"name", "type", "mountPath"} {
				if name, ok := fields[key].(string); ok {
					child, _ := paths(item).(map[string]any)
					child["."] = map[string]any{}
					set["k:{\""+key+"\":\""+name+"\"}"] = child
					break
				}
			}
		}
	}
	return set
}

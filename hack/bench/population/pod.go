// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package population

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/world"
)

// newPod is the object of a running pod, as a Deployment's is after its kubelet
// has written its status.
func newPod(w world.World, p world.Pod) *corev1.Pod {
	created := metav1.NewTime(p.Started)
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name: p.Name, GenerateName: p.Workload + "-" + p.Hash + "-", Namespace: p.Namespace,
			UID: types.UID(p.UID()), CreationTimestamp: created,
			Labels: map[string]string{
				"app.kubernetes.io/name": p.Workload, "app.kubernetes.io/part-of": p.Namespace, "pod-template-hash": p.Hash,
			},
			Annotations: map[string]string{"kubectl.kubernetes.io/restartedAt": created.UTC().Format("2006-01-02T15:04:05Z07:00")},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: p.Workload + "-" + p.Hash,
				UID: types.UID("1b0f8f5e-5b1d-4a53-9d8e-" + p.Hash + "00"), Controller: new(true), BlockOwnerDeletion: new(true),
			}},
		},
		Spec: corev1.PodSpec{
			NodeName: w.Node(p.Node), RestartPolicy: corev1.RestartPolicyAlways, DNSPolicy: corev1.DNSClusterFirst,
			ServiceAccountName: p.Workload, DeprecatedServiceAccount: p.Workload, SchedulerName: "default-scheduler",
			TerminationGracePeriodSeconds: new(int64(30)), EnableServiceLinks: new(true), Priority: new(int32(0)),
			PreemptionPolicy: new(corev1.PreemptLowerPriority),
			SecurityContext:  &corev1.PodSecurityContext{RunAsNonRoot: new(true)},
			Volumes:          []corev1.Volume{tokenVolume()},
			Tolerations: []corev1.Toleration{
				{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(300))},
				{Key: corev1.TaintNodeUnreachable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(300))},
			},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, HostIP: w.Address(p.Node).String(), PodIP: podIP(p), StartTime: &created, QOSClass: corev1.PodQOSBurstable,
			HostIPs: []corev1.HostIP{{IP: w.Address(p.Node).String()}}, PodIPs: []corev1.PodIP{{IP: podIP(p)}},
		},
	}
	for _, kind := range []corev1.PodConditionType{corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled} {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: created})
	}
	for i := range w.Containers {
		c := w.Container(p, i)
		image := "registry.example/" + p.Namespace + "/" + p.Workload + "-" + c.Name + ":v1.4.2"
		pod.Spec.Containers = append(pod.Spec.Containers, newContainer(c, image))
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Ready: true, Started: new(true), Image: image,
			ImageID:     "registry.example/" + p.Namespace + "/" + p.Workload + "-" + c.Name + "@sha256:7c1b9a91514d1eb5288d7cd6e91d9f451707911bfaea9307a3acbc811d4aa82e",
			ContainerID: "containerd://4f8a3b0c2d1e6f7a8b9c0d1e2f3a4b5c6d7e8f9a0b1c2d3e4f5a6b7c8d9e0f1a",
			State:       corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: created}},
		})
	}
	pod.ManagedFields = []metav1.ManagedFieldsEntry{
		managed("kube-controller-manager", "", p.Started, map[string]any{
			"metadata": map[string]any{"labels": pod.Labels, "annotations": pod.Annotations, "generateName": "", "ownerReferences": nil},
			"spec":     pod.Spec,
		}),
		managed("kubelet", "status", p.Started, map[string]any{"status": pod.Status}),
	}
	return pod
}

func podIP(p world.Pod) string {
	return fmt.Sprintf("10.%d.%d.%d", p.Index>>16&255, p.Index>>8&255, p.Index&255)
}

func newContainer(c world.Container, image string) corev1.Container {
	probe := func(path string) *corev1.Probe {
		return &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString("http"), Scheme: corev1.URISchemeHTTP}},
			PeriodSeconds: 10, TimeoutSeconds: 1, SuccessThreshold: 1, FailureThreshold: 3,
		}
	}
	requests := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi")}
	limits := corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")}
	container := corev1.Container{
		Name: c.Name, Image: image, ImagePullPolicy: corev1.PullIfNotPresent,
		Args:                   []string{"--config=/etc/service/config.yaml", "--listen=:8080"},
		Resources:              corev1.ResourceRequirements{Requests: requests, Limits: limits},
		VolumeMounts:           []corev1.VolumeMount{{Name: "token", MountPath: "/var/run/secrets/kubernetes.io/serviceaccount", ReadOnly: true}},
		TerminationMessagePath: corev1.TerminationMessagePathDefault, TerminationMessagePolicy: corev1.TerminationMessageReadFile,
	}
	if c.SwapLimit { // The main one; sidecars are plainer.
		container.Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}}
		container.ReadinessProbe, container.LivenessProbe = probe("/readyz"), probe("/livez")
		container.Env = []corev1.EnvVar{
			{Name: "POD_NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.name"}}},
			{Name: "POD_NAMESPACE", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"}}},
		}
		container.SecurityContext = &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}
	}
	return container
}

// tokenVolume is the volume that every pod gets for its service account.
func tokenVolume() corev1.Volume {
	return corev1.Volume{Name: "token", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		DefaultMode: new(int32(0o644)),
		Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{ExpirationSeconds: new(int64(3607)), Path: "token"}},
			{ConfigMap: &corev1.ConfigMapProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"},
				Items:                []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}},
			}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{
				Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"},
			}}}},
		},
	}}}
}

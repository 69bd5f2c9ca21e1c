// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"bytes"
	"fmt"
	"net"
	"reflect"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// Fields are what is kept of objects beyond what is always kept.
type Fields struct {
	// NodeAnnotations are names of annotations of Nodes.
	NodeAnnotations []string
	// PodOwners keeps which controller a pod belongs to. It costs 16 bytes a pod,
	// and the owner's name once.
	PodOwners bool
	// PodResources keeps what a pod requests, what it is limited to and how often its
	// containers were restarted. Decoding these takes more than half of the time of a pod.
	PodResources bool
}

// NewClient is a REST client of the core group for WatchPods and WatchNodes. The
// objects that it decodes have only the fields that are kept of Pods and Nodes,
// so it is of no use for anything else. Answers are asked for uncompressed: both
// sides would spend more on that than the way between them costs. It has
// connections of its own, on which what comes little by little is read together,
// see gatheredConn.
func NewClient(config *rest.Config, fields Fields) (rest.Interface, error) {
	config = rest.CopyConfig(config)
	config.GroupVersion = &corev1.SchemeGroupVersion
	config.APIPath = "/api"
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	config.DisableCompression = true
	dial := config.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	config.Dial = gathered(dial)
	config.NegotiatedSerializer = pruningNegotiator{scheme.Codecs.WithoutConversion(), keptFields(fields)}
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for objects: %w", err)
	}
	return client, nil
}

// keptFields is what is kept of objects by kind: what trimPod and Nodes.trim
// read, and what a reflector does.
func keptFields(fields Fields) map[string]*message {
	reflector := []string{
		"ObjectMeta.Name", "ObjectMeta.Namespace", "ObjectMeta.UID", "ObjectMeta.ResourceVersion",
		"ObjectMeta.Annotations[" + metav1.InitialEventsAnnotationKey + "]",
	}
	pod := append([]string{
		"ObjectMeta.DeletionTimestamp", "ObjectMeta.Labels",
		"Spec.NodeName", "Spec.HostNetwork",
		"Status.StartTime",
		"Status.ContainerStatuses.Name", "Status.ContainerStatuses.State.Running",
		"Status.InitContainerStatuses.Name", "Status.InitContainerStatuses.State.Running",
		"Status.EphemeralContainerStatuses.Name", "Status.EphemeralContainerStatuses.State.Running",
	}, reflector...)
	if fields.PodOwners {
		pod = append(pod, "ObjectMeta.OwnerReferences.Kind", "ObjectMeta.OwnerReferences.Name", "ObjectMeta.OwnerReferences.Controller")
	}
	if fields.PodResources {
		pod = append(pod,
			"Spec.Resources", "Spec.Containers.Resources",
			"Spec.InitContainers.Name", "Spec.InitContainers.Resources", "Spec.InitContainers.RestartPolicy",
			"Status.ContainerStatuses.RestartCount", "Status.InitContainerStatuses.RestartCount",
		)
	}
	node := append([]string{"ObjectMeta.Labels", "Status.Addresses", "Status.DaemonEndpoints", "Status.NodeInfo.KubeletVersion"}, reflector...)
	for _, key := range fields.NodeAnnotations {
		node = append(node, "ObjectMeta.Annotations["+key+"]")
	}
	ofList := func(paths []string) []string {
		list := []string{"ListMeta"}
		for _, path := range paths {
			list = append(list, "Items."+path)
		}
		return list
	}
	return map[string]*message{
		"Pod":      keep(reflect.TypeFor[corev1.Pod](), pod...),
		"PodList":  keep(reflect.TypeFor[corev1.PodList](), ofList(pod)...),
		"Node":     keep(reflect.TypeFor[corev1.Node](), node...),
		"NodeList": keep(reflect.TypeFor[corev1.NodeList](), ofList(node)...),
	}
}

// pruningNegotiator is a NegotiatedSerializer that leaves fields out of what it
// decodes from protobuf.
type pruningNegotiator struct {
	runtime.NegotiatedSerializer
	kinds map[string]*message
}

// SupportedMediaTypes is runtime.NegotiatedSerializer's. Objects in a watch are
// decoded by the same Serializer as those in a list, after the events that they are in.
func (n pruningNegotiator) SupportedMediaTypes() []runtime.SerializerInfo {
	infos := slices.Clone(n.NegotiatedSerializer.SupportedMediaTypes()) // which are the scheme's own
	for i := range infos {
		if infos[i].MediaType == runtime.ContentTypeProtobuf {
			pruning := &pruningSerializer{Serializer: infos[i].Serializer, kinds: n.kinds}
			infos[i].Serializer = pruning
			if stream := infos[i].StreamSerializer; stream != nil {
				pruned := *stream
				pruned.Serializer = &pruningStream{Serializer: stream.Serializer, objects: pruning}
				infos[i].StreamSerializer = &pruned
			}
		}
	}
	return infos
}

// pruningSerializer hands its Serializer no more of an object than is kept.
type pruningSerializer struct {
	runtime.Serializer
	kinds   map[string]*message
	buffers sync.Pool // of *[]byte
}

// maxPrunedBuffer is how large a buffer may be to be used again.
const maxPrunedBuffer = 64 << 10

// Decode is runtime.Decoder's. What is not understood goes to the Serializer as
// it is, to be refused with its words.
func (s *pruningSerializer) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	buffer, ok := s.buffers.Get().(*[]byte)
	if !ok {
		buffer = new([]byte)
	}
	if pruned, ok := s.prune((*buffer)[:0], data); ok {
		*buffer, data = pruned, pruned
	}
	// Nothing of data is kept by who decodes it: strings are copied.
	object, kind, err := s.Serializer.Decode(data, defaults, into)
	if cap(*buffer) <= maxPrunedBuffer {
		s.buffers.Put(buffer)
	}
	return object, kind, err
}

// prefix is before every object in protobuf.
const prefix = "k8s\x00"

// The fields of runtime.Unknown, the envelope of every object in protobuf, and of
// its type.
const (
	unknownType = 1
	unknownRaw  = 2
	typeKind    = 2
)

// prune appends an envelope with the object in it pruned.
func (s *pruningSerializer) prune(dst, data []byte) ([]byte, bool) {
	envelope, ok := bytes.CutPrefix(data, []byte(prefix))
	if !ok {
		return dst, false
	}
	dst = append(dst, prefix...)
	var kept *message
	for len(envelope) > 0 {
		number, content, size := bytesField(envelope)
		if size < 0 {
			return dst, false
		}
		whole := envelope[:size]
		switch number {
		case unknownType:
			kept = s.kinds[kindOf(content)]
			dst = append(dst, whole...)
		case unknownRaw:
			if kept == nil {
				return dst, false
			}
			var err error
			if dst, err = appendNested(protowire.AppendTag(dst, unknownRaw, protowire.BytesType), content, kept); err != nil {
				return dst, false
			}
		default:
			dst = append(dst, whole...)
		}
		envelope = envelope[size:]
	}
	return dst, true
}

// bytesField is the first field of data, which must be of bytes, and the size of the
// whole field; negative where it is not.
func bytesField(data []byte) (number protowire.Number, content []byte, size int) {
	number, kind, tag := protowire.ConsumeTag(data)
	if tag < 0 || kind != protowire.BytesType {
		return 0, nil, -1
	}
	content, size = protowire.ConsumeBytes(data[tag:])
	if size < 0 {
		return 0, nil, -1
	}
	return number, content, tag + size
}

// kindOf is the kind in a runtime.TypeMeta; "" is none. All kinds that are pruned
// are of the one group that the client is for.
func kindOf(typeMeta []byte) string {
	for len(typeMeta) > 0 {
		number, kind, tag := protowire.ConsumeTag(typeMeta)
		if tag < 0 {
			return ""
		}
		size := protowire.ConsumeFieldValue(number, kind, typeMeta[tag:])
		if size < 0 {
			return ""
		}
		if number == typeKind && kind == protowire.BytesType {
			text, _ := protowire.ConsumeBytes(typeMeta[tag:])
			return string(text)
		}
		typeMeta = typeMeta[tag+size:]
	}
	return ""
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"k8s.io/apimachinery/pkg/api/meta"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit"
	genericapiserver "k8s.io/apiserver/pkg/server"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// ask is the answer that a server gives without a network between.
func ask(t testing.TB, server *genericapiserver.GenericAPIServer, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, "/apis/metrics.k8s.io/"+path, nil)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	server.Handler.ServeHTTP(recorder, request)
	return recorder
}

// TestListEqualsTyped asks a server with the fast path and one without for every
// list in every form: what they say, headers and all, must be the same.
func TestListEqualsTyped(t *testing.T) {
	for name, source := range map[string]*Source{
		"world": newWorld(t),
		"crowd": newCrowd(t, 600, 20),
		"empty": newSource(t, nil, nil, &fakeUsage{}),
	} {
		ready := func() error { return nil }
		fast := newServer(t, source, ready)
		plain, served := newServerAnd(t, source, ready)
		clear(served.encodings)
		// In a bubble time stands still, so that all answers are of one moment.
		synctest.Test(t, func(t *testing.T) { wantSameAnswers(t, name, fast, plain) })
	}
}

// wantSameAnswers asks two servers for every list in every form.
func wantSameAnswers(t *testing.T, name string, fast, plain *genericapiserver.GenericAPIServer) {
	for _, path := range []string{
		"pods", "namespaces/shop/pods", "namespaces/none/pods", "nodes", "pods?labelSelector=app%3Dweb", "nodes?labelSelector=zone%3Da",
		"pods?fieldSelector=metadata.namespace%3Dshop", "namespaces/shop/pods?fieldSelector=metadata.name%3Dweb-1", "pods?limit=1", "pods?pretty=1",
		"pods?includeObject=Object", "nodes?includeObject=Object",
	} {
		for _, accept := range []string{
			asJSON, asProtobuf, asYAML, asTable, "*/*",
			"application/vnd.kubernetes.protobuf,application/json",
			"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
			"application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1beta1",
			"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
		} {
			for _, version := range versions {
				for _, zip := range []string{"", "gzip"} {
					path := version + "/" + path
					headers := []string{"Accept", accept, "Accept-Encoding", zip}
					got, want := ask(t, fast, path, headers...), ask(t, plain, path, headers...)
					if zip != "" && want.Header().Get("Content-Encoding") != "" {
						// Compressed bytes depend on how they were written.
						got, want = unzipped(t, got), unzipped(t, want)
					}
					if got.Code != want.Code || !bytes.Equal(got.Body.Bytes(), want.Body.Bytes()) {
						t.Errorf("%s: %s as %s: %d %.500q, want %d %.500q", name, path, accept, got.Code, got.Body, want.Code, want.Body)
					}
					if g, w := stable(got.Header()), stable(want.Header()); !reflect.DeepEqual(g, w) {
						t.Errorf("%s: %s as %s: %q, want %q", name, path, accept, g, w)
					}
				}
			}
		}
	}
}

// stable is headers without those that differ each time.
func stable(h http.Header) http.Header {
	h = maps.Clone(h)
	maps.DeleteFunc(h, func(name string, _ []string) bool { return strings.HasPrefix(name, "Audit-Id") })
	return h
}

// TestFastPathIsTaken makes the fast path tell on itself.
func TestFastPathIsTaken(t *testing.T) {
	server, served := newServerAnd(t, newWorld(t), func() error { return nil })
	if len(served.encodings) != 4 {
		t.Errorf("%d encoders, want those of JSON and protobuf in two versions", len(served.encodings))
	}
	for id, e := range served.encodings {
		e.version = "fast" + e.version
		served.encodings[id] = e
	}
	for _, version := range versions {
		for _, path := range []string{"pods", "namespaces/shop/pods?labelSelector=app", "nodes"} {
			for _, accept := range []string{asJSON, asProtobuf, "application/json, */*", "application/vnd.kubernetes.protobuf,application/json"} {
				got := ask(t, server, version+"/"+path, "Accept", accept, "User-Agent", "test")
				if want := "metrics.k8s.io/fast" + version; !strings.Contains(got.Body.String(), want) {
					t.Errorf("%s as %s: %.200s", path, accept, got.Body)
				}
			}
			for _, accept := range []string{asYAML, asTable} {
				if got := ask(t, server, version+"/"+path, "Accept", accept); strings.Contains(got.Body.String(), "fast") {
					t.Errorf("%s as %s: %.200s", path, accept, got.Body)
				}
			}
		}
	}
}

// TestListIsAList holds what k8s.io/apimachinery sees in a list, on which the
// generic handlers and audit go.
func TestListIsAList(t *testing.T) {
	source := newWorld(t)
	for _, lister := range []interface {
		List(ctx context.Context, options *metainternalversion.ListOptions) (runtime.Object, error)
	}{&podStorage{source: source, served: &served{}}, &nodeStorage{source: source, served: &served{}}} {
		l, err := lister.List(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		typed := l.(*list).parts.typed()
		if !meta.IsListType(l) || meta.LenList(l) != meta.LenList(typed) || meta.LenList(l) == 0 {
			t.Errorf("%d items, want %d", meta.LenList(l), meta.LenList(typed))
		}
		var names []string
		if err := meta.EachListItem(l, func(o runtime.Object) error {
			item, err := meta.Accessor(o)
			names = append(names, item.GetNamespace()+"/"+item.GetName())
			return err
		}); err != nil || len(names) != meta.LenList(l) || !slices.IsSorted(names) {
			t.Errorf("%q: %v", names, err)
		}
		// Audit leaves managed fields out of a copy.
		if !reflect.DeepEqual(l.DeepCopyObject(), typed) {
			t.Errorf("copied to %+v", l.DeepCopyObject())
		}
	}
}

// TestAudit: audit logs the list as the typed encoder gives it, whether or not
// it asks for a copy first, to leave managed fields out.
func TestAudit(t *testing.T) {
	versions := []schema.GroupVersion{metricsv1.SchemeGroupVersion}
	l, err := (&podStorage{source: newWorld(t), served: newServed(Codecs, versions)}).List(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := runtime.Encode(Codecs.LegacyCodec(versions...), l.(*list).parts.typed())
	if err != nil {
		t.Fatal(err)
	}
	for _, omitManagedFields := range []bool{false, true} {
		ctx := audit.WithAuditContext(t.Context())
		var logged responses
		auditing := audit.AuditContextFrom(ctx)
		if err := auditing.Init(audit.RequestAuditConfig{Level: auditinternal.LevelRequestResponse, OmitManagedFields: omitManagedFields}, &logged); err != nil {
			t.Fatal(err)
		}
		audit.LogResponseObject(ctx, l, metricsv1.SchemeGroupVersion, Codecs)
		auditing.ProcessEventStage(ctx, auditinternal.StageResponseComplete)
		if len(logged) != 1 || logged[0] != string(want) {
			t.Errorf("%q, want %q", logged, want)
		}
	}
}

// responses is an audit sink that keeps response objects.
type responses []string

func (r *responses) ProcessEvents(events ...*auditinternal.Event) bool {
	for _, event := range events {
		*r = append(*r, string(event.ResponseObject.Raw))
	}
	return true
}

// TestUsageLog reads back what was logged.
func TestUsageLog(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	const at storage.Millis = 1_767_323_045_678
	for range 50 {
		var log usageLog
		if r.IntN(2) == 0 {
			log = newUsageLog(r.IntN(100))
		}
		want := make([]storage.PodUsage, r.IntN(1<<r.IntN(10)))
		pods := make([]*objects.Pod, len(want))
		for i := range want {
			pods[i] = &objects.Pod{Name: fmt.Sprint(i), Containers: &objects.Containers{}}
			for range r.IntN(1 << r.IntN(9)) {
				pods[i].Containers.Statuses = append(pods[i].Containers.Statuses, storage.ContainerStatus{Name: fmt.Sprint(r.IntN(100))})
			}
			want[i] = storage.PodUsage{Time: at - storage.Millis(r.IntN(1<<20)-r.IntN(1<<12)), Window: storage.Millis(r.IntN(math.MaxInt32))}
			for range r.IntN(1 << r.IntN(7)) {
				c := storage.ContainerUsage{Name: fmt.Sprint(r.IntN(100)), CPU: r.Uint64() >> r.IntN(64), Memory: r.Uint64() >> r.IntN(64)}
				if c.HasSwap = r.IntN(2) == 0; c.HasSwap && r.IntN(2) == 0 {
					c.Swap = r.Uint64() >> r.IntN(64)
				}
				want[i].Containers = append(want[i].Containers, c)
			}
			log.addOther(pods[i], &want[i])
		}
		for range 2 { // any number of times
			i := 0
			for item := range log.items {
				if item.Name != pods[i].Name || item.Time != want[i].Time || item.Window != want[i].Window || !slices.Equal(item.Containers, want[i].Containers) {
					t.Fatalf("%d: %+v, want %+v", i, item, want[i])
				}
				i++
			}
			if i != len(want) {
				t.Errorf("%d of %d", i, len(want))
			}
		}
	}
}

// newCrowd is a source of many pods of two containers in namespaces, with ten
// pods a workload.
func newCrowd(t testing.TB, count, namespaces int) *Source {
	t.Helper()
	source := &Source{Nodes: objects.NewNodes(nil), Pods: objects.NewPods()}
	usage := &fakeUsage{pods: map[string]storage.PodUsage{}, nodes: map[string]storage.NodeUsage{}}
	pods := make([]any, 0, count)
	var nodes []any
	for i := range count {
		workload := i / 10
		name := fmt.Sprintf("workload-%d-6d4b75cb6d-%05d", workload, i)
		p := pod(fmt.Sprintf("namespace-%d", workload%namespaces), name, fmt.Sprintf("node-%d", i%max(1, count/30)), map[string]string{
			"app.kubernetes.io/name":     fmt.Sprintf("workload-%d", workload),
			"app.kubernetes.io/part-of":  fmt.Sprintf("system-%d", workload%10),
			"app.kubernetes.io/instance": fmt.Sprintf("instance-%d", workload),
			"pod-template-hash":          fmt.Sprintf("6d4b75cb%02d", workload%100),
		}, "server", "sidecar")
		pods = append(pods, p)
		usage.pods[p.Spec.NodeName+"/"+p.Namespace+"/"+name] = storage.PodUsage{Time: sampled + storage.Millis(i%15_000), Window: storage.Millis(10_000 + i*7%10_000), Containers: []storage.ContainerUsage{
			{Name: "server", CPU: uint64(i) * 7_919_123, Memory: uint64(i) * 4096, HasSwap: true},
			{Name: "sidecar", CPU: uint64(i) * 7919, Memory: uint64(i) * 40960, HasSwap: true},
		}}
		if _, ok := usage.nodes[p.Spec.NodeName]; !ok {
			usage.nodes[p.Spec.NodeName] = storage.NodeUsage{Time: sampled, Window: 15_000, CPU: uint64(i) * 1_000_003, Memory: uint64(i) << 21}
			nodes = append(nodes, node(p.Spec.NodeName, map[string]string{"kubernetes.io/hostname": p.Spec.NodeName, "kubernetes.io/os": "linux"}))
		}
	}
	source.Usage = usage
	// In no order, as they come from a reflector's first list.
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(pods), func(i, j int) { pods[i], pods[j] = pods[j], pods[i] })
	if err := source.Pods.Replace(pods, ""); err != nil {
		t.Fatal(err)
	}
	if err := source.Nodes.Replace(nodes, ""); err != nil {
		t.Fatal(err)
	}
	return source
}

// unzipped is an answer as it was before it was compressed.
func unzipped(t *testing.T, zipped *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	t.Helper()
	reader, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	zipped.Body = bytes.NewBuffer(plain)
	return zipped
}

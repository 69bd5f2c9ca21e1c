// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// TestAnswers holds what clients see, to the letter.
func TestAnswers(t *testing.T) {
	server := serve(t, newFake())
	for path, want := range map[string]string{
		customV1beta2 + "/namespaces/shop/pods/*/requests_per_second": `{"kind":"MetricValueList","apiVersion":"custom.metrics.k8s.io/v1beta2","metadata":{},"items":[` +
			`{"describedObject":{"kind":"Pod","namespace":"shop","name":"web-0","apiVersion":"v1"},"metric":{"name":"requests_per_second","selector":null},"timestamp":"2026-01-02T03:04:05Z","windowSeconds":15,"value":"1500m"},` +
			`{"describedObject":{"kind":"Pod","namespace":"shop","name":"web-1","apiVersion":"v1"},"metric":{"name":"requests_per_second","selector":null},"timestamp":"2026-01-02T03:04:06Z","windowSeconds":0,"value":"2k"}]}`,
		customV1beta1 + "/namespaces/shop/deployments.apps/web/requests_per_second": `{"kind":"MetricValueList","apiVersion":"custom.metrics.k8s.io/v1beta1","metadata":{},"items":[` +
			`{"describedObject":{"kind":"Deployment","namespace":"shop","name":"web","apiVersion":"apps/v1"},"metricName":"requests_per_second","timestamp":"2026-01-02T03:04:06Z","window":0,"value":"2k","selector":null}]}`,
		customV1beta1 + "/namespaces/shop/metrics/requests_per_second?metricLabelSelector=code%3D200,path": `{"kind":"MetricValueList","apiVersion":"custom.metrics.k8s.io/v1beta1","metadata":{},"items":[` +
			`{"describedObject":{"kind":"Namespace","name":"shop","apiVersion":"v1"},"metricName":"requests_per_second","timestamp":"2026-01-02T03:04:06Z","window":0,"value":"2k","selector":` +
			`{"matchLabels":{"code":"200"},"matchExpressions":[{"key":"path","operator":"Exists"}]}}]}`,
		customV1beta2 + "/nodes/node-1/load": `{"kind":"MetricValueList","apiVersion":"custom.metrics.k8s.io/v1beta2","metadata":{},"items":[` +
			`{"describedObject":{"kind":"Node","name":"node-1","apiVersion":"v1"},"metric":{"name":"load","selector":null},"timestamp":"2026-01-02T03:04:06Z","windowSeconds":0,"value":"2k"}]}`,
		externalV1beta1 + "/namespaces/shop/queue_messages": `{"kind":"ExternalMetricValueList","apiVersion":"external.metrics.k8s.io/v1beta1","metadata":{},"items":[` +
			`{"metricName":"queue_messages","metricLabels":{"app":"shop","queue":"b"},"timestamp":"2026-01-02T03:04:05Z","window":30,"value":"12345m"},` +
			`{"metricName":"queue_messages","metricLabels":null,"timestamp":"2026-01-02T03:04:05Z","window":0,"value":"-7m"}]}`,
	} {
		got := server.get(path, asJSON)
		if got.code != http.StatusOK || got.header.Get("Content-Type") != asJSON || string(got.body) != want+"\n" {
			t.Errorf("%s: %d %s\n%s\nwant\n%s", path, got.code, got.header.Get("Content-Type"), got.body, want)
		}
	}
}

// TestFormats holds which answer is given to which Accept, and that all say the
// same.
func TestFormats(t *testing.T) {
	server := serve(t, newFake())
	const table = "application/json;as=Table;g=meta.k8s.io;v=v1"
	codecs, err := newCodecs()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		customV1beta1 + "/namespaces/shop/pods/*/requests_per_second", customV1beta2 + "/namespaces/shop/pods/*/requests_per_second",
		externalV1beta1 + "/namespaces/shop/sales", customV1beta2, externalV1beta1, "/apis/custom.metrics.k8s.io", "/apis/external.metrics.k8s.io",
	} {
		plain := server.get(path, asJSON)
		for _, c := range []struct {
			accept, query string
			code          int
			contentType   string
		}{
			{"", "", 200, asJSON},
			{"*/*", "", 200, asJSON},
			{asHPA, "", 200, asProtobuf},
			{asProtobuf, "", 200, asProtobuf},
			{"application/yaml", "", 200, "application/yaml"},
			{asJSON, "?pretty=true", 200, asJSON},
			{table + "," + asJSON, "", 200, asJSON},
			{table, "", 406, asJSON},
			{"application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", "", 406, asJSON},
			{"text/html", "", 406, asJSON},
		} {
			got := server.get(path+c.query, c.accept)
			if got.code != c.code || got.header.Get("Content-Type") != c.contentType {
				t.Errorf("%s as %q: %d %s: %s", path, c.accept, got.code, got.header.Get("Content-Type"), got.body)
				continue
			}
			if got.code != http.StatusOK {
				checkStatus(t, got)
				continue
			}
			var same []byte
			switch {
			case c.contentType == asProtobuf:
				object, gvk, err := codecs.UniversalDeserializer().Decode(got.body, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				object.GetObjectKind().SetGroupVersionKind(*gvk)
				info, _ := runtime.SerializerInfoForMediaType(codecs.SupportedMediaTypes(), asJSON)
				if same, err = runtime.Encode(info.Serializer, object); err != nil {
					t.Fatal(err)
				}
			case c.contentType == "application/yaml":
				if same, err = yaml.YAMLToJSON(got.body); err != nil {
					t.Fatal(err)
				}
			default:
				if pretty := bytes.Count(got.body, []byte("\n")) > 5; pretty != (c.query != "") {
					t.Errorf("%s as %q: %s", path, c.accept+c.query, got.body)
				}
				same = got.body
			}
			if a, b := canonical(t, same), canonical(t, plain.body); a != b {
				t.Errorf("%s as %q:\n%s\nwant\n%s", path, c.accept, a, b)
			}
		}
	}
}

// canonical is a document of JSON in a form that can be compared.
func canonical(t *testing.T, document []byte) string {
	t.Helper()
	var content any
	if err := json.Unmarshal(document, &content); err != nil {
		t.Fatalf("%v: %s", err, document)
	}
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestCompression: what is long is compressed for whoever takes it, as for every
// resource of an API server.
func TestCompression(t *testing.T) {
	f := newFake()
	f.custom = manyPods(2000)
	server := serve(t, f)
	const path = customV1beta2 + "/namespaces/shop/pods/*/requests_per_second"
	plain := server.get(path, asJSON)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("hpa", "")
	request.Header.Set("Accept", asJSON)
	request.Header.Set("Accept-Encoding", "gzip")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v", response.Header)
	}
	unpacked, err := gzip.NewReader(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(body, plain.body) {
		t.Error("the compressed answer is another")
	}
}

// manyPods answers with n pods.
func manyPods(n int) func(context.Context, *Query, *Answer) error {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("workload-7d9c5b8f4c-%05d", i)
	}
	return func(_ context.Context, q *Query, a *Answer) error {
		a.Kind, a.APIVersion = "Pod", "v1"
		for i, name := range names {
			a.Values = append(a.Values, Value{Namespace: q.Namespace, Name: name, Time: sampled + 1000, Window: 15_250, Milli: int64(i) * 1237})
		}
		return nil
	}
}

// TestAudit: what is audited is what was answered, although it is made otherwise.
func TestAudit(t *testing.T) {
	server := serve(t, newFake())
	for _, path := range []string{customV1beta2 + "/namespaces/shop/pods/*/requests_per_second", externalV1beta1 + "/namespaces/shop/sales", customV1beta1} {
		got := server.get(path, asJSON)
		if got.code != http.StatusOK {
			t.Fatalf("%d %s", got.code, got.body)
		}
		server.gate.mu.Lock()
		event := server.gate.mu.audited[len(server.gate.mu.audited)-1]
		server.gate.mu.Unlock()
		if event.ResponseObject == nil {
			t.Fatalf("%s: %+v", path, event)
		}
		if a, b := canonical(t, event.ResponseObject.Raw), canonical(t, got.body); a != b {
			t.Errorf("%s: audited %s, answered %s", path, a, b)
		}
		if event.User.Username != "hpa" || !strings.HasPrefix(event.RequestURI, path) {
			t.Errorf("%+v", event)
		}
	}
}

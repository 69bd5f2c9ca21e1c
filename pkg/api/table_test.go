// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	genericapiserver "k8s.io/apiserver/pkg/server"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// asTable is what kubectl get asks for.
const asTable = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

// record is the status of an answer that needed no network.
func record(server *genericapiserver.GenericAPIServer, path, accept string) int {
	request := httptest.NewRequest(http.MethodGet, "/apis/metrics.k8s.io/"+path, nil)
	request.Header.Set("Accept", accept)
	recorder := httptest.NewRecorder()
	server.Handler.ServeHTTP(recorder, request)
	return recorder.Code
}

// table is a Table as text, a line a row.
func (e *endpoint) table(path string) (text string, rows []metav1.TableRow) {
	e.t.Helper()
	got := e.get(path, asTable)
	if got.code != http.StatusOK || !strings.HasPrefix(got.contentType, asJSON) {
		e.t.Fatalf("%s: %d %s: %s", path, got.code, got.contentType, got.body)
	}
	var table metav1.Table
	if err := json.Unmarshal(got.body, &table); err != nil {
		e.t.Fatal(err)
	}
	if table.Kind != "Table" || table.APIVersion != "meta.k8s.io/v1" {
		e.t.Errorf("%s: %+v", path, table.TypeMeta)
	}
	var b strings.Builder
	for _, column := range table.ColumnDefinitions {
		fmt.Fprintf(&b, "%s(%s,%s) ", column.Name, column.Type, column.Format)
	}
	for _, row := range table.Rows {
		if len(row.Cells) != len(table.ColumnDefinitions) {
			e.t.Errorf("%s: %d cells in %d columns", path, len(row.Cells), len(table.ColumnDefinitions))
		}
		b.WriteString("\n")
		for _, cell := range row.Cells {
			if _, ok := cell.(string); !ok {
				e.t.Errorf("%s: cell %v is no string", path, cell)
			}
			fmt.Fprintf(&b, "%v ", cell)
		}
	}
	b.WriteString("\n")
	return b.String(), table.Rows
}

const (
	plainColumns = "Name(string,name) cpu(string,quantity) memory(string,quantity) Window(string,duration) \n"
	swapColumns  = "Name(string,name) cpu(string,quantity) memory(string,quantity) swap(string,quantity) Window(string,duration) \n"
)

// TestTable holds what kubectl get shows.
func TestTable(t *testing.T) {
	server := serve(t, newWorld(t))
	for path, want := range map[string]string{
		// Sums of containers, and rows with and without swap.
		"namespaces/shop/pods": swapColumns +
			"idle 0 0 <none> 15s \n" +
			"web-1 251234567n 62914561 4Ki 15.25s \n" +
			"web-2 3000000001n 3221225473 <none> 14s \n",
		"namespaces/zoo/pods":               plainColumns + "plain 1u 1k 15s \n",
		"namespaces/zoo/pods/plain":         plainColumns + "plain 1u 1k 15s \n",
		"namespaces/none/pods":              plainColumns,
		"nodes":                             swapColumns + "node-a 412345678n 2Gi 0 15.25s \nnode-b 0 0 <none> 14s \nnode-c 7n 1000000007 <none> 15s \n",
		"nodes/node-a":                      swapColumns + "node-a 412345678n 2Gi 0 15.25s \n",
		"nodes?labelSelector=zone%3Db":      plainColumns + "node-b 0 0 14s \n",
		"nodes?labelSelector=zone%3Dabsent": plainColumns,
	} {
		for _, version := range versions {
			if got, _ := server.table(version + "/" + path); got != want {
				t.Errorf("%s/%s:\n%s\nwant:\n%s", version, path, got, want)
			}
		}
	}
}

// TestTableObjects: a row carries its object's metadata, the object, or nothing,
// as asked.
func TestTableObjects(t *testing.T) {
	server := serve(t, newWorld(t))
	for _, version := range versions {
		for include, kind := range map[string]string{
			"":         "meta.k8s.io/v1 PartialObjectMetadata",
			"Metadata": "meta.k8s.io/v1 PartialObjectMetadata",
			"Object":   "metrics.k8s.io/" + version + " PodMetrics",
			"None":     "",
		} {
			path := version + "/namespaces/shop/pods"
			if include != "" {
				path += "?includeObject=" + include
			}
			_, rows := server.table(path)
			if len(rows) != 3 {
				t.Fatalf("%d rows", len(rows))
			}
			row := rows[1]
			if kind == "" {
				if len(row.Object.Raw) != 0 && string(row.Object.Raw) != "null" {
					t.Errorf("%s: %s", path, row.Object.Raw)
				}
				continue
			}
			var object metav1.PartialObjectMetadata
			if err := json.Unmarshal(row.Object.Raw, &object); err != nil {
				t.Fatal(err)
			}
			if got := object.APIVersion + " " + object.Kind; got != kind {
				t.Errorf("%s: %s, want %s", path, got, kind)
			}
			if object.Name != "web-1" || object.Namespace != "shop" || object.Labels["tier"] != "front" {
				t.Errorf("%s: %+v", path, object)
			}
		}
	}
}

// TestTableOverflow: a sum beyond an int64 is the sum, not a negative number.
func TestTableOverflow(t *testing.T) {
	const huge = 1<<63 - 1
	server := serve(t, newSource(
		t, []*corev1.Node{node("n", nil)}, []*corev1.Pod{pod("a", "big", "n", nil, "x", "y")},
		&fakeUsage{pods: map[string]storage.PodUsage{"n/a/big": {Time: sampled, Window: 15_000, Containers: []storage.ContainerUsage{
			{Name: "x", CPU: huge, Memory: huge}, {Name: "y", CPU: huge, Memory: huge},
		}}}},
	))
	if got, want := first(server.table("v1/pods")), plainColumns+"big 18446744073709551614n 18446744073709551614 15s \n"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func first(text string, _ []metav1.TableRow) string { return text }

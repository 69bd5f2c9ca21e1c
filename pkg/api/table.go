// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// usageRow is one row of a Table of usage.
type usageRow struct {
	object runtime.Object
	name   string
	usage  corev1.ResourceList
	window time.Duration
}

// usageTable is the Table that kubectl get shows: the name, each resource that
// any row has, sorted, and the window. Cells are strings, as metrics-server has
// them.
func usageTable(rows []usageRow) *metav1.Table {
	present := map[corev1.ResourceName]bool{corev1.ResourceCPU: true, corev1.ResourceMemory: true}
	for i := range rows {
		for name := range rows[i].usage {
			present[name] = true
		}
	}
	resources := slices.Sorted(maps.Keys(present))

	table := &metav1.Table{
		ColumnDefinitions: []metav1.TableColumnDefinition{{Name: "Name", Type: "string", Format: "name", Description: "Name of the resource"}},
		Rows:              make([]metav1.TableRow, 0, len(rows)),
	}
	for _, name := range resources {
		table.ColumnDefinitions = append(table.ColumnDefinitions, metav1.TableColumnDefinition{Name: string(name), Type: "string", Format: "quantity"})
	}
	table.ColumnDefinitions = append(table.ColumnDefinitions, metav1.TableColumnDefinition{Name: "Window", Type: "string", Format: "duration"})

	for i := range rows {
		row := &rows[i]
		cells := make([]any, 0, len(resources)+2)
		cells = append(cells, row.name)
		for _, name := range resources {
			cell := "<none>"
			if quantity, ok := row.usage[name]; ok {
				cell = quantity.String()
			}
			cells = append(cells, cell)
		}
		cells = append(cells, row.window.String())
		table.Rows = append(table.Rows, metav1.TableRow{Cells: cells, Object: runtime.RawExtension{Object: row.object}})
	}
	return table
}

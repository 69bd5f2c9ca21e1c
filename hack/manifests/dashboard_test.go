// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package manifests

import (
	"encoding/json"
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestDashboard holds that the dashboard comes to a cluster as it is in the file,
// where Grafana's sidecar looks for it. What its queries answer is tested in
// hack/receivers.
func TestDashboard(t *testing.T) {
	const name = "metrics-apiserver.json"
	want, err := os.ReadFile("../../manifests/dashboards/" + name)
	if err != nil {
		t.Fatal(err)
	}
	maps := all[*corev1.ConfigMap](render(t, "../../manifests/dashboards"))
	if len(maps) != 1 || maps[0].Labels["grafana_dashboard"] != "1" || maps[0].Data[name] != string(want) || !json.Valid(want) {
		t.Errorf("rendered %d ConfigMaps: %v", len(maps), maps)
	}
}

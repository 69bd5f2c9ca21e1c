// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
)

// scrapeInterval is how often the Prometheus below reads the kubelet: often, so
// that it has a sample soon after the kubelet does.
const scrapeInterval = 2 * time.Second

// startPrometheus starts the Prometheus of this machine inside the real node's
// network, with a service account's right to the kubelet's metrics, and skips the
// test where there is no Prometheus. It ends with the cluster.
func (s *realSite) startPrometheus(t *testing.T) *prometheus {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("prometheus is not installed: apt-get install prometheus")
	}
	s.apply(t, "prometheus", `
apiVersion: v1
kind: ServiceAccount
metadata: {name: prometheus}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: prometheus}
rules: [{apiGroups: [""], resources: [nodes/metrics], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: prometheus}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: prometheus}
subjects: [{kind: ServiceAccount, name: prometheus, namespace: prometheus}]
`)
	dir := t.TempDir()
	token, config := filepath.Join(dir, "token"), filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(token, []byte(s.kubectl(t, "-n", "prometheus", "create", "token", "prometheus")), 0o600); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "global: {scrape_interval: %[1]v, scrape_timeout: %[1]v}\nscrape_configs:\n", scrapeInterval)
	for _, document := range []string{"resource", "cadvisor"} {
		// With the labels that kube-prometheus gives them, as our server does.
		fmt.Fprintf(&text, `- job_name: %[1]s
  scheme: https
  metrics_path: /metrics/%[1]s
  honor_labels: true
  authorization: {credentials_file: %[2]q}
  tls_config: {ca_file: %[3]q}
  static_configs:
  - targets: ["%[4]s:10250"]
    labels: {job: kubelet, node: %[5]q, metrics_path: /metrics/%[1]s}
`, document, token, s.CA().CertFile, s.node.Address(), s.node.Name())
	}
	if err := os.WriteFile(config, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort(s.node.Address(), "9090")
	err = s.Add(t.Context(), cluster.Component{Name: "prometheus", Argv: []string{
		program, "--config.file=" + config, "--web.listen-address=" + address, "--storage.tsdb.path=" + filepath.Join(dir, "data"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Its files are gone when the test has ended.
		if err := s.StopComponent(context.WithoutCancel(t.Context()), "prometheus"); err != nil {
			t.Error(err)
		}
		if text, err := os.ReadFile(s.LogPath("prometheus")); t.Failed() {
			t.Logf("prometheus' log: %v\n%s", err, text[max(0, len(text)-4000):])
		}
	})
	p := &prometheus{url: "http://" + address}
	eventually(t, time.Minute, "Prometheus has both documents of the kubelet", func(ctx context.Context) error {
		up, err := p.ask(ctx, `up{job="kubelet"}`, time.Now())
		if err != nil {
			return err
		}
		if len(up) != 2 || up[0].value+up[1].value != 2 {
			return fmt.Errorf("targets are %v", up)
		}
		return nil
	})
	return p
}

// promSample is one element of an answer of Prometheus.
type promSample struct {
	labels map[string]string
	value  float64
}

// ask has an expression evaluated at a moment.
func (p *prometheus) ask(ctx context.Context, expr string, at time.Time) ([]promSample, error) {
	query := url.Values{"query": {expr}, "time": {strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/api/v1/query?"+query.Encode(), http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Error != "" {
		return nil, fmt.Errorf("ask Prometheus: %w: %s", err, body)
	}
	var samples []promSample
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("ask Prometheus: %w", err)
		}
		if !math.IsNaN(value) {
			samples = append(samples, promSample{r.Metric, value})
		}
	}
	return samples, nil
}

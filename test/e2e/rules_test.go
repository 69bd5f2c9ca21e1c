// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
)

// ruledConfig has a rule of each kind. What kubelettest says: a container's RSS is
// half of its memory, which workloads share between two containers.
const ruledConfig = `apiVersion: metrics-apiserver/v1alpha1
kind: Configuration
rules:
- name: rss_bytes
  attach: {resource: services, label: label_app}
  expr: sum by (label_app) (container_memory_rss)
- name: rss_per_thread
  attach: {resource: pods}
  expr: sum by (pod) (container_memory_rss) / sum by (pod) (container_threads)
- name: deployment_receive_bytes_per_second
  attach: {group: apps, resource: deployments, label: workload}
  expr: sum by (workload) (rate(container_network_receive_bytes_total[1m]))
- name: team_rss_bytes
  attach: {external: true}
  expr: sum by (label_app) (container_memory_rss)
  namespaces: [ruled-external, ruled-frozen]
`

const externalPath = "/apis/external.metrics.k8s.io/v1beta1"

// TestRules has the real HPA controller scale on what rules make of what fake
// kubelets say.
func TestRules(t *testing.T) {
	inLane(t, simulatedLane)
	minor := cluster.Minors[0]
	file := writeConfig(t, ruledConfig)
	s := prepareSite(t, minor, 2, "--custom-metrics", "--external-metrics", "--config="+file)
	s.grant("hack", "manifests", "testdata", "custom-metrics")
	s.startServer()
	documented(t, s.Cluster, installDocument, "## Rules and external metrics") // Nobody serves them yet.
	s.registerCustomMetrics(t)
	s.registerExternalMetrics(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T, *site, string)
	}{
		{"scale", testRulesScale},
		{"tenants", testRulesTenants},
		{"reload under load", testRulesReload},
		{"stale series", testRulesStale},
		{"metric appears and disappears", testRulesAppear},
	} {
		t.Run(part.name, func(t *testing.T) {
			s.t = t
			part.run(t, s, file)
		})
	}
}

// hpaOn is an HPA of the Deployment web, on any metric.
func hpaOn(namespace, metric string) []byte {
	return fmt.Appendf(nil, `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {namespace: %s, name: web}
spec:
  minReplicas: 1
  maxReplicas: 3
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  metrics: [%s]
`, namespace, metric)
}

// testRulesScale scales on metrics of type Object, External and Pods, up and down.
func testRulesScale(t *testing.T, s *site, _ string) {
	metrics := map[string]string{
		"ruled-object":   `{type: Object, object: {describedObject: {apiVersion: v1, kind: Service, name: web}, metric: {name: rss_bytes}, target: {type: AverageValue, averageValue: 100Mi}}}`,
		"ruled-external": `{type: External, external: {metric: {name: team_rss_bytes, selector: {matchLabels: {label_app: web}}}, target: {type: AverageValue, averageValue: 100Mi}}}`,
		"ruled-pods":     fmt.Sprintf(`{type: Pods, pods: {metric: {name: rss_per_thread}, target: {type: AverageValue, averageValue: "%d"}}}`, 100<<20/(2*kubelettest.ThreadsPerContainer)),
	}
	for namespace, metric := range metrics {
		s.createWorkload(namespace, "web", 1, "10m", "150Mi", "0")
		if err := s.Apply(t.Context(), hpaOn(namespace, metric)); err != nil {
			t.Fatal(err)
		}
	}
	for namespace := range metrics {
		eventually(t, 3*time.Minute, "scaled up in "+namespace, desired(s.client, namespace, "web", 3))
	}
	s.useMemory("ruled-", 1<<20)
	for namespace := range metrics {
		eventually(t, 3*time.Minute, "scaled down in "+namespace, desired(s.client, namespace, "web", 1))
	}
	eventually(t, time.Minute, "a Deployment's traffic", func(ctx context.Context) error {
		values, err := customValues(ctx, s.Cluster, "/namespaces/ruled-object/deployments.apps/web/deployment_receive_bytes_per_second")
		if err != nil {
			return err
		}
		return within("web", values["web"], kubelettest.BytesPerSecond*1000, kubelettest.BytesPerSecond*1000/8)
	})
}

// externalValues is an external metric in a namespace, in thousandths.
func (s *site) externalValues(ctx context.Context, namespace, metric string) ([]int64, error) {
	raw, err := s.client.CoreV1().RESTClient().Get().AbsPath(externalPath, "namespaces", namespace, metric).DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	var list externalmetricsv1beta1.ExternalMetricValueList
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	var values []int64
	for i := range list.Items {
		values = append(values, list.Items[i].Value.MilliValue())
	}
	return values, nil
}

// externalError is what people are told of an external metric without a value.
func (s *site) externalError(ctx context.Context, namespace, metric string) error {
	_, err := s.Kubectl(ctx, "get", "--raw", externalPath+"/namespaces/"+namespace+"/"+metric)
	return err
}

// testRulesTenants: each namespace has its own values, and an external metric only
// where it is visible.
func testRulesTenants(t *testing.T, s *site, _ string) {
	s.createWorkload("ruled-hidden", "web", 1, "10m", "300Mi", "0")
	eventually(t, time.Minute, "a value of its own", func(ctx context.Context) error {
		values, err := customValues(ctx, s.Cluster, "/namespaces/ruled-hidden/services/web/rss_bytes")
		if err != nil {
			return err
		}
		return within("web", values["web"], 300<<20*1000, 30<<20*1000)
	})
	if values, err := s.externalValues(t.Context(), "ruled-external", "team_rss_bytes"); err != nil || len(values) != 1 || values[0] > 10<<20*1000 {
		t.Errorf("%v, %v", values, err)
	}
	hidden, unknown := s.externalError(t.Context(), "ruled-hidden", "team_rss_bytes"), s.externalError(t.Context(), "ruled-hidden", "unknown")
	if hidden == nil || unknown == nil || hidden.Error() != strings.ReplaceAll(unknown.Error(), "unknown", "team_rss_bytes") {
		t.Errorf("%v\ntells that there is one:\n%v", hidden, unknown)
	}
}

// testRulesReload: while rules come and go, and one is broken, the others answer
// every request.
func testRulesReload(t *testing.T, s *site, file string) {
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	asked := 0
	group.Go(func() {
		for ctx.Err() == nil {
			if _, err := s.externalValues(ctx, "ruled-external", "team_rss_bytes"); err != nil && ctx.Err() == nil {
				t.Errorf("after %d requests: %v", asked, err)
				return
			}
			asked++
		}
	})
	for i := range 3 {
		name := fmt.Sprintf("reloaded_%d", i)
		s.rewrite(file, ruledConfig+"- {name: broken, attach: {resource: pods}, expr: sum(}\n- {name: "+name+", attach: {resource: pods}, expr: sum by (pod) (container_memory_rss)}\n")
		eventually(t, time.Minute, name, func(ctx context.Context) error {
			_, err := customValues(ctx, s.Cluster, "/namespaces/ruled-external/pods/*/"+name)
			return err
		})
	}
	cancel()
	group.Wait()
	t.Logf("%d requests", asked)
	_, err := customValues(t.Context(), s.Cluster, "/namespaces/ruled-external/pods/*/broken")
	if err == nil || !strings.Contains(err.Error(), "its rule is not in force: expr: parse") {
		t.Error(err)
	}
	s.rewrite(file, ruledConfig)
}

// rewrite replaces the configuration file as a whole.
func (s *site) rewrite(file, text string) {
	s.t.Helper()
	if err := errors.Join(os.WriteFile(file+".new", []byte(text), 0o600), os.Rename(file+".new", file)); err != nil {
		s.t.Fatal(err)
	}
}

// testRulesStale: a node that does not answer any more, with a pod on it, does not
// change replicas, though what is left of the sum would be half.
func testRulesStale(t *testing.T, s *site, _ string) {
	s.createWorkload("ruled-frozen", "web", 3, "10m", "150Mi", "0")
	metric := `{type: External, external: {metric: {name: team_rss_bytes}, target: {type: AverageValue, averageValue: 50Mi}}}`
	if err := s.Apply(t.Context(), hpaOn("ruled-frozen", metric)); err != nil {
		t.Fatal(err)
	}
	eventually(t, 3*time.Minute, "three replicas", desired(s.client, "ruled-frozen", "web", 3))
	// Not so young that they are not waited for.
	eventually(t, 3*time.Minute, "pods are a minute old", func(ctx context.Context) error {
		pods, err := s.client.CoreV1().Pods("ruled-frozen").List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for i := range pods.Items {
			if started := pods.Items[i].Status.StartTime; started == nil || time.Since(started.Time) < 65*time.Second {
				return fmt.Errorf("%s started at %v", pods.Items[i].Name, started)
			}
		}
		return nil
	})
	// Now the sum is three times the target, and without one of them only twice.
	s.useMemory("ruled-frozen/", 50<<20)
	eventually(t, time.Minute, "the sum is three times the target", func(ctx context.Context) error {
		values, err := s.externalValues(ctx, "ruled-frozen", "team_rss_bytes")
		if err != nil || len(values) != 1 {
			return fmt.Errorf("%v: %w", values, err)
		}
		return within("sum", values[0], 150<<20*1000, 1<<20*1000)
	})
	s.nodes[0].SetFault(kubelettest.Fault{Status: http.StatusInternalServerError})
	defer s.nodes[0].SetFault(kubelettest.Fault{})
	eventually(t, 3*time.Minute, "there is no sum", func(ctx context.Context) error {
		if err := desired(s.client, "ruled-frozen", "web", 3)(ctx); err != nil {
			t.Error(err)
			return nil
		}
		if err := s.externalError(ctx, "ruled-frozen", "team_rss_bytes"); err == nil || !strings.Contains(err.Error(), "its newest sample is too old") {
			return fmt.Errorf("the reason is %w", err)
		}
		return nil
	})
	eventually(t, time.Minute, "the HPA says why", s.hpaSays("ruled-frozen", "external metric team_rss_bytes", "its newest sample is too old"))
	for range 20 {
		if err := desired(s.client, "ruled-frozen", "web", 3)(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// hpaSays is a check that `kubectl describe hpa` has a reason for there being no
// value.
func (s *site) hpaSays(namespace string, parts ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		h, err := s.client.AutoscalingV2().HorizontalPodAutoscalers(namespace).Get(ctx, "web", metav1.GetOptions{})
		if err != nil {
			return err
		}
		lacks := func(text string) bool {
			return slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
		}
		if !slices.ContainsFunc(h.Status.Conditions, func(c autoscalingv2.HorizontalPodAutoscalerCondition) bool {
			return c.Type == autoscalingv2.ScalingActive && !lacks(c.Message)
		}) {
			return errors.New(fmt.Sprint(h.Status.Conditions))
		}
		described, err := s.Kubectl(ctx, "-n", namespace, "describe", "hpa", "web")
		if err == nil && lacks(described) {
			err = fmt.Errorf("kubectl describe says:\n%s", described)
		}
		return err
	}
}

// testRulesAppear: an HPA waits for a rule, scales on it, and says so when it is
// taken away.
func testRulesAppear(t *testing.T, s *site, file string) {
	s.createWorkload("ruled-new", "web", 1, "10m", "150Mi", "0")
	if err := s.Apply(t.Context(), podsHPA("ruled-new", "web", "appears", "100Mi")); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "there is no metric yet", s.hpaSays("ruled-new", "there is no metric appears"))
	s.rewrite(file, ruledConfig+"- {name: appears, attach: {resource: pods}, expr: sum by (pod) (container_memory_rss)}\n")
	eventually(t, 2*time.Minute, "scaled up", desired(s.client, "ruled-new", "web", 3))
	s.rewrite(file, ruledConfig)
	eventually(t, time.Minute, "there is no metric any more", s.hpaSays("ruled-new", "there is no metric appears"))
	if err := desired(s.client, "ruled-new", "web", 3)(t.Context()); err != nil {
		t.Error(err)
	}
}

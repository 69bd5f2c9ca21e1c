// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
)

const (
	// metricsTimeout is how long all metrics may take to appear. The HPA
	// controller looks every 15 s.
	metricsTimeout = 3 * time.Minute
	// metricsPoll is how often we look.
	metricsPoll = time.Second
	// reportEvery is how often we say what is still missing.
	reportEvery = 10 * time.Second
	// shownMetric is the custom metric that is shown, and shownRule the external
	// one, of rules.yaml. Nodes of all kinds have what they are made of.
	shownMetric = "memory_working_set_request_ratio"
	shownRule   = "app_memory_mebibytes"
)

// waitForMetrics returns when all nodes and running pods have metrics and all
// HPAs have read theirs.
func waitForMetrics(ctx context.Context, w io.Writer, c *cluster.Cluster) error {
	config, err := c.RESTConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("wait for metrics: %w", err)
	}
	metrics, err := metricsclient.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("wait for metrics: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, metricsTimeout)
	defer cancel()
	poll := time.NewTicker(metricsPoll)
	defer poll.Stop()
	report := time.NewTicker(reportEvery)
	defer report.Stop()
	for {
		missing := missingMetrics(ctx, client, metrics)
		if missing == nil {
			return nil
		}
		select {
		case <-poll.C:
		case <-report.C:
			fmt.Fprintf(w, "waiting: %v\n", missing)
		case <-ctx.Done():
			return fmt.Errorf("wait for metrics: %w; what is missing: %w\nThe server's log: %s", ctx.Err(), missing, c.LogPath(serverName))
		}
	}
}

// missingMetrics returns what is not there yet, as an error.
func missingMetrics(ctx context.Context, client kubernetes.Interface, metrics metricsclient.Interface) error {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	nodeMetrics, err := metrics.MetricsV1beta1().NodeMetricses().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if got, want := len(nodeMetrics.Items), len(nodes.Items); got < want {
		return fmt.Errorf("%d of %d nodes have metrics", got, want)
	}
	pods, err := client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	podMetrics, err := metrics.MetricsV1beta1().PodMetricses(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	running := 0
	for _, pod := range pods.Items {
		if pod.Status.Phase == corev1.PodRunning {
			running++
		}
	}
	if got := len(podMetrics.Items); got < running || running == 0 {
		return fmt.Errorf("%d of %d running pods have metrics", got, running)
	}
	hpas, err := client.AutoscalingV2().HorizontalPodAutoscalers(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if len(hpas.Items) == 0 {
		return errors.New("there is no HPA")
	}
	for i := range hpas.Items {
		if hpa := &hpas.Items[i]; !hasNumbers(hpa) {
			return fmt.Errorf("the HPA %s has not read its metrics, which it does every 15s", hpa.Name)
		}
	}
	return nil
}

// hasNumbers reports whether the HPA knows all that it scales on.
func hasNumbers(hpa *autoscalingv2.HorizontalPodAutoscaler) bool {
	known := 0
	for _, m := range hpa.Status.CurrentMetrics {
		switch {
		case m.Resource != nil && m.Resource.Current.AverageUtilization != nil,
			m.Pods != nil && m.Pods.Current.AverageValue != nil,
			m.External != nil && m.External.Current.AverageValue != nil:
			known++
		}
	}
	return known == len(hpa.Spec.Metrics)
}

// show runs the commands that the whole thing is for.
func show(ctx context.Context, w io.Writer, c *cluster.Cluster) error {
	for _, args := range [][]string{
		{"top", "nodes"},
		{"top", "pods", "-A"},
		{"get", "--raw", "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/metrics/" + shownMetric},
		{"get", "--raw", "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/" + shownRule + "?labelSelector=label_app%3Dweb"},
		{"get", "hpa"},
	} {
		fmt.Fprintf(w, "\n$ kubectl %s\n", strings.Join(args, " "))
		//nolint:gosec // The program is the one this repository has built.
		cmd := exec.CommandContext(ctx, c.KubectlPath(), args...)
		cmd.Env = append(os.Environ(), c.KubectlEnv()...)
		cmd.Stdout, cmd.Stderr = w, w
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("kubectl %s: %w", strings.Join(args, " "), err)
		}
	}
	return nil
}

// printNext says how to use the cluster.
func printNext(w io.Writer, c *cluster.Cluster) error {
	kind, err := os.ReadFile(kindFile(c.Dir()))
	if err != nil {
		return fmt.Errorf("read the kind of nodes: %w", err)
	}
	env, err := environmentOf(string(kind))
	if err != nil {
		return err
	}
	receiver, err := sinkOf(c)
	if err != nil {
		return err
	}
	shipped := ""
	if receiver != nil {
		shipped = fmt.Sprintf("What our server ships is in Prometheus, at %s\n", receiver.url.JoinPath("graph"))
	}
	_, err = fmt.Fprintf(w, `The cluster keeps running; its kubeconfig is
  %[1]s
%[4]s
Try next:
  eval "$(go run ./hack/dev env)"     # this kubeconfig, and a kubectl of version %[2]s
  kubectl top pods --containers
  %[3]s
  kubectl get hpa --watch             # scales up within a minute
  make up                             # again, after a change of the code or of hack/dev/rules.yaml
  make down                           # ends everything
`, c.Kubeconfig(), c.Minor(), env.load(), shipped)
	return err
}

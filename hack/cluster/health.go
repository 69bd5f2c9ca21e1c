// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	// probeTimeout bounds one health check.
	probeTimeout = 5 * time.Second
	// maxHealth bounds what is read of an unhealthy answer.
	maxHealth = 16 << 10
)

// probe asks components for their health. It trusts the cluster's authorities
// and shows each server the certificate that it accepts.
type probe struct {
	client *http.Client
}

func newProbe(dir string) (*probe, error) {
	config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	for _, name := range []string{clusterCA, etcdCA} {
		pem, err := os.ReadFile(filepath.Join(dir, name+".crt"))
		if err != nil {
			return nil, fmt.Errorf("prepare health checks: %w", err)
		}
		config.RootCAs.AppendCertsFromPEM(pem)
	}
	for _, name := range []string{"admin", "etcd-client"} {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key"))
		if err != nil {
			return nil, fmt.Errorf("prepare health checks: %w", err)
		}
		config.Certificates = append(config.Certificates, pair)
	}
	return &probe{client: &http.Client{
		Timeout: probeTimeout,
		// No connection stays open: a component's restart must be noticed, and
		// nothing must be left of a probe.
		Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true},
	}}, nil
}

// get returns nil if the URL answers 200.
func (p *probe) get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("check health: %w", err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return fmt.Errorf("check health: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxHealth))
	if err != nil {
		return fmt.Errorf("check health: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("check health: %s answers %s: %s", url, resp.Status, failedChecks(string(body)))
	}
	return nil
}

// failedChecks leaves out the checks that passed, where the answer is a list of
// checks, one a line.
func failedChecks(answer string) string {
	var failed []string
	for line := range strings.Lines(answer) {
		if strings.HasPrefix(line, "[-]") {
			failed = append(failed, strings.TrimSpace(line))
		}
	}
	if len(failed) == 0 {
		return strings.TrimSpace(answer)
	}
	return strings.Join(failed, ", ")
}

// waitForServiceAccount returns when the service account "default" of the
// namespace "default" exists, without which no pod can be created there.
func (c *Cluster) waitForServiceAccount(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.opts.ReadyTimeout)
	defer cancel()
	config, err := c.RESTConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("wait for the default service account: %w", err)
	}
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		_, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		if err == nil {
			return nil
		}
		if !apierrors.IsNotFound(err) {
			return fmt.Errorf("wait for the default service account: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the default service account (made by %s): %w", ControllerManager, ctx.Err())
		}
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/configfile"
	"github.com/metrics-apiserver/metrics-apiserver/hack/chaos/rig"
	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster/clustertest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/apitest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
)

// What F10 asks of the aggregated document.
const (
	crowdSize     = 100_000
	documentBytes = 64 << 10
	documentDelay = 10 * time.Millisecond
)

// tryDiscovery is F10. A configuration cannot name 100,000 metrics, which is more
// than a file may hold, so they come from a provider in this process, behind the
// handlers and the TLS that the server has. The server itself gets as many as a file
// holds.
func tryDiscovery(x *trial) {
	c := &crowd{}
	c.change(0)
	handler := crowdHandler(x, c)
	listening := httptest.NewUnstartedServer(handler)
	listening.EnableHTTP2 = true
	listening.StartTLS()
	defer listening.Close()
	injected := fmt.Sprintf("%d metrics of objects and as many external ones", crowdSize)
	x.holdDocument(injected, listening.Client(), listening.URL, crowdSize, 10*time.Second)

	// kube-apiserver looks at a version's own document every few seconds, and so
	// finds that there are others.
	ctx, cancel := context.WithCancel(x.Context())
	changed := make(chan int, 1)
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-tick.C:
				c.change(n)
				_, _, err := getDocument(ctx, listening.Client(), listening.URL+"/apis/custom.metrics.k8s.io/v1beta2", "application/json")
				if err != nil && ctx.Err() == nil {
					x.Error(err)
				}
			case <-ctx.Done():
				changed <- n - 1
				return
			}
		}
	}()
	x.holdDocument(injected+", all of which are others once a second", listening.Client(), listening.URL, crowdSize, 30*time.Second)
	cancel()
	x.Logf("they changed %d times", <-changed)

	config := filepath.Join(x.TempDir(), "config.yaml")
	text, rules := fullConfig()
	if err := os.WriteFile(config, text, 0o600); err != nil {
		x.Fatal(err)
	}
	server := x.world(1, 1).Serve(x, "--custom-metrics", "--external-metrics", "--config="+config)
	injected = fmt.Sprintf("a server with the %d rules that a file holds", rules)
	url := fmt.Sprintf("https://127.0.0.1:%d", server.Port)
	var client *http.Client
	clustertest.Eventually(x, time.Minute, "the server knows who asks", func(ctx context.Context) error {
		client = server.As(x, rig.Reader) // As whom one is known is up to the connection.
		_, _, err := getDocument(ctx, client, url+"/apis", "application/json")
		return err
	})
	x.holdDocument(injected, client, url, rules/2, 10*time.Second)
}

// holdDocument asks for the aggregated document again and again for so long, at the
// pace of the run, and writes its size and delay into the report. atLeast is how many
// metrics the own document of a version has: what is held is not what is small because
// nothing is there.
func (x *trial) holdDocument(injected string, client *http.Client, url string, atLeast int, lasts time.Duration) {
	x.Helper()
	for _, version := range []string{"custom.metrics.k8s.io/v1beta1", "custom.metrics.k8s.io/v1beta2", "external.metrics.k8s.io/v1beta1"} {
		body, _, err := getDocument(x.Context(), client, url+"/apis/"+version, "application/json")
		if err != nil {
			x.Fatal(err)
		}
		if listed := bytes.Count(body, []byte(`{"name":`)); listed < atLeast {
			x.Errorf("%s lists %d metrics, want %d", version, listed, atLeast)
		}
	}
	var delays []time.Duration
	asked, largest, wrong := 0, 0, &findings{}
	for end := time.Now().Add(x.lasting(lasts)); asked < 500 || time.Now().Before(end); asked++ {
		body, took, err := getDocument(x.Context(), client, url+"/apis", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList")
		if wrong.err(err) {
			continue
		}
		if !bytes.Contains(body, []byte(`"external.metrics.k8s.io"`)) || !bytes.Contains(body, []byte(`"Current"`)) {
			wrong.add("%.200s", body)
		}
		delays, largest = append(delays, took), max(largest, len(body))
	}
	p50, p99 := quantile(delays, 0.5), quantile(delays, 0.99)
	x.none("F10", injected, "answers that are no aggregated document", wrong, asked)
	x.figure("F10", injected, "bytes of the aggregated document", largest, documentBytes, largest > 0 && largest <= documentBytes)
	x.figure("F10", injected, fmt.Sprintf("delay of the document, p99 of %d", asked), fmt.Sprintf("%v (p50 %v)", p99.Round(time.Microsecond), p50.Round(time.Microsecond)), documentDelay, p99 > 0 && p99 <= documentDelay)
}

// getDocument is a document as a media type, and how long it took to the last byte.
func getDocument(ctx context.Context, client *http.Client, url, accept string) (body []byte, took time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, 0, err
	}
	request.Header.Set("Accept", accept)
	request.Header.Set("Accept-Encoding", "identity")
	start := time.Now()
	response, err := client.Do(request)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	if body, err = io.ReadAll(response.Body); err != nil {
		return nil, 0, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("%s: %s: %.200s", url, response.Status, body)
	}
	return body, time.Since(start), nil
}

// crowd is a provider of many metrics, none of which has a value.
type crowd struct {
	infos atomic.Pointer[[]custommetrics.MetricInfo]
	names atomic.Pointer[[]string]
}

// change gives all metrics other names.
func (c *crowd) change(generation int) {
	resources := []custommetrics.MetricInfo{
		{Resource: schema.GroupResource{Resource: "pods"}, Namespaced: true},
		{Resource: schema.GroupResource{Resource: "nodes"}},
		{Resource: schema.GroupResource{Group: "apps", Resource: "deployments"}, Namespaced: true},
		{Resource: schema.GroupResource{Resource: "namespaces"}},
	}
	infos, names := make([]custommetrics.MetricInfo, crowdSize), make([]string, crowdSize)
	for i := range crowdSize {
		names[i] = fmt.Sprintf("application_%d_%06d_requests_per_second", generation, i)
		infos[i] = resources[i%len(resources)]
		infos[i].Metric = names[i]
	}
	c.infos.Store(&infos)
	c.names.Store(&names)
}

// Metrics is custommetrics.Provider's.
func (c *crowd) Metrics() []custommetrics.MetricInfo { return *c.infos.Load() }

// ExternalMetrics is custommetrics.ExternalProvider's.
func (c *crowd) ExternalMetrics() []string { return *c.names.Load() }

// Custom is custommetrics.Provider's.
func (*crowd) Custom(context.Context, *custommetrics.Query, *custommetrics.Answer) error {
	return custommetrics.NotFoundf("it has no value")
}

// External is custommetrics.ExternalProvider's.
func (*crowd) External(context.Context, *custommetrics.ExternalQuery) ([]custommetrics.ExternalValue, error) {
	return nil, custommetrics.NotFoundf("it has no value")
}

// crowdHandler is an API server with a crowd's metrics, and nobody to keep out.
func crowdHandler(x *trial, c *crowd) http.Handler {
	config := apitest.Config(api.Scheme, api.Codecs)
	config.BuildHandlerChainFunc = custommetrics.BuildHandlerChain
	server := apitest.New(x, config)
	if err := custommetrics.Install(server, c, c); err != nil {
		x.Fatal(err)
	}
	server.PrepareRun()
	return server.Handler
}

// fullConfig is a configuration of as many rules as there is room for, half of them
// external.
func fullConfig() (text []byte, rules int) {
	text = []byte("apiVersion: metrics-apiserver/v1alpha1\nkind: Configuration\nrules:\n")
	for {
		attach := "attach: {resource: pods}, expr: sum by (pod) (a)"
		if rules%2 == 1 {
			attach = "attach: {external: true}, expr: sum(a), namespaces: [a]"
		}
		rule := fmt.Sprintf("- {name: application_%05d, %s}\n", rules, attach)
		if len(text)+len(rule) > configfile.MaxBytes {
			return text, rules
		}
		text = append(text, rule...)
		rules++
	}
}

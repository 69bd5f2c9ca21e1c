// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	authorizationclient "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/apitest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/custommetrics"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// byName authenticates whoever gives a name.
type byName struct{}

// AuthenticateRequest is authenticator.Request's.
func (byName) AuthenticateRequest(request *http.Request) (*authenticator.Response, bool, error) {
	name, _, ok := request.BasicAuth()
	return &authenticator.Response{User: &user.DefaultInfo{Name: name, Groups: []string{"system:serviceaccounts", "system:authenticated"}}}, ok, nil
}

// chain is the provider behind the generic server's whole chain of handlers, with an
// authorizer that asks a server and keeps its answers for a minute.
func (w *world) chain(b *testing.B) http.Handler {
	reviews := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		_, _ = io.Copy(io.Discard, request.Body)
		response.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(response, `{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","status":{"allowed":true}}`)
	}))
	b.Cleanup(reviews.Close)
	client, err := authorizationclient.NewForConfig(&rest.Config{Host: reviews.URL, QPS: -1})
	w.must(err)
	config := apitest.Config(api.Scheme, api.Codecs)
	config.BuildHandlerChainFunc = custommetrics.BuildHandlerChain
	config.Authentication.Authenticator = byName{}
	config.Authorization.Authorizer, err = authorizerfactory.DelegatingAuthorizerConfig{
		SubjectAccessReviewClient: client, AllowCacheTTL: time.Minute, DenyCacheTTL: time.Minute, WebhookRetryBackoff: &wait.Backoff{Steps: 1},
	}.New()
	w.must(err)
	server := apitest.New(b, config)
	w.must(api.Install(server, &api.Source{Nodes: w.nodes, Pods: w.pods}))
	w.must(custommetrics.Install(server, w.provider, w.provider))
	server.PrepareRun()
	return server.Handler
}

// BenchmarkHPAs is what 1,000 HPAs cost that ask every 15 s, each in a namespace of
// its own with 30 pods of two containers: in per cent of a core, with the chain of
// handlers, authorization (asked about once in a minute, by a client and a server
// that are both in here), garbage collection and all. No result is asked for twice.
func BenchmarkHPAs(b *testing.B) {
	const namespaces, pods = 150, 30
	const cpu, memory, received = "container_cpu_usage_seconds_total", "container_memory_working_set_bytes", "container_network_receive_bytes_total"
	const path = `{metrics_path="/metrics/cadvisor"}`
	w := newWorld(b, "n1")
	w.set(
		ofPods("rate", "sum by (pod) (rate("+received+"[2m]))"),
		ofPods("ratio", "sum by (pod) (rate("+cpu+path+"[2m])) / sum by (pod) ("+memory+path+")"),
	)
	handler := w.chain(b)
	start := storage.MillisOf(time.Now()) - 121_000
	var names []string
	for i := range namespaces {
		names = append(names, fmt.Sprintf("team-%03d", i))
	}
	feedNamespaces(w, names, pods, start, cpu, memory, received)
	for _, metric := range []string{"rate", "ratio"} {
		b.Run(metric, func(b *testing.B) {
			requests := make([]*http.Request, namespaces)
			body, round, n := &bytes.Buffer{}, 0, 0
			began := cpuTime(b)
			b.ReportAllocs()
			for b.Loop() {
				i := n % namespaces
				if n++; i == 0 {
					w.forget()
					if round++; round%4 == 1 {
						for i, name := range names {
							requests[i] = httptest.NewRequest(http.MethodGet, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/"+name+"/pods/%2A/"+metric+"?labelSelector=app%3Dweb", http.NoBody)
							requests[i].Header.Set("Accept", "application/vnd.kubernetes.protobuf, */*")
							requests[i].SetBasicAuth(fmt.Sprintf("hpa-%d", round), "")
						}
					}
				}
				body.Reset()
				recorder := httptest.NewRecorder()
				recorder.Body = body
				handler.ServeHTTP(recorder, requests[i])
				if recorder.Code != http.StatusOK {
					b.Fatal(recorder.Body)
				}
			}
			b.ReportMetric(100*(cpuTime(b)-began).Seconds()/float64(b.N)*1000/15, "%core/1000HPAs")
		})
	}
}

// forget gives up all results, and what budgets were spent.
func (w *world) forget() {
	f := w.provider.current.Load()
	f.results.mu.Lock()
	defer f.results.mu.Unlock()
	clear(f.results.mu.byKey)
	for _, rule := range f.custom {
		rule.budget.mu.left = budgetMost
	}
}

// cpuTime is the CPU time that the process has taken.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

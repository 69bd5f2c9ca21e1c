// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/rest"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/api"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/apitest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/objects"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// sampled is when all values of the tests were sampled.
var sampled = storage.MillisOf(time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC))

// fakeProvider is a Provider and an ExternalProvider.
type fakeProvider struct {
	infos    func() []MetricInfo
	names    func() []string
	custom   func(context.Context, *Query, *Answer) error
	external func(context.Context, *ExternalQuery) ([]ExternalValue, error)
}

func (f *fakeProvider) Metrics() []MetricInfo     { return f.infos() }
func (f *fakeProvider) ExternalMetrics() []string { return f.names() }

func (f *fakeProvider) Custom(ctx context.Context, q *Query, a *Answer) error {
	return f.custom(ctx, q, a)
}

func (f *fakeProvider) External(ctx context.Context, q *ExternalQuery) ([]ExternalValue, error) {
	return f.external(ctx, q)
}

// newFake has metrics of pods, deployments, nodes and namespaces, and answers
// every query: with one value, or two for a list.
func newFake() *fakeProvider {
	infos := []MetricInfo{
		{Resource: pods, Namespaced: true, Metric: "requests_per_second"},
		{Resource: pods, Namespaced: true, Metric: "queue:depth"},
		{Resource: deployments, Namespaced: true, Metric: "requests_per_second"},
		{Resource: nodes, Metric: "load"},
		{Resource: namespaces, Metric: "requests_per_second"},
	}
	names := []string{"queue_messages", "sales"}
	return &fakeProvider{
		infos: func() []MetricInfo { return infos },
		names: func() []string { return names },
		custom: func(_ context.Context, q *Query, a *Answer) error {
			a.Kind, a.APIVersion = "Pod", "v1"
			switch q.Resource {
			case deployments:
				a.Kind, a.APIVersion = "Deployment", "apps/v1"
			case nodes:
				a.Kind = "Node"
			case namespaces:
				a.Kind = "Namespace"
			}
			name := q.Name
			if name == AllObjects {
				name = "web-1"
				a.Values = append(a.Values, Value{Namespace: q.Namespace, Name: "web-0", Time: sampled, Window: 15_250, Milli: 1500})
			}
			a.Values = append(a.Values, Value{Namespace: q.Namespace, Name: name, Time: sampled + 1000, Milli: 2_000_000})
			return nil
		},
		external: func(context.Context, *ExternalQuery) ([]ExternalValue, error) {
			return []ExternalValue{
				{Labels: map[string]string{"queue": "b", "app": "shop"}, Time: sampled, Window: 30_000, Milli: 12_345},
				{Time: sampled, Milli: -7},
			}, nil
		},
	}
}

var (
	pods        = schema.GroupResource{Resource: "pods"}
	deployments = schema.GroupResource{Group: "apps", Resource: "deployments"}
	nodes       = schema.GroupResource{Resource: "nodes"}
	namespaces  = schema.GroupResource{Resource: "namespaces"}
)

// gate is who the requests come from, who may what, and what is audited.
type gate struct {
	mu struct {
		sync.Mutex
		asked   []authorizer.AttributesRecord
		audited []*auditinternal.Event
	}
	// refuse is what is not allowed.
	refuse func(authorizer.Attributes) bool
	// silent is that nothing is kept and audited.
	silent bool
}

func (g *gate) AuthenticateRequest(request *http.Request) (*authenticator.Response, bool, error) {
	name, _, ok := request.BasicAuth()
	return &authenticator.Response{User: &user.DefaultInfo{Name: name}}, ok, nil
}

func (g *gate) authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	if g.silent {
		return authorizer.DecisionAllow, "", nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if record, ok := a.(*authorizer.AttributesRecord); ok {
		g.mu.asked = append(g.mu.asked, *record)
	}
	if g.refuse != nil && g.refuse(a) {
		return authorizer.DecisionNoOpinion, "refused", nil
	}
	return authorizer.DecisionAllow, "", nil
}

// takeAsked is what was asked about since the last time.
func (g *gate) takeAsked() []authorizer.AttributesRecord {
	g.mu.Lock()
	defer g.mu.Unlock()
	asked := g.mu.asked
	g.mu.asked = nil
	return asked
}

func (g *gate) ProcessEvents(events ...*auditinternal.Event) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range events {
		g.mu.audited = append(g.mu.audited, e.DeepCopy())
	}
	return true
}

func (g *gate) Run(<-chan struct{}) error { return nil }
func (g *gate) Shutdown()                 {}
func (g *gate) String() string            { return "gate" }

// EvaluatePolicyRule audits everything, contents included.
func (g *gate) EvaluatePolicyRule(authorizer.Attributes) audit.RequestAuditConfig {
	return audit.RequestAuditConfig{Level: auditinternal.LevelRequestResponse}
}

// newServer is a generic API server with its whole chain, that serves
// metrics.k8s.io, too. Without a gate, everybody may do everything and nothing is
// audited.
func newServer(t testing.TB, custom Provider, external ExternalProvider, g *gate) *genericapiserver.GenericAPIServer {
	t.Helper()
	return newServerWith(t, custom, external, g, func(*genericapiserver.Config) {})
}

// newServerWith is newServer with something changed in its configuration.
func newServerWith(t testing.TB, custom Provider, external ExternalProvider, g *gate, change func(*genericapiserver.Config)) *genericapiserver.GenericAPIServer {
	t.Helper()
	config := apitest.Config(api.Scheme, api.Codecs)
	config.BuildHandlerChainFunc = BuildHandlerChain
	if g != nil {
		config.Authentication.Authenticator = g
		config.Authorization.Authorizer = authorizer.AuthorizerFunc(g.authorize)
		if !g.silent {
			config.AuditBackend = g
			config.AuditPolicyRuleEvaluator = g
		}
	}
	change(config)
	server := apitest.New(t, config)
	if err := api.Install(server, &api.Source{Nodes: objects.NewNodes(nil), Pods: objects.NewPods()}); err != nil {
		t.Fatal(err)
	}
	if err := Install(server, custom, external); err != nil {
		t.Fatal(err)
	}
	server.PrepareRun()
	return server
}

// endpoint asks a server.
type endpoint struct {
	t    *testing.T
	url  string
	gate *gate
}

// serve is a server of f that can be asked over HTTP.
func serve(t *testing.T, f *fakeProvider) *endpoint {
	t.Helper()
	g := &gate{}
	listening := httptest.NewServer(newServer(t, f, f, g).Handler)
	t.Cleanup(listening.Close)
	return &endpoint{t: t, url: listening.URL, gate: g}
}

// answer is what a server said.
type answer struct {
	code   int
	header http.Header
	body   []byte
}

const (
	asJSON     = "application/json"
	asProtobuf = "application/vnd.kubernetes.protobuf"
	// asHPA is what the HPA's clients accept.
	asHPA = asProtobuf + ", */*"

	customV1beta1   = "/apis/custom.metrics.k8s.io/v1beta1"
	customV1beta2   = "/apis/custom.metrics.k8s.io/v1beta2"
	externalV1beta1 = "/apis/external.metrics.k8s.io/v1beta1"
)

func (e *endpoint) get(path, accept string) answer {
	e.t.Helper()
	return e.do(http.MethodGet, path, accept)
}

func (e *endpoint) do(method, path, accept string) answer {
	e.t.Helper()
	request, err := http.NewRequestWithContext(e.t.Context(), method, e.url+path, http.NoBody)
	if err != nil {
		e.t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	request.SetBasicAuth("hpa", "")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		e.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	if delay := response.Header.Get("Retry-After"); delay != "" {
		e.t.Errorf("%s %s says Retry-After: %s", method, path, delay)
	}
	return answer{code: response.StatusCode, header: response.Header, body: body}
}

// config is a client's configuration for one encoding.
func (e *endpoint) config(contentType string) *rest.Config {
	return &rest.Config{Host: e.url, Username: "hpa", ContentConfig: rest.ContentConfig{ContentType: contentType, AcceptContentTypes: contentType}, QPS: -1}
}

// only is the one element of a list.
func only[T any](t *testing.T, list []T) T {
	t.Helper()
	if len(list) != 1 {
		t.Fatalf("%d elements, want one: %+v", len(list), list)
	}
	return list[0]
}

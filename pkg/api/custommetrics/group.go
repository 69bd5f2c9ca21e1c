// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package custommetrics

import (
	"context"
	"net/http"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	endpointmetrics "k8s.io/apiserver/pkg/endpoints/metrics"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
)

// maxWait is how long a provider may take. An HPA has five workers, all of which
// may wait for us.
const maxWait = 2 * time.Second

// group serves all that is below /apis/{group}.
type group struct {
	*writer
	name     string
	versions []schema.GroupVersion
	// resources is the document of a version.
	resources func(schema.GroupVersion) *resourceList
	// metric answers a request for a metric.
	metric func(http.ResponseWriter, *http.Request, schema.GroupVersion, *genericapirequest.RequestInfo)
	// counted is metric by version, counted as the metrics of every API server
	// have it. Resource and subresource are whatever clients ask for, so they
	// are no labels.
	counted map[string]http.HandlerFunc
}

// count makes counted; scope is what its requests are about.
func (g *group) count(verb, scope string) {
	g.counted = map[string]http.HandlerFunc{}
	for _, version := range g.versions {
		g.counted[version.Version] = endpointmetrics.InstrumentHandlerFunc(verb, version.Group, version.Version, "", "", scope,
			endpointmetrics.APIServerComponent, false, "", func(response http.ResponseWriter, request *http.Request) {
				info, _ := genericapirequest.RequestInfoFrom(request.Context())
				ctx, cancel := context.WithTimeout(request.Context(), maxWait)
				defer cancel()
				g.metric(response, request.WithContext(ctx), version, info)
			})
	}
}

// ServeHTTP implements http.Handler.
func (g *group) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	info, ok := genericapirequest.RequestInfoFrom(request.Context())
	switch {
	case !ok:
		// It is by the RequestInfo that a request was authorized.
		http.Error(response, "BUG: a request without RequestInfo", http.StatusInternalServerError)
	case request.Method != http.MethodGet:
		response.Header().Set("Allow", http.MethodGet)
		g.error(response, request, methodNotAllowed(g.name, request.Method))
	case !info.IsResourceRequest:
		g.discovery(response, request)
	case info.APIGroup != g.name || g.counted[info.APIVersion] == nil:
		g.error(response, request, g.noVersion(info.APIVersion))
	case otherVerb(info, request) != "":
		response.Header().Set("Allow", http.MethodGet)
		g.error(response, request, methodNotAllowed(g.name, otherVerb(info, request)))
	default:
		g.counted[info.APIVersion](response, request)
	}
}

// otherVerb is what a GET wants beyond reading: to be told of changes, or to be
// passed on to the object, neither of which metrics know. It is empty for all
// others.
func otherVerb(info *genericapirequest.RequestInfo, request *http.Request) string {
	if info.Verb != "get" && info.Verb != "list" {
		return info.Verb
	}
	if !strings.Contains(request.URL.RawQuery, "watch") {
		return ""
	}
	switch request.URL.Query().Get("watch") {
	case "", "0", "false":
		return ""
	default:
		return "watch"
	}
}

func (g *group) noVersion(version string) error {
	return notFound("%s has no version %s", g.name, version)
}

// discovery answers with the document of the group or of a version.
func (g *group) discovery(response http.ResponseWriter, request *http.Request) {
	rest := strings.TrimPrefix(request.URL.Path, groupPath(g.name))
	name := strings.Trim(rest, "/")
	if name == "" {
		group := g.document()
		g.object(response, request, schema.GroupVersion{}, &group)
		return
	}
	for _, version := range g.versions {
		if version.Version == name {
			g.content(response, request, schema.GroupVersion{}, g.resources(version))
			return
		}
	}
	g.error(response, request, g.noVersion(name))
}

// document is what discovery says of the group.
func (g *group) document() metav1.APIGroup {
	group := metav1.APIGroup{Name: g.name}
	for _, version := range g.versions {
		group.Versions = append(group.Versions, metav1.GroupVersionForDiscovery{GroupVersion: version.String(), Version: version.Version})
	}
	group.PreferredVersion = group.Versions[0]
	return group
}

func groupPath(group string) string { return "/apis/" + group }

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/hack/pki"
)

// update rewrites the golden files: go test -run TestWhoMayWhat -update.
var update = flag.Bool("update", false, "rewrite the golden files from what is answered")

// whoMayWhat is the table of who may do what, for a reviewer to read.
const whoMayWhat = "who-may-what.golden"

// TestWhoMayWhat asks for everything that the server has registered, in every
// way, as everybody, and holds the table of the answers. The control plane that
// decides is a real one.
func TestWhoMayWhat(t *testing.T) {
	inLane(t, simulatedLane)
	s := prepareSite(t, cluster.Minors[0], 1, "--custom-metrics", "--external-metrics", "--profiling", "--config="+writeConfig(t, whoMayWhatConfig))
	s.grant("hack", "manifests", "testdata", "external-metrics-verified-tls")
	s.grant("hack", "manifests", "testdata", "remote-write")
	if err := s.Apply(t.Context(), []byte(viewerRights+readerRights)); err != nil {
		t.Fatal(err)
	}
	s.startServer()
	s.registerCustomMetrics(t)
	s.registerExternalMetrics(t)
	s.createWorkload("default", "web", 1, "50m", "64Mi", "0")
	s.waitForPods(t, 1)
	eventually(t, time.Minute, "the node has usage", func(ctx context.Context) error {
		_, err := s.metrics.MetricsV1().NodeMetricses().Get(ctx, "node-0", metav1.GetOptions{})
		return err
	})
	eventually(t, time.Minute, "the external metric has a value", func(ctx context.Context) error {
		values, err := s.externalValues(ctx, "default", "all_memory_bytes")
		if err == nil && len(values) != 1 {
			err = fmt.Errorf("it has %d", len(values))
		}
		return err
	})

	var b strings.Builder
	b.WriteString("Who may do what, as a real kube-apiserver of Kubernetes " + s.Minor() + " has it. Written by `go test ./test/e2e -run TestWhoMayWhat -update`.\n")
	people := askers(t, s)
	b.WriteString("\nWho asks:\n\n")
	for _, a := range people {
		fmt.Fprintf(&b, "  %-12s %s\n", a.name, a.who)
	}
	paths := registered(t, s)
	b.WriteString("\nThe server itself, past kube-apiserver:\n\n")
	section(t, &b, fmt.Sprintf("https://127.0.0.1:%d", s.port), people, paths)
	b.WriteString("\nThrough kube-apiserver:\n\n")
	paths = slices.DeleteFunc(paths, func(path string) bool { return !strings.Contains(path, "metrics.k8s.io/v") })
	section(t, &b, s.Server(), slices.DeleteFunc(people, func(a asker) bool { return a.direct }), paths)
	b.WriteString("\nWhat the server's own account may do, by the manifests with all components; so may who captures its token:\n\n")
	for _, line := range ownRights(t, s) {
		fmt.Fprintf(&b, "  %s\n", line)
	}

	file := filepath.Join("testdata", whoMayWhat)
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != b.String() {
		t.Errorf("%s is not what is answered; look at the change, then run with -update. Got:\n%s", file, b.String())
	}
}

// viewerRights are those of a user who may view the namespace default.
const viewerRights = `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {namespace: default, name: viewer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: viewer}]
`

// readerRights are those of a user who may read all metrics.
const readerRights = `
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader-of-all-metrics}
rules: [{apiGroups: [metrics.k8s.io, custom.metrics.k8s.io, external.metrics.k8s.io], resources: ["*"], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader-of-all-metrics}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader-of-all-metrics}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: reader}]
`

// whoMayWhatConfig has all that registers a path: an external metric that one
// namespace may see, history, and a sink, whose receiver is not there.
const whoMayWhatConfig = `apiVersion: metrics-apiserver/v1alpha1
kind: Configuration
history: {maxBytes: 32Mi, sources: [resource]}
rules:
- name: all_memory_bytes
  attach: {external: true}
  expr: sum(container_memory_working_set_bytes)
  namespaces: [default]
remoteWrite:
- {name: nowhere, url: "http://127.0.0.1:1/write"}
`

// asker is somebody who asks.
type asker struct {
	name, who string
	client    *http.Client
	header    http.Header
	// direct is for credentials that mean something to kube-apiserver only
	// where it is the one who asks.
	direct bool
}

// issue makes a certificate for a user.
type issue = func(user string, groups ...string) (certPEM, keyPEM []byte, err error)

// newAsker is somebody with a certificate that issue makes; without, where it is nil.
func newAsker(t *testing.T, issue issue, user string, groups ...string) asker {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	if issue != nil {
		certPEM, keyPEM, err := issue(user, groups...)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(certPEM, keyPEM)
		if err != nil {
			t.Fatal(err)
		}
		// Shown whatever authorities the server says that it accepts.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	transport := &http.Transport{TLSClientConfig: config}
	t.Cleanup(transport.CloseIdleConnections)
	return asker{name: user, client: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

// askers are all who ask.
func askers(t *testing.T, s *site) []asker {
	t.Helper()
	frontProxy, err := pki.LoadCA(s.PKIDir(), "front-proxy-ca")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := pki.NewCA(t.TempDir(), "stranger")
	if err != nil {
		t.Fatal(err)
	}
	forged := http.Header{"X-Remote-User": {"kubernetes-admin"}, "X-Remote-Group": {"system:masters"}}
	proxied := http.Header{"X-Remote-User": {"viewer"}, "X-Remote-Group": {"system:authenticated"}}
	token := http.Header{"Authorization": {"Bearer not-a-token"}}
	var all []asker
	add := func(name, who string, header http.Header, direct bool, issue issue, user string, groups ...string) {
		a := newAsker(t, issue, user, groups...)
		a.name, a.who, a.header, a.direct = name, who, header, direct
		all = append(all, a)
	}
	const hpa = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
	add("nobody", "without any credentials", nil, false, nil, "")
	add("plain", "a user without rights", nil, false, s.CA().Client, "plain")
	add("viewer", "a user with the role view in the namespace default", nil, false, s.CA().Client, "viewer")
	add("reader", "a user who may read all metrics, and nothing else", nil, false, s.CA().Client, "reader")
	add("hpa", hpa, nil, false, s.CA().Client, hpa, "system:serviceaccounts", "system:serviceaccounts:kube-system")
	add("admin", "a member of system:masters", nil, false, s.CA().Client, "kubernetes-admin", "system:masters")
	add("forged", "nobody, with X-Remote-User and X-Remote-Group that name the admin", forged, false, nil, "")
	add("forged-user", "plain, with these headers: its certificate is not the front proxy's", forged, false, s.CA().Client, "plain")
	add("forged-ca", "these headers, and a certificate of the front proxy's CA for another name", forged, true, frontProxy.Client, "not-the-front-proxy")
	add("proxy", "the front proxy, with headers that name viewer", proxied, true, frontProxy.Client, cluster.FrontProxyUser)
	add("expired", "the admin, with a certificate that has expired", nil, false, s.CA().ExpiredClient, "kubernetes-admin", "system:masters")
	add("stranger", "the admin, with a certificate of another CA", nil, false, stranger.Client, "kubernetes-admin", "system:masters")
	add("bad-token", "a bearer token that nobody issued", token, false, nil, "")
	return all
}

// registered is every path that the server says it has, and those of all its
// resources.
func registered(t *testing.T, s *site) []string {
	t.Helper()
	status, body := s.direct(t, s.config, "/")
	var index struct{ Paths []string }
	if err := json.Unmarshal([]byte(body), &index); err != nil || status != http.StatusOK {
		t.Fatalf("the index: %d, %v: %s", status, err, body)
	}
	paths := append([]string{"/"}, index.Paths...)
	for _, version := range []string{"v1", "v1beta1"} {
		base := "/apis/metrics.k8s.io/" + version
		paths = append(
			paths,
			base+"/nodes", base+"/nodes/node-0", base+"/pods", base+"/nodes?watch=true",
			base+"/namespaces/default/pods", base+"/namespaces/default/pods/no-such", base+"/namespaces/kube-system/pods",
		)
	}
	for _, version := range []string{"v1beta1", "v1beta2"} {
		base := "/apis/custom.metrics.k8s.io/" + version
		paths = append(
			paths,
			base, base+"/nodes/*/cpu_usage_cores", base+"/namespaces/default/pods/*/cpu_usage_cores",
			base+"/namespaces/default/metrics/cpu_usage_cores", base+"/namespaces/kube-system/pods/*/cpu_usage_cores",
		)
	}
	for _, namespace := range []string{"default", "kube-system"} {
		paths = append(paths, "/apis/external.metrics.k8s.io/v1beta1/namespaces/"+namespace+"/all_memory_bytes")
	}
	// What --profiling adds is not in the index. Below /debug/pprof/ there is more,
	// some of which takes half a minute to answer.
	paths = append(paths, "/apis/external.metrics.k8s.io/v1beta1", "/debug/flags/v", "/debug/pprof/", "/debug/pprof/heap", "/no-such")
	slices.Sort(paths)
	return slices.Compact(paths)
}

// section asks for all paths as everybody, and writes a line for verbs that are
// answered alike.
func section(t *testing.T, b *strings.Builder, server string, people []asker, paths []string) {
	t.Helper()
	columns := func(first, second string, cells []string) {
		fmt.Fprintf(b, "  %-82s %-30s", first, second)
		for i, cell := range cells {
			fmt.Fprintf(b, " %*s", max(4, len(people[i].name)), cell)
		}
		b.WriteByte('\n')
	}
	names := make([]string, len(people))
	for i, a := range people {
		names[i] = a.name
	}
	columns("path", "verb", names)
	for _, path := range paths {
		var verbs []string
		var last []string
		for _, verb := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			cells := make([]string, len(people))
			for i, a := range people {
				cells[i] = fmt.Sprint(a.ask(t, verb, server+path))
			}
			if last != nil && !slices.Equal(cells, last) {
				columns(path, strings.Join(verbs, " "), last)
				verbs = nil
			}
			verbs, last = append(verbs, verb), cells
		}
		columns(path, strings.Join(verbs, " "), last)
	}
}

// ask is the status of an answer.
func (a asker) ask(t *testing.T, verb, url string) int {
	t.Helper()
	var body io.Reader
	if verb == http.MethodPost || verb == http.MethodPut || verb == http.MethodPatch {
		body = strings.NewReader("{}")
	}
	request, err := http.NewRequestWithContext(t.Context(), verb, url, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = a.header.Clone()
	if request.Header == nil {
		request.Header = http.Header{}
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := a.client.Do(request)
	if err != nil {
		t.Errorf("%s: %s %s: %v", a.name, verb, url, err)
		return 0
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

// ownRights are what the server's account may do in kube-system and elsewhere,
// beyond what everybody may.
func ownRights(t *testing.T, s *site) []string {
	t.Helper()
	rules := func(user string, groups []string, namespace string) []string {
		config := rest.CopyConfig(s.config)
		config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		review, err := client.AuthorizationV1().SelfSubjectRulesReviews().Create(t.Context(), &authorizationv1.SelfSubjectRulesReview{
			Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace},
		}, metav1.CreateOptions{})
		if err != nil || review.Status.Incomplete {
			t.Fatalf("the rights of %s: %v, incomplete: %t", user, err, err == nil)
		}
		var lines []string
		for _, r := range review.Status.ResourceRules {
			line := fmt.Sprintf("%s %s/%s", strings.Join(r.Verbs, ","), strings.Join(r.APIGroups, ","), strings.Join(r.Resources, ","))
			if len(r.ResourceNames) > 0 {
				line += " named " + strings.Join(r.ResourceNames, ",")
			}
			lines = append(lines, strings.TrimSpace(line))
		}
		for _, r := range review.Status.NonResourceRules {
			lines = append(lines, fmt.Sprintf("%s at %s", strings.Join(r.Verbs, ","), strings.Join(r.NonResourceURLs, ",")))
		}
		return lines
	}
	const user = "system:serviceaccount:kube-system:metrics-server"
	groups := []string{"system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"}
	var lines []string
	// What it may do in a namespace that nobody has heard of, it may do in all.
	everybodys, everywhere := rules("nobody-in-particular", groups, "any"), rules(user, groups, "any")
	for _, line := range everywhere {
		if !slices.Contains(everybodys, line) {
			lines = append(lines, "everywhere: "+line)
		}
	}
	for _, line := range rules(user, groups, "kube-system") {
		if !slices.Contains(everywhere, line) {
			lines = append(lines, "in kube-system: "+line)
		}
	}
	slices.Sort(lines)
	return lines
}

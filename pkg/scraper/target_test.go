// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"net/url"
	"path"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestCleanResourcePath(t *testing.T) {
	for p, want := range map[string]string{
		"/metrics/resource":                      "/metrics/resource",
		"/metrics/nodes/node-1/metrics/resource": "/metrics/nodes/node-1/metrics/resource",
		"/metrics//resource/":                    "/metrics/resource",
		"/metrics/./resource":                    "/metrics/resource",
		"":                                       "",
		"/metrics":                               "",
		"/metrics/":                              "",
		"/metrics/.":                             "",
		"/metricsx/resource":                     "",
		"metrics/resource":                       "",
		"/metrics/../run/ns/pod/container":       "",
		"/metrics/..":                            "",
		"/metrics/%2e%2e/run":                    "",
		"/metrics/resource?a=b":                  "",
		"/metrics/resource#a":                    "",
		"/metrics/resource HTTP/1.1\r\nHost: evil": "",
		`/metrics/..\run`:                          "",
		"//evil/metrics/resource":                  "",
		"/stats/summary":                           "",
		"/metrics/\u2025/run":                      "",
	} {
		got, err := CleanResourcePath(p)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", p, got, err, want)
		}
	}
}

func TestTargetOf(t *testing.T) {
	node := func(annotation string, addresses ...corev1.NodeAddress) *corev1.Node {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}}
		if annotation != "" {
			n.Annotations = map[string]string{ResourcePathAnnotation: annotation}
		}
		n.Status.Addresses = addresses
		n.Status.DaemonEndpoints.KubeletEndpoint.Port = 10999
		return n
	}
	address := func(t corev1.NodeAddressType, a string) corev1.NodeAddress {
		return corev1.NodeAddress{Type: t, Address: a}
	}
	v4, v6 := address(corev1.NodeInternalIP, "10.0.0.1"), address(corev1.NodeInternalIP, "fd00::1")
	name, evil := address(corev1.NodeHostName, "node-1.example.com"), address(corev1.NodeHostName, "a@b/c:1\r\n")
	tests := map[string]struct {
		node    *corev1.Node
		options NodeOptions
		hosts   string
		port    int
		path    string
		problem string
	}{
		"defaults":          {node("", v4, v6, name), NodeOptions{}, "node-1.example.com 10.0.0.1 fd00::1", 10250, DefaultResourcePath, ""},
		"preferred types":   {node("", v4, name, v6), NodeOptions{AddressTypes: []corev1.NodeAddressType{corev1.NodeInternalIP}}, "10.0.0.1 fd00::1", 10250, DefaultResourcePath, ""},
		"status port":       {node("", v4), NodeOptions{UseStatusPort: true}, "10.0.0.1", 10999, DefaultResourcePath, ""},
		"port":              {node("", v4), NodeOptions{Port: 1}, "10.0.0.1", 1, DefaultResourcePath, ""},
		"path":              {node("/metrics/nodes/node-1/metrics/resource", v4), NodeOptions{}, "10.0.0.1", 10250, "/metrics/nodes/node-1/metrics/resource", ""},
		"path not allowed":  {node("/exec/x", v4), NodeOptions{}, "10.0.0.1", 10250, "", "not below /metrics"},
		"no address":        {node(""), NodeOptions{}, "", 10250, DefaultResourcePath, "no address of the types"},
		"no usable address": {node("", evil), NodeOptions{}, "", 10250, DefaultResourcePath, "no address of the types"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := TargetOf(test.node, test.options)
			if hosts := strings.Join(got.endpoint().Hosts, " "); hosts != test.hosts {
				t.Errorf("hosts: got %q, want %q", hosts, test.hosts)
			}
			if got.Port != test.port || got.ResourcePath != test.path || got.Name != "node-1" || got.Scheme != "https" {
				t.Errorf("got %+v", got)
			}
			if (got.Problem == "") != (test.problem == "") || !strings.Contains(got.Problem, test.problem) {
				t.Errorf("problem: got %q, want %q", got.Problem, test.problem)
			}
			if !got.Equal(TargetOf(test.node, test.options)) {
				t.Error("the target of the same node is another")
			}
		})
	}
}

// TestSelects: what a request for resource metrics may say follows from what the
// kubelet says it is, and from nothing else.
func TestSelects(t *testing.T) {
	for version, want := range map[string]bool{
		"v1.37.0": true, "v1.37.0-rc.1": true, "v1.38.2+rke2r1": true, "v1.40.0-gke.100": true, "v2.0.0": true,
		"v1.36.3": false, "v1.9.0": false, "": false, "kwok": false, "v1": false, "1.37": true,
	} {
		node := &corev1.Node{Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{KubeletVersion: version}}}
		if got := TargetOf(node, NodeOptions{}).Selects; got != want {
			t.Errorf("%q: %v", version, got)
		}
		node.Annotations = map[string]string{ResourcePathAnnotation: "/metrics/nodes/a/metrics/resource"}
		if TargetOf(node, NodeOptions{}).Selects {
			t.Errorf("%q: something else than a kubelet answers, and is asked to select", version)
		}
	}
}

func TestNodeOptionsValidate(t *testing.T) {
	for name, o := range map[string]NodeOptions{
		"port": {Port: 70000}, "type": {AddressTypes: []corev1.NodeAddressType{"Nonsense"}}, "scheme": {Scheme: "ftp"},
	} {
		if err := o.Validate(); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if err := (NodeOptions{}).Validate(); err != nil {
		t.Error(err)
	}
}

func FuzzCleanResourcePath(f *testing.F) {
	for _, seed := range []string{"/metrics/resource", "/metrics/../run", "/metrics/./a//b/", "/metrics/%2e%2e/x", "/metrics/a?b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, p string) {
		clean, err := CleanResourcePath(p)
		if err != nil {
			return
		}
		// What we send must be what everyone on the way reads.
		u, err := url.ParseRequestURI(clean)
		if err != nil || u.Path != clean || u.RawQuery != "" || u.Host != "" || u.EscapedPath() != clean {
			t.Fatalf("%q became %q, which is read as %+v, %v", p, clean, u, err)
		}
		if !strings.HasPrefix(clean, "/metrics/") || path.Clean(clean) != clean {
			t.Fatalf("%q became %q", p, clean)
		}
		if again, err := CleanResourcePath(clean); again != clean || err != nil {
			t.Fatalf("%q became %q, and that %q, %v", p, clean, again, err)
		}
	})
}

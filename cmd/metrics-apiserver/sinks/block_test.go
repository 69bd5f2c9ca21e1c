// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sinks

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/message"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// read reads a block, and returns what was refused.
func read(t *testing.T, text string) (*Block, []string) {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	var refused []string
	b, ok := Read(document.Content[0], 2, func(line int, format string, args ...any) {
		refused = append(refused, fmt.Sprintf("%d: "+format, append([]any{line}, args...)...))
	})
	if ok != (len(refused) == 0) {
		t.Errorf("read %v, refused %q", ok, refused)
	}
	return b, refused
}

const everything = `
url: https://user:secret@receiver.example/api/v1/write?tenant=a
name: long
headers: {X-Scope-OrgID: team, x-other: "1"}
remote_timeout: 7s
protobuf_message: prometheus.WriteRequest
write_relabel_configs:
- source_labels: [__name__]
  regex: container_(blkio|fs)_.*
  action: drop
- {regex: id, action: labeldrop}
- {source_labels: [pod], regex: "(.*)-.*", target_label: app, replacement: "$1"}
queue_config: {capacity: 2000, max_shards: 9, min_shards: 2, max_samples_per_send: 500, batch_send_deadline: 1s, min_backoff: 10ms, max_backoff: 1m, retry_on_http_429: true, sample_age_limit: 2h}
metadata_config: {send: false, send_interval: 2m, max_samples_per_send: 10}
basic_auth: {username: u, password_file: password}
tls_config: {insecure_skip_verify: true, min_version: TLS13, server_name: other}
proxy_url: http://proxy.example:3128
no_proxy: 10.0.0.0/8
follow_redirects: false
enable_http2: true
http_headers: {X-More: {values: [a]}}
sources: [resource, cadvisor]
queue_directory: /var/lib/queue
queue_size: 2Gi
flush_deadline: 3s
send_exemplars: false
send_native_histograms: false
round_robin_dns: false
failed_request_logging: false
sigv4:
`

func TestRead(t *testing.T) {
	b, refused := read(t, everything)
	if len(refused) > 0 {
		t.Fatal(strings.Join(refused, "\n"))
	}
	o, err := b.Options(t.TempDir(), "us/1", map[string]string{"b": "2", "a": "1", "none": ""})
	if err != nil {
		t.Fatal(err)
	}
	if o.Name != "long" || o.Sources != series.SourceSetOf(series.Resource, series.Cadvisor) || o.MaxSamples != 500 || o.Deadline != time.Second ||
		o.MinLanes != 2 || o.MaxLanes != 9 || o.MaxPending != 18_000 || o.MetadataInterval != -1 || o.Flush != 3*time.Second ||
		o.Queue.Dir != "/var/lib/queue" || o.Queue.MaxBytes != 2<<30 {
		t.Errorf("%+v", o)
	}
	s := o.Sender
	if s.URL != "https://user:secret@receiver.example/api/v1/write?tenant=a" || strings.Contains(s.Shown, "secret") || s.Timeout != 7*time.Second ||
		s.Protocol != message.V1 || s.MinBackoff != 10*time.Millisecond || s.MaxBackoff != time.Minute || s.MaxAge != 2*time.Hour || s.FollowRedirects ||
		s.Headers.Get("x-scope-orgid") != "team" || s.Headers.Get("X-Other") != "1" || s.UserAgent != "us/1" {
		t.Errorf("%+v", s)
	}
	if !slices.Equal(o.External, series.Labels{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}) {
		t.Errorf("external labels are %v", o.External)
	}
	kept, ok := o.Relabel(series.Labels{{Name: "__name__", Value: "container_cpu"}, {Name: "id", Value: "/x"}, {Name: "pod", Value: "web-1"}})
	if want := (series.Labels{{Name: "__name__", Value: "container_cpu"}, {Name: "app", Value: "web"}, {Name: "pod", Value: "web-1"}}); !ok || !slices.Equal(kept, want) {
		t.Errorf("relabelled: %v, %v", kept, ok)
	}
	if _, ok := o.Relabel(series.Labels{{Name: "__name__", Value: "container_fs_reads_total"}}); ok {
		t.Error("a series is not dropped")
	}
}

func TestDefaults(t *testing.T) {
	b, refused := read(t, "url: http://receiver.example/write")
	if len(refused) > 0 {
		t.Fatal(refused)
	}
	o, err := b.Options("", "us/1", nil)
	if err != nil || o.Name != "remote-write-2" || o.Sender.Protocol != message.V2 || o.Sources != series.SourceSetOf(series.Resource) ||
		o.Relabel != nil || o.MaxSamples != 2000 || o.MaxLanes != 50 || o.Queue.Dir != "" || o.Queue.MaxMemory != 1<<30 || !o.Sender.FollowRedirects {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestRefused(t *testing.T) {
	const url = "url: http://receiver.example/write\n"
	for text, want := range map[string]string{
		"name: a":                           "1: a remoteWrite block needs the key \"url\"",
		"url: receiver:9090/write":          "1: a remoteWrite block needs",
		"url: ftp://a.example/b":            "1: url: \"ftp\" is neither",
		url + "ulr: a":                      "2: a remoteWrite block has no key \"ulr\"",
		url + "name: a\nname: b":            "3: \"name\" comes twice",
		url + "remote_timeout: x":           "2: remote_timeout: not a valid duration",
		url + "headers:\n  Content-Type: a": "3: headers: Content-Type cannot be set",
		url + "protobuf_message: x":         "2: protobuf_message must be",
		url + "write_relabel_configs:\n- action: drop\n  regexp: a":        "4: write_relabel_configs has no key \"regexp\"",
		url + "write_relabel_configs:\n- action: drop\n  regex: (":         "3: write_relabel_configs: error parsing regexp",
		url + "write_relabel_configs:\n- action: hashmod":                  "3: write_relabel_configs: relabel configuration for hashmod",
		url + "write_relabel_configs: {}":                                  "2: write_relabel_configs must be a list",
		url + "queue_config: {max_shards: 500}":                            "2: queue_config: min_shards and max_shards",
		url + "queue_config:\n  max_shard: 5":                              "3: queue_config has no key \"max_shard\"",
		url + "queue_config: {retry_on_http_429: false}":                   "2: queue_config: retry_on_http_429 must be true",
		url + "queue_config: {max_samples_per_send: 0}":                    "2: queue_config: max_samples_per_send",
		url + "queue_config: {min_backoff: 1m}":                            "2: queue_config: batch_send_deadline",
		url + "metadata_config: {send_interval: 0s}":                       "1: metadata_config: send_interval",
		url + "basic_auth: {username: a}\nauthorization: {credentials: b}": "1: at most one of",
		url + "basic_auth:\n  username: a\n  password_ref: b":              "4: basic_auth has no key \"password_ref\"",
		url + "tls_config:\n  ca_fiel: a":                                  "3: tls_config has no key \"ca_fiel\"",
		url + "tls_config: {min_version: TLS9}":                            "2: tls_config: unknown TLS version",
		url + "oauth2: {client_id: a, tls_config: {x: y}}":                 "2: tls_config has no key \"x\"",
		url + "sources: [kubelet]":                                         "2: sources: \"kubelet\" is none",
		url + "sources: []":                                                "2: sources is empty",
		url + "queue_size: 10":                                             "2: queue_size must be",
		url + "send_exemplars: true":                                       "2: this must be false: kubelets have no exemplars",
		url + "google_iam: {credentials_file: a}":                          "2: this is not supported",
		url + "sigv4: {region: a}\nbasic_auth: {username: a}":              "1: at most one of sigv4",
		url + "sigv4: {region: a, access_key: b}":                          "1: sigv4: both of access_key",
		url + "sigv4:\n  region: a\n  profile: b":                          "4: sigv4 has no key \"profile\"",
		url + "name: &a b\nqueue_directory: *a":                            "3: queue_directory: aliases",
		"[]":                                                               "1: a remoteWrite block must be keys",
	} {
		_, refused := read(t, text)
		if len(refused) != 1 || !strings.HasPrefix(refused[0], want) {
			t.Errorf("%s\nrefused %q\nwant %q", text, refused, want)
		}
	}
}

// TestAuthorization makes requests with what a block says, from a file whose
// content changes.
func TestAuthorization(t *testing.T) {
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer server.Close()
	dir := t.TempDir()
	b, refused := read(t, "url: "+server.URL+"\nauthorization: {type: Token, credentials_file: token}\nhttp_headers: {X-More: {values: [a]}}")
	if len(refused) > 0 {
		t.Fatal(refused)
	}
	o, err := b.Options(dir, "us/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: o.Sender.Transport}
	for _, token := range []string{"one", "two"} {
		if err := os.WriteFile(filepath.Join(dir, "token"), []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		response, err := client.Post(server.URL, "text/plain", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if got.Get("Authorization") != "Token "+token || got.Get("X-More") != "a" {
			t.Errorf("headers are %v", got)
		}
	}
}

// FuzzRead reads whatever is YAML.
func FuzzRead(f *testing.F) {
	f.Add(everything)
	f.Fuzz(func(t *testing.T, text string) {
		var document yaml.Node
		if yaml.Unmarshal([]byte(text), &document) != nil || len(document.Content) == 0 {
			return
		}
		refused := false
		b, ok := Read(document.Content[0], 1, func(int, string, ...any) { refused = true })
		if ok == refused {
			t.Fatalf("read %v, refused %v", ok, refused)
		}
		if ok {
			_, _ = b.Options("", "us/1", nil)
		}
	})
}

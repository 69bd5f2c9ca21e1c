// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sinks

import (
	"fmt"
	"net/textproto"
	"slices"
	"strings"
	"time"

	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/relabel"
	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/message"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// A Block is one block, checked.
type Block struct {
	// Name is the sink's, also where the block has none.
	Name string
	// Line is where the block begins.
	Line int
	// Sources are what is shipped.
	Sources series.SourceSet

	url      promconfig.URL
	headers  map[string]string
	timeout  model.Duration
	protocol message.Protocol
	relabel  []*relabel.Config
	http     promconfig.HTTPClientConfig
	sigv4    *sigv4Config
	queue    queueConfig
	metadata metadataConfig
	dir      string
	size     int64
	flush    model.Duration
	anyOrder bool
	standby  int64
}

// queueConfig is queue_config.
type queueConfig struct {
	Capacity          int            `yaml:"capacity"`
	MaxShards         int            `yaml:"max_shards"`
	MinShards         int            `yaml:"min_shards"`
	MaxSamplesPerSend int            `yaml:"max_samples_per_send"`
	BatchSendDeadline model.Duration `yaml:"batch_send_deadline"`
	MinBackoff        model.Duration `yaml:"min_backoff"`
	MaxBackoff        model.Duration `yaml:"max_backoff"`
	RetryOnRateLimit  bool           `yaml:"retry_on_http_429"`
	SampleAgeLimit    model.Duration `yaml:"sample_age_limit"`
}

// metadataConfig is metadata_config.
type metadataConfig struct {
	Send              bool           `yaml:"send"`
	SendInterval      model.Duration `yaml:"send_interval"`
	MaxSamplesPerSend int            `yaml:"max_samples_per_send"`
}

// sigv4Config is sigv4.
type sigv4Config struct {
	Region      string            `yaml:"region"`
	AccessKey   string            `yaml:"access_key"`
	SecretKey   promconfig.Secret `yaml:"secret_key"`
	RoleARN     string            `yaml:"role_arn"`
	ExternalID  string            `yaml:"external_id"`
	SessionName string            `yaml:"session_name"`
	ServiceName string            `yaml:"service_name"`
}

// maxShards is the largest max_shards.
const maxShards = 200

// Read checks a block, the place-th of its list from 1. It is false where refuse
// was called.
func Read(n *yaml.Node, place int, refuse Refuse) (*Block, bool) {
	d := &decoder{refuse: refuse}
	b := &Block{
		Name: fmt.Sprintf("remote-write-%d", place), Line: n.Line,
		Sources: series.SourceSetOf(series.Resource), timeout: model.Duration(30 * time.Second), protocol: message.V2,
		http: promconfig.DefaultHTTPClientConfig,
		queue: queueConfig{
			MaxShards: 50, MinShards: 1, MaxSamplesPerSend: 2000, BatchSendDeadline: model.Duration(5 * time.Second),
			MinBackoff: model.Duration(30 * time.Millisecond), MaxBackoff: model.Duration(5 * time.Second), RetryOnRateLimit: true,
		},
		metadata: metadataConfig{Send: true, SendInterval: model.Duration(time.Minute), MaxSamplesPerSend: 2000},
		size:     1 << 30, flush: model.Duration(10 * time.Second), standby: 64 << 20,
	}
	h := &b.http
	d.mapping(n, "a remoteWrite block", fields{
		"url":                    &b.url,
		"name":                   &b.Name,
		"headers":                func(n *yaml.Node) { d.headers(n, &b.headers) },
		"remote_timeout":         &b.timeout,
		"protobuf_message":       func(n *yaml.Node) { d.protocol(n, &b.protocol) },
		"write_relabel_configs":  func(n *yaml.Node) { d.relabel(n, &b.relabel) },
		"queue_config":           func(n *yaml.Node) { d.queue(n, &b.queue) },
		"metadata_config":        &b.metadata,
		"basic_auth":             &h.BasicAuth,
		"authorization":          &h.Authorization,
		"oauth2":                 &h.OAuth2,
		"bearer_token":           &h.BearerToken,
		"bearer_token_file":      &h.BearerTokenFile,
		"tls_config":             &h.TLSConfig,
		"proxy_url":              &h.ProxyURL,
		"no_proxy":               &h.NoProxy,
		"proxy_from_environment": &h.ProxyFromEnvironment,
		"proxy_connect_header":   &h.ProxyConnectHeader,
		"follow_redirects":       &h.FollowRedirects,
		"enable_http2":           &h.EnableHTTP2,
		"http_headers":           &h.HTTPHeaders,
		"sources":                func(n *yaml.Node) { d.sources(n, &b.Sources) },
		"queue_directory":        &b.dir,
		"queue_size":             func(n *yaml.Node) { d.size(n, "queue_size", &b.size) },
		"standby_size":           func(n *yaml.Node) { d.size(n, "standby_size", &b.standby) },
		"out_of_order":           &b.anyOrder,
		"flush_deadline":         &b.flush,
		"send_exemplars":         d.off("kubelets have no exemplars"),
		"send_native_histograms": d.off("kubelets have no native histograms"),
		"round_robin_dns":        d.off("name a load balancer instead"),
		"failed_request_logging": d.off("what a receiver answers is logged when it begins to fail"),
		"sigv4":                  &b.sigv4,
		"azuread":                d.never("use oauth2, or authorization with credentials_file"),
		"google_iam":             d.never("use authorization with credentials_file"),
	})
	if d.failed {
		return nil, false
	}
	b.check(n, d)
	return b, !d.failed
}

// check is about what several keys say together.
func (b *Block) check(n *yaml.Node, d *decoder) {
	switch {
	case b.url.URL == nil || b.url.Host == "":
		d.wrong(n, "a remoteWrite block needs the key \"url\", such as https://receiver.example/api/v1/write")
		return
	case b.url.Scheme != "http" && b.url.Scheme != "https":
		d.wrong(n, "url: %q is neither http nor https", b.url.Scheme)
		return
	}
	if err := b.http.Validate(); err != nil {
		d.wrong(n, "%s", oneLine(err))
	}
	if b.sigv4 != nil {
		if h := &b.http; h.BasicAuth != nil || h.Authorization != nil || h.OAuth2 != nil || h.BearerToken != "" || h.BearerTokenFile != "" {
			d.wrong(n, "at most one of sigv4, basic_auth, authorization, oauth2, bearer_token and bearer_token_file may be there")
		}
		if (b.sigv4.AccessKey == "") != (b.sigv4.SecretKey == "") {
			d.wrong(n, "sigv4: both of access_key and secret_key must be there, or neither")
		}
	}
	if b.timeout <= 0 {
		d.wrong(n, "remote_timeout must be more than 0")
	}
	if b.metadata.SendInterval <= 0 {
		d.wrong(n, "metadata_config: send_interval must be more than 0: to send none, write send: false")
	}
}

// off takes a boolean that can only be false.
func (d *decoder) off(remedy string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		var on bool
		if err := n.Decode(&on); err != nil || on {
			d.wrong(n, "this must be false: %s", remedy)
		}
	}
}

// never refuses a key.
func (d *decoder) never(remedy string) func(*yaml.Node) {
	return func(n *yaml.Node) { d.wrong(n, "this is not supported: %s", remedy) }
}

func (d *decoder) queue(n *yaml.Node, q *queueConfig) {
	d.value(n, "queue_config", q)
	switch {
	case q.MinShards < 1 || q.MaxShards < q.MinShards || q.MaxShards > maxShards:
		d.wrong(n, "queue_config: min_shards and max_shards must be from 1 to %d, the first no more than the second", maxShards)
	case q.MaxSamplesPerSend < 1 || q.MaxSamplesPerSend > 100_000:
		d.wrong(n, "queue_config: max_samples_per_send must be from 1 to 100000")
	case q.Capacity < 0:
		d.wrong(n, "queue_config: capacity is negative")
	case q.BatchSendDeadline <= 0 || q.MinBackoff <= 0 || q.MaxBackoff < q.MinBackoff:
		d.wrong(n, "queue_config: batch_send_deadline and min_backoff must be more than 0, max_backoff no less than min_backoff")
	case !q.RetryOnRateLimit:
		d.wrong(n, "queue_config: retry_on_http_429 must be true: what a receiver has no time for is sent again")
	}
}

// reserved are headers that are the protocol's, or have keys of their own.
func reserved() []string {
	return []string{
		"Authorization", "Connection", "Content-Encoding", "Content-Length", "Content-Type",
		"Transfer-Encoding", "User-Agent", "X-Prometheus-Remote-Write-Version",
	}
}

func (d *decoder) headers(n *yaml.Node, dst *map[string]string) {
	d.value(n, "headers", dst)
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if slices.Contains(reserved(), textproto.CanonicalMIMEHeaderKey(key.Value)) {
			d.wrong(key, "headers: %s cannot be set here: for authorization there is a key of its own, and the others are the protocol's", key.Value)
		}
	}
}

func (d *decoder) protocol(n *yaml.Node, dst *message.Protocol) {
	switch n.Value {
	case "io.prometheus.write.v2.Request":
		*dst = message.V2
	case "prometheus.WriteRequest":
		*dst = message.V1
	default:
		d.wrong(n, "protobuf_message must be io.prometheus.write.v2.Request or prometheus.WriteRequest")
	}
}

func (d *decoder) relabel(n *yaml.Node, dst *[]*relabel.Config) {
	if n.Kind != yaml.SequenceNode {
		d.wrong(n, "write_relabel_configs must be a list: begin each entry with \"- \"")
		return
	}
	for _, one := range n.Content {
		var c relabel.Config
		failed := d.failed
		d.failed = false
		d.value(one, "write_relabel_configs", &c)
		if !d.failed {
			if err := c.Validate(model.UTF8Validation); err != nil {
				d.wrong(one, "write_relabel_configs: %s", oneLine(err))
			}
		}
		d.failed = d.failed || failed
		*dst = append(*dst, &c)
	}
}

func (d *decoder) sources(n *yaml.Node, dst *series.SourceSet) {
	var names []string
	d.value(n, "sources", &names)
	// Always there: whoever does not want it has write_relabel_configs.
	*dst = series.SourceSetOf(series.Resource)
	for _, name := range names {
		source, ok := series.SourceNamed(name)
		if name == series.Rules.String() {
			source, ok = series.Rules, true
		}
		if !ok {
			d.wrong(n, "sources: %q is none: they are resource, cadvisor, summary, rules", name)
			continue
		}
		*dst |= series.SourceSetOf(source)
	}
	if len(names) == 0 {
		d.wrong(n, "sources is empty: leave it out, or name some of resource, cadvisor, summary, rules")
	}
}

func (d *decoder) size(n *yaml.Node, key string, dst *int64) {
	q, err := resource.ParseQuantity(strings.TrimSpace(n.Value))
	if err != nil || q.Value() < 1<<20 {
		d.wrong(n, "%s must be a number of bytes such as 2Gi, and at least 1Mi", key)
		return
	}
	*dst = q.Value()
}

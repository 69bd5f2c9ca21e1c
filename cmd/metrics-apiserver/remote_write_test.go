// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/configfile"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// TestShipping ships what a kubelet once said.
func TestShipping(t *testing.T) {
	var bodies atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		bodies.Add(1)
		w.Header().Set("X-Prometheus-Remote-Write-Samples-Written", "2000")
	}))
	defer server.Close()
	text := "externalLabels: {cluster: east}\nremoteWrite:\n- {url: '" + server.URL + "', name: long, sources: [resource, cadvisor], queue_directory: " + t.TempDir() + "}\n"
	rig := newConfiguredRig(t, text)
	now := storage.MillisOf(time.Now())
	for k := range 3 {
		rig.answer(t, now+storage.Millis(k-3)*15_000)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := rig.ship.Run(ctx); err != nil {
		t.Fatal(err)
	}
	state := rig.ship.set.States()[0]
	if bodies.Load() == 0 || state.Sender.Sent != state.Accepted || state.Accepted < 3000 || state.Queue.Records != 0 {
		t.Errorf("%d bodies; %+v", bodies.Load(), state)
	}

	config, err := configfile.Parse("config.yaml", []byte(configurationText("remoteWrite:\n- {url: 'http://a.example', ulr: b}\n- {url: 'http://a.example', azuread: {}}\n")))
	if err != nil {
		t.Fatal(err)
	}
	if err := checkSinks(config); err == nil || !strings.Contains(err.Error(), "config.yaml:4: remoteWrite: a remoteWrite block has no key \"ulr\"") || !strings.Contains(err.Error(), "config.yaml:5: ") {
		t.Errorf("refused: %v", err)
	}
}

// TestLeaseName reads --remote-write-lease.
func TestLeaseName(t *testing.T) {
	for flag, want := range map[string]string{
		"": "", "a": "own/a", "b/a": "b/a", "a/": "refused", "/a": "refused", "A": "refused", "a/b/c": "refused",
	} {
		o := remoteWriteOptions{lease: flag}
		name, ok, err := o.leaseName("own")
		got := ""
		if ok {
			got = name.String()
		}
		if err != nil {
			got = "refused"
		}
		if got != want || (err != nil) != (len(o.validate()) > 0) {
			t.Errorf("%q: %q, want %q", flag, got, want)
		}
	}
	if _, ok, err := (&remoteWriteOptions{lease: defaultLease}).leaseName(""); ok || err != nil {
		t.Errorf("outside of a cluster there is a Lease: %v", err)
	}
}

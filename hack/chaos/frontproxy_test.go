// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
	"github.com/metrics-apiserver/metrics-apiserver/hack/pki"
)

// spread is how long kube-apiserver may take to notice a new file, by its own
// account.
const spread = 65 * time.Second

// tryFrontProxyCA is F11. kube-apiserver publishes the CA that its file has, and
// shows us the certificate that another one has; both are replaced below it.
// Meanwhile nothing else may need the aggregation layer.
func tryFrontProxyCA(x *trial) {
	w := x.world(3, 2)
	server := w.Serve(x)
	x.register("metrics-front-proxy", server.Port, rollingAPI())
	x.wait(15 * time.Second)
	pid := server.Pid()
	config, err := x.site.RESTConfig()
	if err != nil {
		x.Fatal(err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		x.Fatal(err)
	}
	url := x.site.Server() + "/apis/metrics.k8s.io/v1/namespaces/" + w.Namespace + "/pods"
	// watch asks ten times a second, and says how often and from when to when it
	// was not answered.
	watch := func(d time.Duration) (requests int, refused findings, from, to time.Time) {
		for begun := time.Now(); time.Since(begun) < d && x.Context().Err() == nil; x.wait(100 * time.Millisecond) {
			requests++
			if err := get(x.Context(), client, url); err != nil {
				if refused.add("%v", err); from.IsZero() {
					from = time.Now()
				}
				to = time.Now()
			}
		}
		return requests, refused, from, to
	}
	dir := x.site.PKIDir()
	trust := func(authorities ...[]byte) {
		if err := os.WriteFile(filepath.Join(dir, "front-proxy-ca.crt"), bytes.Join(authorities, nil), 0o600); err != nil {
			x.Fatal(err)
		}
	}
	show := func(authority *pki.CA) {
		if _, _, err := authority.WriteClient(dir, "front-proxy-client", cluster.FrontProxyUser); err != nil {
			x.Fatal(err)
		}
	}
	first, err := os.ReadFile(filepath.Join(dir, "front-proxy-ca.crt"))
	if err != nil {
		x.Fatal(err)
	}
	var next [2]*pki.CA
	for i := range next {
		if next[i], err = pki.NewCA(x.TempDir(), fmt.Sprintf("front-proxy-ca-%d", i+2)); err != nil {
			x.Fatal(err)
		}
	}

	total, all := 0, findings{}
	for _, step := range []func(){
		func() { trust(first, next[0].CertPEM()) },
		func() { show(next[0]) },
		func() { trust(next[0].CertPEM()) },
	} {
		step()
		requests, refused, _, _ := watch(spread)
		total += requests
		if all.count += refused.count; all.first == "" {
			all.first = refused.first
		}
	}
	x.none("F11", "the front proxy's CA is replaced with overlap: both are trusted, then the new one is shown, then the old one goes", "requests that were not answered", &all, total)

	trust(next[1].CertPEM())
	show(next[1])
	_, refused, from, to := watch(2 * spread)
	x.figure("F11", "it is replaced at once", fmt.Sprintf("from the first of %d requests that were not answered to the last", refused.count), to.Sub(from).Round(100*time.Millisecond), time.Minute, to.Sub(from) <= time.Minute)
	x.figure("F11", "both", "the same process", server.Pid() == pid, true, server.Pid() == pid)
}

// get is nil where url is answered with 200.
func get(ctx context.Context, client *http.Client, url string) error {
	return getJSON(ctx, client, url, nil)
}

// getJSON reads what url is answered with into a value, unless that is nil.
func getJSON(ctx context.Context, client *http.Client, url string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := ok(response.StatusCode, nil); err != nil || into == nil {
		return err
	}
	return json.NewDecoder(response.Body).Decode(into)
}

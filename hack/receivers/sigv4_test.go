// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package receivers

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/sinks/sigv4"
)

// TestSignatures has AWS's own library sign what we signed, and compares.
func TestSignatures(t *testing.T) {
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r }))
	defer server.Close()
	for _, path := range []string{"/", "/workspaces/ws-1/api/v1/remote_write", "/a%20b/ü/~x?b=2&a=1&a=0&c=x+y%2Fz&empty="} {
		for _, session := range []string{"", "token/of+a=session"} {
			environment := map[string]string{"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": session, "AWS_REGION": "eu-west-1"}
			client := http.Client{Transport: sigv4.New(sigv4.Options{Getenv: func(name string) string { return environment[name] }}, http.DefaultTransport)}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, strings.NewReader("body"))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request")
			request.Header.Set("X-Amz-Meta-Text", "  two   words ")
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()

			at, err := time.Parse("20060102T150405Z", got.Header.Get("X-Amz-Date"))
			if err != nil {
				t.Fatal(err)
			}
			address, err := url.Parse(server.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			// It signs all headers that there are, so it gets those that we sign.
			theirs := &http.Request{Method: got.Method, URL: address, Host: got.Host, Header: http.Header{}}
			for _, name := range []string{"Content-Type", "X-Amz-Meta-Text"} {
				theirs.Header.Set(name, got.Header.Get(name))
			}
			const bodySum = "230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5"
			credentials := aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret", SessionToken: session}
			if err := signer.NewSigner().SignHTTP(t.Context(), credentials, theirs, bodySum, "aps", "eu-west-1", at); err != nil {
				t.Fatal(err)
			}
			if ours, want := got.Header.Get("Authorization"), theirs.Header.Get("Authorization"); ours != want || ours == "" {
				t.Errorf("%s:\nwe sign   %s\nthey sign %s", path, ours, want)
			}
		}
	}
}

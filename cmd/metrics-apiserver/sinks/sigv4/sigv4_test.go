// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sigv4

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSign signs what is signed in AWS's own examples (get-vanilla and
// get-vanilla-query-order-key-case of its test suite), with the credentials that they
// are signed with.
func TestSign(t *testing.T) {
	credentials := Credentials{AccessKey: "AKIDEXAMPLE", SecretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
	now := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	for address, want := range map[string]string{
		"https://example.amazonaws.com/":                             "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
		"https://example.amazonaws.com/?Param2=value2&Param1=value1": "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("User-Agent", "not signed")
		sign(request, nil, credentials, scope{"us-east-1", "service"}, now)
		want = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + want
		if got := request.Header.Get("Authorization"); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

// roundTrip is a transport that keeps the last request and its body.
type roundTrip struct {
	request *http.Request
	body    string
}

func (r *roundTrip) RoundTrip(request *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(request.Body)
	r.request, r.body = request, string(text)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, err
}

// post makes a request through a transport, and returns who signed it, or why nobody.
func post(t *testing.T, transport *Transport, next *roundTrip) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://aps.example/workspaces/a/api/v1/remote_write", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err.Error()
	}
	response.Body.Close()
	if next.body != "body" || request.Header.Get("Authorization") != "" {
		t.Errorf("%q was sent, and the caller's request is %v", next.body, request.Header)
	}
	_, who, _ := strings.Cut(next.request.Header.Get("Authorization"), "Credential=")
	who, _, _ = strings.Cut(who, "/")
	return who + " " + next.request.Header.Get("X-Amz-Security-Token")
}

// TestCredentials has credentials from each source that there is, and new ones when
// they end.
func TestCredentials(t *testing.T) {
	issued, end, broken := 0, time.Hour, false
	var asked *http.Request
	var form url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		issued++
		asked = r
		at := time.Now().Add(end).UTC().Format(time.RFC3339)
		if r.Method == http.MethodGet {
			fmt.Fprintf(w, `{"AccessKeyId": "agent-%d", "SecretAccessKey": "s", "Token": "t", "Expiration": %q}`, issued, at)
			return
		}
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		form = r.Form
		action := form.Get("Action")
		fmt.Fprintf(w, `<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><Credentials><AccessKeyId>role-%[2]d</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%[3]s</Expiration></Credentials></%[1]sResult></%[1]sResponse>`, action, issued, at)
	}))
	defer server.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("of the pod\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environment := map[string]string{}
	next := &roundTrip{}
	fresh := func(o Options) *Transport {
		issued = 0
		o.Getenv = func(name string) string { return environment[name] }
		return New(o, next)
	}
	expect := func(transport *Transport, want string) {
		t.Helper()
		if got := post(t, transport, next); got != want {
			t.Errorf("signed by %q, want %q", got, want)
		}
	}
	expect(fresh(Options{}), "get credentials to sign with: sigv4 needs a region, in its block or in AWS_REGION")
	environment["AWS_REGION"] = "eu-west-1"
	waiting := fresh(Options{})
	expect(waiting, "get credentials to sign with: sigv4 has no credentials: set access_key and secret_key, or give the pod a role by IRSA or EKS Pod Identity")

	environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"], environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = server.URL+"/v1/credentials", token
	expect(waiting, "agent-1 t")
	if got := asked.Header.Get("Authorization"); got != "of the pod" {
		t.Errorf("the agent was shown %q", got)
	}
	expect(waiting, "agent-1 t")

	environment["AWS_ENDPOINT_URL_STS"], environment["AWS_WEB_IDENTITY_TOKEN_FILE"], environment["AWS_ROLE_ARN"] = server.URL, token, "arn:role"
	transport := fresh(Options{})
	end = early + time.Minute
	expect(transport, "role-1 t")
	if form.Get("WebIdentityToken") != "of the pod" || form.Get("RoleArn") != "arn:role" || form.Get("RoleSessionName") != "metrics-apiserver" || asked.Header.Get("Authorization") != "" {
		t.Errorf("the service was told %v, %v", form, asked.Header)
	}
	// Those that end soon are used while there are no others.
	transport.mu.held.End = time.Now().Add(early - time.Second)
	broken = true
	expect(transport, "role-1 t")
	broken = false
	expect(transport, "role-2 t")
	broken, transport.mu.held.End = true, time.Now()
	if got := post(t, transport, next); !strings.Contains(got, "500 Internal Server Error") {
		t.Errorf("signed by %q with credentials that have ended", got)
	}
	broken = false

	environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"], environment["AWS_SESSION_TOKEN"] = "mine", "s", "of mine"
	expect(fresh(Options{}), "mine of mine")
	transport = fresh(Options{AccessKey: "static", SecretKey: "s"})
	expect(transport, "static ")
	if got := next.request.Header.Get("Authorization"); !strings.Contains(got, "/eu-west-1/aps/aws4_request") {
		t.Errorf("signed is %s", got)
	}
	expect(fresh(Options{AccessKey: "static", SecretKey: "s", RoleARN: "arn:other", ExternalID: "x"}), "role-1 t")
	if form.Get("RoleArn") != "arn:other" || form.Get("ExternalId") != "x" || !strings.Contains(asked.Header.Get("Authorization"), "Credential=static/") {
		t.Errorf("the service was told %v, %v", form, asked.Header)
	}
}

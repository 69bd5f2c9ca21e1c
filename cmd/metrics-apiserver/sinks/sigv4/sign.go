// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The forms of times in signatures.
const (
	timeForm = "20060102T150405Z"
	dateForm = "20060102"
)

// scope is what a signature is good for, beside a day.
type scope struct{ region, service string }

// sign adds to a request what proves that it comes from the owner of the credentials:
// who reads it can tell that its path, its query, its body and the headers that are
// named are those that were signed.
func sign(request *http.Request, body []byte, c Credentials, s scope, now time.Time) {
	now = now.UTC()
	request.Header.Set("X-Amz-Date", now.Format(timeForm))
	if c.SessionToken != "" {
		request.Header.Set("X-Amz-Security-Token", c.SessionToken)
	}
	names, headers := canonicalHeaders(request)
	plain := strings.Join([]string{
		request.Method, canonicalPath(request.URL), canonicalQuery(request.URL), headers, names, sum(body),
	}, "\n")
	day := now.Format(dateForm)
	within := day + "/" + s.region + "/" + s.service + "/aws4_request"
	text := strings.Join([]string{"AWS4-HMAC-SHA256", now.Format(timeForm), within, sum([]byte(plain))}, "\n")
	key := []byte("AWS4" + c.SecretKey)
	for _, part := range []string{day, s.region, s.service, "aws4_request"} {
		key = mac(key, part)
	}
	request.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
		c.AccessKey, within, names, hex.EncodeToString(mac(key, text))))
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// canonicalHeaders are the names of the headers that are signed, and the headers, in
// the form that is signed. They are those that must be, and the type of the body: a
// proxy on the way may change others.
func canonicalHeaders(request *http.Request) (names, headers string) {
	host := request.Host
	if host == "" {
		host = request.URL.Host
	}
	values := map[string]string{"host": host}
	all := []string{"host"}
	for name, texts := range request.Header {
		lower := strings.ToLower(name)
		if lower != "content-type" && !strings.HasPrefix(lower, "x-amz-") {
			continue
		}
		trimmed := make([]string, len(texts))
		for i, text := range texts {
			trimmed[i] = strings.Join(strings.Fields(text), " ")
		}
		values[lower] = strings.Join(trimmed, ",")
		all = append(all, lower)
	}
	slices.Sort(all)
	var b strings.Builder
	for _, name := range all {
		fmt.Fprintf(&b, "%s:%s\n", name, values[name])
	}
	return strings.Join(all, ";"), b.String()
}

// canonicalPath is the path as it goes over the wire, escaped once more.
func canonicalPath(u *url.URL) string {
	path := u.EscapedPath()
	if path == "" {
		return "/"
	}
	return escape(path, "/")
}

// canonicalQuery is the query in order, escaped as signatures want it.
func canonicalQuery(u *url.URL) string {
	var pairs []string
	for name, values := range u.Query() {
		for _, value := range values {
			pairs = append(pairs, escape(name, "")+"="+escape(value, ""))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// escape escapes all bytes but letters, digits and some signs, and those of keep.
func escape(text, keep string) string {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~"+keep, c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

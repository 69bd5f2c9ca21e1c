// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
)

// question is what is asked of a node: a document, or a whole request that
// client-go's wrappers have seen.
type question struct {
	document url.URL // with Path and RawQuery
	fields   *encodedFields

	request *http.Request // nil: the fields above say it
}

// appendTo writes the request as it is sent to authority.
func (q *question) appendTo(buffer *bytes.Buffer, authority string) error {
	request := q.request
	if request == nil {
		uri := q.document.RequestURI()
		if isPlainURI(uri) && isPlainAuthority(authority) {
			for _, part := range [...]string{"GET ", uri, " HTTP/1.1\r\nHost: ", authority, "\r\n"} {
				buffer.WriteString(part)
			}
			buffer.Write(q.fields.text)
			return nil
		}
		// Something to quote, to refuse or to leave out: net/http knows.
		request = &http.Request{Method: http.MethodGet, URL: &q.document, Header: q.fields.header}
	}
	// A copy, because a RoundTripper must not write to the request.
	out := *request
	out.Host = authority
	return out.Write(buffer)
}

// isPlainURI says whether a request's URI can be sent as it is.
func isPlainURI(uri string) bool {
	for i := range len(uri) {
		if uri[i] <= ' ' || uri[i] > '~' {
			return false
		}
	}
	return uri != "" && uri[0] == '/'
}

// isPlainAuthority says whether a host and port can be sent as they are, which
// is not so for the zone of an IPv6 address.
func isPlainAuthority(authority string) bool {
	for i := range len(authority) {
		switch c := authority[i]; {
		case isLetterOrDigit(c), c == '.', c == '-', c == ':', c == '[', c == ']':
		default:
			return false
		}
	}
	return authority != ""
}

// askWrapped sends the question through client-go's wrappers, which see the
// request and the response. The call goes with it, in its context.
func (c *call) askWrapped(document url.URL) (reply, error) {
	client := c.conn.client
	document.Scheme, document.Host = c.conn.endpoint.Scheme, c.conn.endpoint.Node
	ctx := context.WithValue(c.ctx, callKey{}, c)
	resp, err := client.wrapped.RoundTrip(newRequest(ctx, &document, client.header.Clone())) //nolint:bodyclose // Get does.
	if err != nil {
		if _, ours := errors.AsType[*Error](err); !ours {
			err = c.failed(ReasonCredentials, "add credentials", err)
		}
		return reply{}, err
	}
	return replyOf(resp), nil
}

type callKey struct{}

// roundTripper is below client-go's wrappers: it finds the call of a request.
type roundTripper struct{}

func (roundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	c, ok := request.Context().Value(callKey{}).(*call)
	if !ok {
		return nil, errors.New("BUG: a wrapper dropped the request's context")
	}
	c.ctx = request.Context()
	e, err := c.roundTrip(&question{request: request})
	if err != nil {
		return nil, err
	}
	return e.response, nil
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/transport"
)

// requestFields is the header that all requests have in common: what we accept,
// and what client-go's wrappers add, which are credentials and who we are.
//
// Of client-go's own wrappers, those for a token, a password, an impersonation
// and the user agent add fields that depend on nothing in the request. So they
// are asked once a second, with a request that goes nowhere, and what comes out
// is sent to all nodes in that second. client-go reads the file of a token again
// after 50 s; the second comes on top of that.
//
// Any other wrapper is asked for each request, and sees each answer: that of a
// credentials plugin, which gets new credentials after a 401, one that the
// configuration brings, and the one that logs requests at -v=6.
type requestFields struct {
	// wrapped is client-go's wrappers around a capture.
	wrapped http.RoundTripper
	// own is the header without what wrappers add. It is not written.
	own     http.Header
	current atomic.Pointer[encodedFields]

	mu sync.Mutex // Held by who asks the wrappers.
}

// encodedFields is a header at one moment. It is immutable.
type encodedFields struct {
	asked  time.Time
	header http.Header
	// text is as it is sent, behind the field Host, with the empty line.
	text []byte
}

// fieldsLife is for how long the fields are used before the wrappers are asked
// again.
const fieldsLife = time.Second

// wrappersSeeEach says whether the wrappers must be asked for each request.
func wrappersSeeEach(config *transport.Config) bool {
	logs := transport.DebugWrappers(capture{}) != http.RoundTripper(capture{})
	return config.WrapTransport != nil || logs
}

func newRequestFields(config *transport.Config, own http.Header) (*requestFields, error) {
	wrapped, err := transport.HTTPWrappersForConfig(config, capture{})
	if err != nil {
		return nil, err
	}
	return &requestFields{wrapped: wrapped, own: own}, nil
}

// get is the fields to send now. Where somebody is asking for newer ones
// already, it does not wait for them.
func (f *requestFields) get(ctx context.Context, now time.Time) (*encodedFields, error) {
	current := f.current.Load()
	if current.fresh(now) || current != nil && !f.mu.TryLock() {
		return current, nil
	}
	if current == nil {
		f.mu.Lock()
	}
	defer f.mu.Unlock()
	if current = f.current.Load(); current.fresh(now) {
		return current, nil
	}
	next, err := f.ask(ctx, now)
	if err != nil {
		return nil, err
	}
	f.current.Store(next)
	return next, nil
}

func (e *encodedFields) fresh(now time.Time) bool {
	return e != nil && now.Sub(e.asked) < fieldsLife
}

// refused makes the next request ask the wrappers, as a node refused what was
// sent.
func (f *requestFields) refused(sent *encodedFields) {
	f.current.CompareAndSwap(sent, nil)
}

// ask sends a request through the wrappers, and encodes what comes out as
// net/http does.
func (f *requestFields) ask(ctx context.Context, now time.Time) (*encodedFields, error) {
	const host, before = "node", "GET / HTTP/1.1\r\nHost: node\r\n"
	u := &url.URL{Scheme: "https", Host: host, Path: "/"}
	var captured http.Header
	ctx = context.WithValue(ctx, captureKey{}, &captured)
	resp, err := f.wrapped.RoundTrip(newRequest(ctx, u, f.own.Clone()))
	switch {
	case err == nil:
		_ = resp.Body.Close()
		return nil, errors.New("BUG: a wrapper answered by itself")
	case !errors.Is(err, errCaptured):
		return nil, err
	}
	var text bytes.Buffer
	if err := newRequest(ctx, u, captured).Write(&text); err != nil {
		return nil, err
	}
	behind, ok := bytes.CutPrefix(text.Bytes(), []byte(before))
	if !ok {
		return nil, fmt.Errorf("BUG: net/http wrote a request that begins with %.32q", text.Bytes())
	}
	return &encodedFields{asked: now, header: captured, text: behind}, nil
}

// newRequest asks for a document.
func newRequest(ctx context.Context, u *url.URL, header http.Header) *http.Request {
	request := &http.Request{
		Method: http.MethodGet, URL: u, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	return request.WithContext(ctx)
}

type captureKey struct{}

// capture is below client-go's wrappers: it takes the header of a request and
// sends nothing.
type capture struct{}

var errCaptured = errors.New("the request is not sent")

func (capture) RoundTrip(request *http.Request) (*http.Response, error) {
	into, ok := request.Context().Value(captureKey{}).(*http.Header)
	if !ok {
		return nil, errors.New("BUG: a wrapper dropped the request's context")
	}
	*into = request.Header.Clone()
	return nil, errCaptured
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Reason says in one word why a request failed. It is the value of a metric's
// label, so its values are few and fixed.
type Reason string

// The reasons.
const (
	// ReasonDial: no address of the node could be connected to.
	ReasonDial Reason = "dial"
	// ReasonTLS: the handshake failed; the node's certificate may be at fault,
	// or ours.
	ReasonTLS Reason = "tls"
	// ReasonCredentials: there are no usable credentials, or they must not be
	// sent to this endpoint.
	ReasonCredentials Reason = "credentials"
	// ReasonTimeout: the time for the request was over.
	ReasonTimeout Reason = "timeout"
	// ReasonCanceled: the request was canceled by its caller.
	ReasonCanceled Reason = "canceled"
	// ReasonBroken: the connection ended within the answer, or what came is
	// not HTTP.
	ReasonBroken Reason = "broken"
	// ReasonRedirect: the node answered with a redirect.
	ReasonRedirect Reason = "redirect"
	// ReasonStatus: the node answered with a status other than 200.
	ReasonStatus Reason = "status"
	// ReasonTooLarge: the answer is beyond a bound on its size.
	ReasonTooLarge Reason = "too_large"
	// ReasonNoShare: the bodies of all requests together are beyond the bound,
	// and this one had to yield.
	ReasonNoShare Reason = "no_share"
	// ReasonNoConnection: as many connections are open as may be.
	ReasonNoConnection Reason = "no_connection"
)

// Error is what a failed request returns.
type Error struct {
	// Reason is never empty.
	Reason Reason
	// Status is the HTTP status where the reason is ReasonStatus or
	// ReasonRedirect, else 0.
	Status int
	// Err says what happened.
	Err error
}

// maxErrorText bounds an error's text, in bytes: a node can write into it what
// it likes, such as the names in its certificate.
const maxErrorText = 512

func (e *Error) Error() string {
	text := e.Err.Error()
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "…"
	}
	return text
}

// Unwrap is what happened.
func (e *Error) Unwrap() error { return e.Err }

// ReasonOf is the reason of an error that Conn.Get returned.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ReasonBroken
}

// StatusOf is the HTTP status because of which Conn.Get failed, or 0.
func StatusOf(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return 0
}

// errYield is the cause of a request's end by the budget.
var errYield = errors.New("too many bytes of answers in memory; the largest yields")

// interrupted is the error of a request whose context ended while it was doing
// something, or nil where the context has not ended: an ended context shows as
// a failed read or write, which would not tell why.
func interrupted(ctx context.Context, doing string) error {
	if ctx.Err() == nil {
		return nil
	}
	cause := context.Cause(ctx)
	reason := ReasonCanceled
	if errors.Is(cause, context.DeadlineExceeded) {
		reason = ReasonTimeout
	}
	return &Error{Reason: reason, Err: fmt.Errorf("%s: %w", doing, cause)}
}

// failed is err with its reason, unless the context tells the true one.
func failed(ctx context.Context, reason Reason, doing string, err error) error {
	if cause := interrupted(ctx, doing); cause != nil {
		return cause
	}
	return &Error{Reason: reason, Err: fmt.Errorf("%s: %w", doing, err)}
}

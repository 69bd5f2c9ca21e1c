// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/message"
)

// maxReason is how much of an answer's body is kept to be logged, maxAnswer how
// much is read so that the connection can be used again, in bytes.
const (
	maxReason = 512
	maxAnswer = 64 << 10
)

// An answer is what came of one attempt.
type answer struct {
	outcome outcome
	// stored is how many samples a receiver of 2.0 says that it stored; counted
	// says that it says so.
	stored  int64
	counted bool
	// wait is how long the receiver asks to wait.
	wait time.Duration
	// unknown: there was no answer, or one that says that the receiver failed on
	// the way. It may have stored the body.
	unknown bool
	// failure is what was wrong; empty where nothing was.
	failure string
}

// post makes one attempt.
func (s *Sender) post(ctx context.Context, body []byte, protocol message.Protocol) answer {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.URL, bytes.NewReader(body))
	if err != nil {
		return answer{outcome: again, failure: err.Error()}
	}
	for name, values := range s.o.Headers {
		request.Header[name] = values
		if name == "Host" {
			request.Host = values[0]
		}
	}
	request.Header.Set("Content-Encoding", "snappy")
	request.Header.Set("Content-Type", protocol.ContentType())
	request.Header.Set("X-Prometheus-Remote-Write-Version", protocol.Version())
	request.Header.Set("User-Agent", s.o.UserAgent)

	response, err := s.client.Do(request)
	if err != nil {
		return answer{outcome: again, unknown: mayHaveArrived(err), failure: err.Error()}
	}
	defer response.Body.Close()
	reason, err := io.ReadAll(io.LimitReader(response.Body, maxReason))
	if err == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer))
	}
	// The status has been read: what becomes of the rest is about the connection.
	_ = err
	a := answer{
		outcome: judge(protocol, s.confirmed.Load(), response.StatusCode, response.Header),
		wait:    retryAfter(response.Header, time.Now()),
		unknown: response.StatusCode/100 == 5,
	}
	a.stored, a.counted = written(response.Header)
	if a.outcome == taken {
		return a
	}
	a.failure = response.Status
	if text := strings.TrimSpace(strings.ToValidUTF8(string(reason), "?")); text != "" {
		a.failure = fmt.Sprintf("%s: %s", response.Status, text)
	}
	return a
}

// mayHaveArrived says whether a request that failed may have been made.
func mayHaveArrived(err error) bool {
	var op *net.OpError
	return !errors.As(err, &op) || op.Op != "dial"
}

// checkRedirect follows no redirect that drops the body.
func checkRedirect(follow bool) func(*http.Request, []*http.Request) error {
	return func(request *http.Request, via []*http.Request) error {
		if !follow || request.Method != http.MethodPost || len(via) >= 5 {
			return http.ErrUseLastResponse
		}
		return nil
	}
}

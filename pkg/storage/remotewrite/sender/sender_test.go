// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/message"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/queue"
)

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func TestJudge(t *testing.T) {
	wrote := header(samplesWritten, "3")
	for _, test := range []struct {
		protocol  message.Protocol
		confirmed bool
		status    int
		header    http.Header
		want      outcome
	}{
		{message.V1, false, 200, nil, taken},
		{message.V1, false, 204, nil, taken},
		{message.V2, false, 204, wrote, taken},
		{message.V2, false, 204, header(exemplarsWritten, "0"), taken},
		{message.V2, false, 204, nil, older},
		{message.V2, true, 200, nil, older},
		{message.V2, true, 415, nil, older},
		{message.V1, false, 415, nil, refused},
		{message.V2, false, 400, nil, older},
		{message.V2, true, 400, nil, refused},
		{message.V2, false, 400, wrote, refused},
		{message.V1, false, 400, nil, refused},
		{message.V2, false, 401, nil, refused},
		{message.V1, false, 404, nil, refused},
		{message.V2, false, 429, nil, again},
		{message.V1, false, 500, nil, again},
		{message.V2, true, 503, wrote, again},
		{message.V1, false, 301, nil, again},
	} {
		if got := judge(test.protocol, test.confirmed, test.status, test.header); got != test.want {
			t.Errorf("%v answered %d %v, confirmed %v: %d, want %d", test.protocol, test.status, test.header, test.confirmed, got, test.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, "0": 0, "-1": 0, "soon": 0, "99999999": maxRetryAfter,
		"Thu, 01 Jan 2026 00:00:07 GMT": 7 * time.Second,
		"Thu, 01 Jan 2025 00:00:07 GMT": 0,
		"Thu, 01 Jan 2027 00:00:07 GMT": maxRetryAfter,
	} {
		if got := retryAfter(header("Retry-After", text), now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// A receiver answers what the test says, in no time of its own.
type receiver struct {
	t      *testing.T
	answer func(attempt int, body string, request *http.Request) (*http.Response, error)

	mu       sync.Mutex
	attempts []time.Time
	bodies   []string
	// flying counts what is being posted, by lane: the first letter of the body.
	flying map[byte]int
}

func (r *receiver) RoundTrip(request *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	body := string(b)
	r.mu.Lock()
	attempt := len(r.attempts)
	r.attempts = append(r.attempts, time.Now())
	r.bodies = append(r.bodies, body)
	r.flying[body[0]]++
	if r.flying[body[0]] > 1 {
		r.t.Errorf("two bodies of lane %c at once", body[0])
	}
	r.mu.Unlock()
	response, err := r.answer(attempt, body, request)
	r.mu.Lock()
	r.flying[body[0]]--
	r.mu.Unlock()
	return response, err
}

func respond(status int, h http.Header, body string) (*http.Response, error) {
	if h == nil {
		h = http.Header{}
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// A rig is a sender between a queue in memory and a receiver.
type rig struct {
	*receiver
	queue  *queue.Queue
	sender *Sender
	stop   func()
}

func newRig(t *testing.T, o Options, answer func(int, string, *http.Request) (*http.Response, error)) *rig {
	t.Helper()
	r := &rig{receiver: &receiver{t: t, answer: answer, flying: map[byte]int{}}, queue: queue.Open(queue.Options{})}
	o.URL, o.UserAgent, o.Transport = "http://receiver/write", "test/1", r.receiver
	o.jitter = func() float64 { return 0.5 }
	r.sender = New(r.queue, 1, o)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.sender.Run(ctx) }()
	r.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	return r
}

// put queues bodies, each named by its lane and a number.
func (r *rig) put(epoch uint64, bodies ...string) {
	for _, body := range bodies {
		r.queue.Append(queue.Record{
			Epoch: epoch, Lane: uint16(body[0] - 'a'), Protocol: uint8(message.V1), Samples: 10,
			Newest: storage.MillisOf(time.Now()), Body: []byte(body),
		})
	}
}

// TestBackoff fails for a while: waits double up to the longest, and begin anew
// with the next body.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, func(attempt int, _ string, _ *http.Request) (*http.Response, error) {
			if attempt < 12 || attempt == 13 {
				return respond(500, nil, "down")
			}
			return respond(200, nil, "")
		})
		r.put(5, "a1", "a2")
		time.Sleep(time.Minute)
		synctest.Wait()
		want := []time.Duration{30, 60, 120, 240, 480, 960, 1920, 3840, 5000, 5000, 5000, 5000, 0, 30}
		var got []time.Duration
		for i := range r.attempts[1:] {
			got = append(got, r.attempts[i+1].Sub(r.attempts[i])/time.Millisecond)
		}
		if !slices.Equal(got, want) {
			t.Errorf("waits of %d ms, want %d", got, want)
		}
		state := r.sender.State()
		if state.Sent != 20 || state.Retries != 13 || state.Requests != 15 || state.Failure != "" || state.Unknown != 13 {
			t.Errorf("%+v", state)
		}
		r.stop()
	})
}

// TestRateLimited waits as long as it is asked to.
func TestRateLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, func(attempt int, _ string, _ *http.Request) (*http.Response, error) {
			if attempt == 0 {
				return respond(429, header("Retry-After", "17"), "")
			}
			return respond(200, nil, "")
		})
		r.put(5, "a1")
		time.Sleep(time.Minute)
		synctest.Wait()
		if wait := r.attempts[1].Sub(r.attempts[0]); wait != 17*time.Second {
			t.Errorf("waited %v", wait)
		}
		r.stop()
	})
}

// TestRefused posts nothing twice that was refused, and tells what may have
// arrived before from what did not.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Timeout: time.Second}, func(attempt int, body string, request *http.Request) (*http.Response, error) {
			switch {
			case body == "a1":
				return respond(400, nil, "out of order")
			case body == "a2" && attempt == 1:
				<-request.Context().Done() // Hangs.
				return nil, request.Context().Err()
			case body == "a2":
				return respond(400, nil, "duplicate")
			case body == "b1" && attempt < 6:
				return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
			default:
				return respond(204, nil, "")
			}
		})
		r.put(5, "a1", "a2", "a3")
		time.Sleep(time.Minute)
		synctest.Wait()
		r.put(5, "b1")
		time.Sleep(time.Minute)
		synctest.Wait()
		state := r.sender.State()
		if state.Dropped != [Reasons]int64{Rejected: 10, Ambiguous: 10} || state.Sent != 20 || state.Unknown != 1 {
			t.Errorf("%+v", state)
		}
		if n := r.queue.State().Records; n != 0 {
			t.Errorf("%d records are left", n)
		}
		r.stop()
	})
}

// TestLeft takes what the process before was posting for something that may have
// arrived.
func TestLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, func(int, string, *http.Request) (*http.Response, error) {
			return respond(400, nil, "")
		})
		r.put(0, "a1", "a2", "b1")
		r.put(5, "a3")
		time.Sleep(time.Minute)
		synctest.Wait()
		if got, want := r.sender.State().Dropped, ([Reasons]int64{Ambiguous: 20, Rejected: 20}); got != want {
			t.Errorf("%v, want %v", got, want)
		}
		r.stop()
	})
}

// TestOrder has a receiver that fails half of all requests and is slow: every lane
// stays in order, one body at a time, and epochs do not mix.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		last := map[byte]string{}
		epochs := 0
		r := newRig(t, Options{}, func(attempt int, body string, _ *http.Request) (*http.Response, error) {
			time.Sleep(time.Duration(1+attempt%7) * 10 * time.Millisecond)
			if attempt%2 == 0 {
				return respond(503, nil, "")
			}
			mu.Lock()
			defer mu.Unlock()
			if body <= last[body[0]] {
				t.Errorf("%s after %s", body, last[body[0]])
			}
			last[body[0]] = body
			if body[1] == '2' && epochs < 3*20 {
				t.Errorf("%s before all of the epoch before", body)
			}
			epochs++
			return respond(200, nil, "")
		})
		for i := range 20 {
			for _, lane := range "abc" {
				r.put(5, fmt.Sprintf("%c1-%02d", lane, i))
			}
		}
		for i := range 20 {
			for _, lane := range "fab" {
				r.put(6, fmt.Sprintf("%c2-%02d", lane, i))
			}
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if state := r.sender.State(); state.Sent != 1200 || r.queue.State().Records != 0 {
			t.Errorf("%+v", state)
		}
		r.stop()
	})
}

// TestFallBack posts 2.0 as 1.0 to receivers that do not know it, also to those
// that say that all is well.
func TestFallBack(t *testing.T) {
	symbols := message.NewSymbols()
	one := message.NewSeries(symbols, []uint32{symbols.Use("__name__"), symbols.Use("up")}, message.Gauge, "", "")
	encoder := message.NewEncoder(symbols)
	body := func(p message.Protocol) []byte {
		encoder.Begin(p)
		encoder.Append(&one, 1, 1000, 0)
		return encoder.AppendBody(nil)
	}
	for name, status := range map[string]int{"unsupported": 415, "unreadable": 400, "content": 204} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var protocols []string
				r := newRig(t, Options{Headers: http.Header{"X-Tenant": {"a"}, "Content-Type": {"mine"}}}, func(_ int, got string, request *http.Request) (*http.Response, error) {
					protocols = append(protocols, request.Header.Get("X-Prometheus-Remote-Write-Version"))
					if request.Header.Get("X-Tenant") != "a" || request.Header.Get("User-Agent") != "test/1" || request.Header.Get("Content-Encoding") != "snappy" {
						t.Errorf("headers are %v", request.Header)
					}
					if request.Header.Get("Content-Type") == message.V2.ContentType() {
						return respond(status, nil, "")
					}
					if got != string(body(message.V1)) || request.Header.Get("Content-Type") != message.V1.ContentType() {
						t.Errorf("1.0 is %q", got)
					}
					return respond(204, nil, "")
				})
				for range 3 {
					r.queue.Append(queue.Record{Epoch: 5, Protocol: uint8(message.V2), Samples: 1, Body: body(message.V2)})
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if !slices.Equal(protocols, []string{"2.0.0", "0.1.0", "0.1.0", "0.1.0"}) || r.sender.Protocol() != message.V1 {
					t.Errorf("posted %v", protocols)
				}
				if state := r.sender.State(); state.Sent != 3 || state.Dropped != [Reasons]int64{} {
					t.Errorf("%+v", state)
				}
				r.stop()
			})
		})
	}
}

// TestPartly counts what a receiver of 2.0 has not written.
func TestPartly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, func(attempt int, _ string, _ *http.Request) (*http.Response, error) {
			return respond([]int{200, 400}[attempt], header(samplesWritten, "7"), "")
		})
		for _, text := range []string{"a1", "a2"} {
			r.queue.Append(queue.Record{Epoch: 5, Protocol: uint8(message.V2), Samples: 10, Body: []byte(text)})
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if state := r.sender.State(); state.Sent != 14 || state.Dropped[Rejected] != 6 || !state.Confirmed || state.Protocol != message.V2 {
			t.Errorf("%+v", state)
		}
		r.stop()
	})
}

// TestTooOld posts nothing that is older than it may be.
func TestTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{MaxAge: time.Minute}, func(int, string, *http.Request) (*http.Response, error) {
			return respond(500, nil, "")
		})
		r.put(5, "a1")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if state := r.sender.State(); state.Dropped[TooOld] != 10 || r.queue.State().Records != 0 || state.Flying != 0 {
			t.Errorf("%+v", state)
		}
		r.stop()
	})
}

// TestRedirects follows none that would drop the body.
func TestRedirects(t *testing.T) {
	for status, want := range map[int]int64{307: 10, 301: 0} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Options{FollowRedirects: true}, func(_ int, _ string, request *http.Request) (*http.Response, error) {
				if request.Method != http.MethodPost {
					t.Errorf("a request by %s", request.Method)
				}
				if request.URL.Path == "/write" {
					return respond(status, header("Location", "/elsewhere"), "")
				}
				return respond(200, nil, "")
			})
			r.put(5, "a1")
			time.Sleep(time.Second)
			synctest.Wait()
			if got := r.sender.State().Sent; got != want {
				t.Errorf("%d: %d samples are sent, want %d", status, got, want)
			}
			r.stop()
		})
	}
}

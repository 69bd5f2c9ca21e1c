// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package receivers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/message"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/queue"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/remotewrite/sender"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// A node is a kubelet with containers that come and go.
type node struct {
	receiver series.Receiver
	handles  map[string]series.Handle
}

// containers and families are how many a node has: a thousand series.
const (
	containers = 20
	families   = 50
)

// scrape is one answer of a node, the n-th, and what is in it. What it says is a
// function of n.
func (f *node) scrape(name string, n int, began storage.Millis) map[string]point {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	at := began + storage.Millis(n)*15_000
	batch := &series.Batch{Node: name, Source: series.Cadvisor, Sent: at, Received: at + 50}
	there := map[string]point{}
	for c := range containers {
		if r.IntN(20) == 0 {
			continue // Not there this time.
		}
		for family := range families {
			labels := series.Labels{
				{Name: "__name__", Value: fmt.Sprintf("container_m%02d_total", family)},
				{Name: "container", Value: "app"},
				{Name: "id", Value: fmt.Sprintf("/kubepods/burstable/pod%08x", c*7919)},
				{Name: "namespace", Value: "shop"},
				{Name: "pod", Value: fmt.Sprintf("web-%d", c)},
			}
			text := key(map[string]string{
				"__name__": labels[0].Value, "container": "app", "id": labels[2].Value, "namespace": "shop", "pod": labels[4].Value,
				"job": "kubelet", "node": name,
			})
			h, ok := f.handles[text]
			if !ok {
				h = f.receiver.Open(labels, &series.Metadata{Family: labels[0].Value, Type: series.Counter, Help: "What it counts."})
				f.handles[text] = h
			}
			p := point{int64(at) - int64(c)*100, float64(n*1000+family) / 8}
			there[text] = p
			batch.Handles = append(batch.Handles, h)
			batch.Times = append(batch.Times, storage.Millis(p.t))
			batch.Values = append(batch.Values, p.v)
		}
	}
	var gone []series.Handle
	for text, h := range f.handles {
		if _, ok := there[text]; !ok {
			delete(f.handles, text)
			gone = append(gone, h)
		}
	}
	f.receiver.Commit(batch, gone)
	return there
}

// options are a sink's that hurries.
func options(dir, url string) remotewrite.Options {
	return remotewrite.Options{
		Name: "test", Deadline: 50 * time.Millisecond, MaxSamples: 500, MinLanes: 3, Flush: 5 * time.Second,
		Target: func(name string, _ series.Source) series.Labels {
			return series.Labels{{Name: "job", Value: "kubelet"}, {Name: "node", Value: name}}
		},
		Queue:  queue.Options{Dir: dir, SegmentBytes: 200_000},
		Sender: sender.Options{URL: url, UserAgent: "metrics-apiserver/test", Timeout: 300 * time.Millisecond, MaxBackoff: 200 * time.Millisecond},
	}
}

// A fault is what goes wrong with the requests of a moment.
type fault struct {
	status  int           // What is answered; 0 is what the receiver says.
	forward bool          // Whether the receiver gets it all the same.
	hang    time.Duration // How long nothing is answered.
}

// faulty is a way to a receiver on which things go wrong.
func faulty(t *testing.T, to string, next func(n int) fault) string {
	t.Helper()
	var mu sync.Mutex
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		mu.Lock()
		f := next(n)
		n++
		mu.Unlock()
		var answer *http.Response
		if f.status == 0 || f.forward {
			request, err := http.NewRequest(r.Method, to, bytes.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			request.Header = r.Header
			if answer, err = http.DefaultClient.Do(request); err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			defer answer.Body.Close()
		}
		if f.hang > 0 {
			select {
			case <-time.After(f.hang):
			case <-r.Context().Done():
				return
			}
		}
		if f.status != 0 {
			if f.status == http.StatusTooManyRequests {
				w.Header().Set("Retry-After", "1")
			}
			w.WriteHeader(f.status)
			return
		}
		maps.Copy(w.Header(), answer.Header)
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// everyone calls test with every receiver that there is, side by side: they mostly
// wait.
func everyone(t *testing.T, test func(t *testing.T, r receiver, v2 bool)) {
	for name, start := range map[string]func(t *testing.T) receiver{
		"prometheus-3":      func(t *testing.T) receiver { return newPrometheus(t) },
		"prometheus-debian": debianPrometheus,
		"victoria-metrics":  victoriaMetrics,
		"influxdb":          influxDB,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t), name == "prometheus-3")
		})
	}
}

// TestDelivery ships to real receivers over a way on which requests fail, hang and
// arrive without an answer, and through ends and starts of the sink. Every sample is
// there with its time and value, and nothing else.
func TestDelivery(t *testing.T) {
	everyone(t, func(t *testing.T, to receiver, v2 bool) {
		r := rand.New(rand.NewPCG(1, 1))
		url := faulty(t, to.write, func(n int) fault {
			if n < 4 {
				return fault{} // What it speaks is found out in peace.
			}
			switch r.IntN(12) {
			case 0:
				return fault{status: 500}
			case 1:
				return fault{status: 503, forward: true}
			case 2:
				return fault{hang: time.Second}
			case 3:
				return fault{status: 429}
			default:
				return fault{}
			}
		})
		dir := t.TempDir()
		began := storage.MillisOf(time.Now().Add(-time.Hour))
		want := map[string][]point{}
		n := 0
		for start := range 4 {
			s, err := remotewrite.New(options(dir, url))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error)
			go func() { done <- s.Run(ctx) }()
			f := &node{receiver: s.Receiver("n1", series.Cadvisor), handles: map[string]series.Handle{}}
			for range 10 {
				for name, p := range f.scrape("n1", n, began) {
					want[name] = append(want[name], p)
				}
				n++
				time.Sleep(20 * time.Millisecond)
			}
			if start == 3 {
				waitFor(t, func() bool { state := s.State(); return state.Pending == 0 && state.Queue.Records == 0 })
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			state := s.State()
			if state.Sender.Dropped[sender.Rejected] != 0 || state.Queue.Dropped != [queue.Reasons]int64{} || state.OutOfOrder != 0 || state.Overrun != 0 {
				t.Errorf("%+v", state)
			}
			if v2 != (state.Sender.Protocol == message.V2) {
				t.Errorf("it speaks %v", state.Sender.Protocol)
			}
			t.Logf("start %d: %d requests, %d repeated, %d unknown, %d ambiguous", start, state.Sender.Requests, state.Sender.Retries, state.Sender.Unknown, state.Sender.Dropped[sender.Ambiguous])
		}
		compare(t, to.read(t), want)
	})
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited for a minute")
		}
	}
}

// The environment of the process that TestKill kills.
const (
	childDir   = "REMOTEWRITE_CHILD_DIR"
	childURL   = "REMOTEWRITE_CHILD_URL"
	childFirst = "REMOTEWRITE_CHILD_FIRST"
	childBegan = "REMOTEWRITE_CHILD_BEGAN"
)

// TestKill kills the process that ships, again and again, while the receiver is
// now and then away. Everything that was accepted is in the receiver in the end.
func TestKill(t *testing.T) {
	if os.Getenv(childDir) != "" {
		child(t)
		return
	}
	kills := 30
	if testing.Short() {
		kills = 5
	}
	everyone(t, func(t *testing.T, to receiver, _ bool) {
		r := rand.New(rand.NewPCG(2, 2))
		url := faulty(t, to.write, func(n int) fault {
			if n%50 >= 30 && n > 10 {
				return fault{status: 503, forward: n%3 == 0}
			}
			return fault{}
		})
		dir := t.TempDir()
		began := storage.MillisOf(time.Now().Add(-time.Hour))
		accepted, first := -1, 0
		var all []map[string]point
		for kill := range kills + 1 {
			last := kill == kills
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKill$")
			cmd.Env = append(os.Environ(), childDir+"="+dir, childURL+"="+url, fmt.Sprintf("%s=%d", childFirst, first), fmt.Sprintf("%s=%d", childBegan, began))
			if last {
				cmd.Env = append(cmd.Env, "REMOTEWRITE_CHILD_LAST=1")
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if !last {
				time.AfterFunc(time.Duration(50+r.IntN(400))*time.Millisecond, func() { _ = cmd.Process.Kill() })
			}
			err = lines(out, func(line string) {
				verb, text, _ := strings.Cut(line, " ")
				n, err := strconv.Atoi(text)
				switch {
				case err != nil:
				case verb == "accepted":
					accepted = max(accepted, n)
					for ; first <= n; first++ {
						all = append(all, nil)
					}
					all[n] = map[string]point{}
				case verb == "scraped":
					// It may have been accepted, too, and is not to be said twice.
					for ; first <= n; first++ {
						all = append(all, nil)
					}
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); last && err != nil {
				t.Errorf("the last process: %v", err)
			}
		}
		got := to.read(t)
		want, missing := 0, 0
		for n, one := range all {
			if one == nil {
				continue // Its process was killed before it was accepted.
			}
			f := &node{receiver: discard{}, handles: map[string]series.Handle{}}
			for name, p := range f.scrape("n1", n, began) {
				want++
				if !slices.Contains(got[name], p) {
					missing++
				}
			}
		}
		if missing > 0 {
			t.Errorf("%d of %d accepted samples are missing", missing, want)
		}
		for name, points := range got {
			for i := 1; i < len(points); i++ {
				if points[i].t <= points[i-1].t {
					t.Errorf("%s goes back", name)
				}
			}
		}
		t.Logf("%d kills, %d of %d scrapes accepted, %d samples", kills, len(slices.DeleteFunc(all, func(m map[string]point) bool { return m == nil })), first, want)
	})
}

// discard is a receiver that does nothing.
type discard struct{}

func (discard) Open(series.Labels, *series.Metadata) series.Handle { return 1 }
func (discard) Commit(*series.Batch, []series.Handle)              {}
func (discard) Failed(storage.Millis)                              {}
func (discard) End(storage.Millis)                                 {}

// child ships one scrape after the other, and says which were accepted.
func child(t *testing.T) {
	number := func(name string) int {
		n, err := strconv.Atoi(os.Getenv(name))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	s, err := remotewrite.New(options(os.Getenv(childDir), os.Getenv(childURL)))
	if err != nil {
		t.Fatal(err)
	}
	if fault := s.State().Queue.Fault; fault != nil {
		t.Fatal(fault)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	f := &node{receiver: s.Receiver("n1", series.Cadvisor), handles: map[string]series.Handle{}}
	last := os.Getenv("REMOTEWRITE_CHILD_LAST") != ""
	for n := number(childFirst); ; n++ {
		fmt.Println("scraped", n)
		f.scrape("n1", n, storage.Millis(number(childBegan)))
		waitFor(t, func() bool { return s.State().Pending == 0 })
		fmt.Println("accepted", n)
		if last {
			break
		}
	}
	waitFor(t, func() bool { return s.State().Queue.Records == 0 })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package receivers

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/toolchain"
)

// A point is a sample as a receiver has it.
type point struct {
	t int64 // Unix milliseconds.
	v float64
}

// A receiver is a real one.
type receiver struct {
	// url is where it is, for those that answer PromQL.
	url string
	// write is where it takes remote-write.
	write string
	// read is all that it has of job kubelet, without stale markers, by series.
	read func(t *testing.T) map[string][]point
}

// key names a series: its labels, sorted.
func key(set map[string]string) string {
	var pairs []string
	for name, text := range set {
		if text != "" {
			pairs = append(pairs, name+"="+text)
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, ",")
}

// freeAddress is an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// run runs a program until the test ends, and waits until it answers at ready.
func run(t *testing.T, pkg, ready, program string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed: apt-get install %s", program, pkg)
	}
	logs, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = logs, logs
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if text, err := os.ReadFile(logs.Name()); err == nil && t.Failed() {
			t.Logf("%s said:\n%s", program, text[max(0, len(text)-4000):])
		}
		logs.Close()
	})
	for deadline := time.After(time.Minute); ; {
		response, err := http.Get(ready)
		if err == nil {
			response.Body.Close()
			if response.StatusCode/100 == 2 {
				return
			}
		}
		select {
		case <-ended:
			t.Fatalf("%s has ended", program)
		case <-deadline:
			t.Fatalf("%s is not ready after a minute: %v", program, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// get reads an answer to the end.
func get(t *testing.T, address string) []byte {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %s", address, response.Status, err, body)
	}
	return body
}

// debianPrometheus is Debian's prometheus, which knows 1.0 alone.
func debianPrometheus(t *testing.T) receiver {
	t.Helper()
	return prometheusServer(t, "prometheus")
}

// newPrometheus is the server of Prometheus 3, as it comes from the module proxy,
// which knows 2.0.
func newPrometheus(t *testing.T, flags ...string) receiver {
	t.Helper()
	paths, err := toolchain.Build(t.Context(), os.Stderr, toolchain.Prometheus, "prometheus")
	if err != nil {
		t.Fatal(err)
	}
	return prometheusServer(t, paths["prometheus"], flags...)
}

// prometheusServer runs a prometheus.
func prometheusServer(t *testing.T, program string, flags ...string) receiver {
	t.Helper()
	address, dir := freeAddress(t), t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte("global: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "prometheus", "http://"+address+"/-/ready", program, append(flags, "--config.file="+config, "--web.listen-address="+address,
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.enable-remote-write-receiver")...)
	return receiver{url: "http://" + address, write: "http://" + address + "/api/v1/write", read: func(t *testing.T) map[string][]point {
		t.Helper()
		query := url.Values{"query": {`{job="kubelet"}[3h]`}, "time": {strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)}}
		var answer struct {
			Data struct {
				Result []struct {
					Metric map[string]string
					Values [][2]any
				}
			}
		}
		if err := json.Unmarshal(get(t, "http://"+address+"/api/v1/query?"+query.Encode()), &answer); err != nil {
			t.Fatal(err)
		}
		all := map[string][]point{}
		for _, s := range answer.Data.Result {
			for _, pair := range s.Values {
				at, ok := pair[0].(float64)
				text, isText := pair[1].(string)
				v, err := strconv.ParseFloat(text, 64)
				if !ok || !isText || err != nil {
					t.Fatalf("a sample is %v", pair)
				}
				all[key(s.Metric)] = append(all[key(s.Metric)], point{int64(math.Round(at * 1000)), v})
			}
		}
		return all
	}}
}

// victoriaMetrics is Debian's.
func victoriaMetrics(t *testing.T) receiver {
	t.Helper()
	address := freeAddress(t)
	run(t, "victoria-metrics", "http://"+address+"/health", "victoria-metrics", "-httpListenAddr="+address, "-storageDataPath="+t.TempDir())
	return receiver{write: "http://" + address + "/api/v1/write", read: func(t *testing.T) map[string][]point {
		t.Helper()
		get(t, "http://"+address+"/internal/force_flush")
		body := get(t, "http://"+address+"/api/v1/export?"+url.Values{"match[]": {`{job="kubelet"}`}}.Encode())
		all := map[string][]point{}
		for line := range strings.Lines(string(body)) {
			var s struct {
				Metric     map[string]string
				Values     []*float64
				Timestamps []int64
			}
			if err := json.Unmarshal([]byte(line), &s); err != nil {
				t.Fatal(err)
			}
			for i, v := range s.Values {
				if v != nil {
					all[key(s.Metric)] = append(all[key(s.Metric)], point{s.Timestamps[i], *v})
				}
			}
		}
		// Unless it is told to, it keeps a sample that it is sent twice.
		for name, points := range all {
			slices.SortFunc(points, func(a, b point) int { return cmp.Compare(a.t, b.t) })
			all[name] = slices.Compact(points)
		}
		return all
	}}
}

// influxDB is Debian's, of version 1.
func influxDB(t *testing.T) receiver {
	t.Helper()
	address, dir := freeAddress(t), t.TempDir()
	config := filepath.Join(dir, "influxdb.conf")
	text := fmt.Sprintf(`reporting-disabled = true
bind-address = %q
[meta]
dir = %q
[data]
dir = %q
wal-dir = %q
[http]
bind-address = %q
[monitor]
store-enabled = false
`, freeAddress(t), filepath.Join(dir, "meta"), filepath.Join(dir, "data"), filepath.Join(dir, "wal"), address)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "influxdb", "http://"+address+"/ping", "influxd", "-config", config)
	response, err := http.PostForm("http://"+address+"/query", url.Values{"q": {"CREATE DATABASE metrics"}})
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return receiver{write: "http://" + address + "/api/v1/prom/write?db=metrics", read: func(t *testing.T) map[string][]point {
		t.Helper()
		query := url.Values{"db": {"metrics"}, "epoch": {"ms"}, "q": {`SELECT value FROM /.*/ GROUP BY *`}}
		var answer struct {
			Results []struct {
				Error  string
				Series []struct {
					Name   string
					Tags   map[string]string
					Values [][2]float64
				}
			}
		}
		if err := json.Unmarshal(get(t, "http://"+address+"/query?"+query.Encode()), &answer); err != nil {
			t.Fatal(err)
		}
		all := map[string][]point{}
		for _, result := range answer.Results {
			for _, s := range result.Series {
				s.Tags["__name__"] = s.Name
				for _, pair := range s.Values {
					all[key(s.Tags)] = append(all[key(s.Tags)], point{int64(pair[0]), pair[1]})
				}
			}
		}
		return all
	}}
}

// compare holds what a receiver has against what was shipped.
func compare(t *testing.T, got, want map[string][]point) {
	t.Helper()
	faults, samples := 0, 0
	for name, points := range want {
		samples += len(points)
		if !slices.Equal(got[name], points) {
			if faults++; faults <= 3 {
				t.Errorf("%s:\n has %d samples, want %d", name, len(got[name]), len(points))
				for i, p := range points {
					if i >= len(got[name]) || got[name][i] != p {
						t.Errorf("the first that differs is %d: want %v, has %v", i, p, got[name][min(i, len(got[name])):min(i+1, len(got[name]))])
						break
					}
				}
			}
		}
	}
	if faults > 0 {
		t.Errorf("%d of %d series differ", faults, len(want))
	}
	t.Logf("%d series, %d samples", len(want), samples)
}

// lines reads what a process prints, line by line.
func lines(r io.Reader, each func(string)) error {
	scanner := bufio.NewScanner(r)
	for scanner.Scan() {
		each(scanner.Text())
	}
	if err := scanner.Err(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

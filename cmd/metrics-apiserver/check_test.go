// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const checkedConfig = `apiVersion: metrics-apiserver/v1alpha1
kind: Configuration
rules:
- name: receive_bytes
  attach: {resource: pods}
  expr: sum by (pod) (rate(container_network_receive_bytes_total[1m]))
- name: working_set
  attach: {resource: namespaces}
  expr: sum(container_memory_working_set_bytes)
- name: node_cores
  attach: {resource: nodes}
  expr: sum by (node) (rate(node_cpu_usage_seconds_total[1m]))
- name: hidden
  attach: {external: true}
  expr: sum(container_memory_working_set_bytes)
  namespaces: [nowhere]
- name: nothing
  attach: {resource: pods}
  expr: sum by (pod) (no_such_series)
`

// recorded puts the recordings of the decoder's tests into directories as check
// reads them.
func recorded(t *testing.T) []string {
	t.Helper()
	from := filepath.Join("..", "..", "pkg", "scraper", "kubelet", "testdata")
	var dirs []string
	for i := 1; i <= 6; i++ {
		name := "scrape-" + strconv.Itoa(i)
		dir := filepath.Join(t.TempDir(), name)
		if err := os.CopyFS(dir, os.DirFS(filepath.Join(from, name))); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "time"), []byte(newestSample(t, dir)), 0o600); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

// newestSample is the time of the newest sample of a recording, in seconds: some
// seconds before it was made.
func newestSample(t *testing.T, dir string) string {
	t.Helper()
	file, err := os.Open(filepath.Join(dir, "metrics-cadvisor.txt.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	reader, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	newest := int64(0)
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if at, err := strconv.ParseInt(fields[len(fields)-1], 10, 64); err == nil && line[0] != '#' && at > 1e12 {
			newest = max(newest, at)
		}
	}
	return strconv.FormatFloat(float64(newest)/1000, 'f', 3, 64)
}

func TestCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	run := func(text string, args ...string) (string, error) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return execute(t, append([]string{"check", "--config", file}, args...)...)
	}
	var args []string
	for _, dir := range recorded(t) {
		args = append(args, "--answers", dir)
	}
	out, err := run(checkedConfig, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log(out)
	for _, want := range []string{"5 rules are good, 0 are not.", "receive_bytes  pods", "working_set", "namespaces  shop", "node_cores", "there is no fresh series no_such_series"} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q", want)
		}
	}
	if strings.Contains(out, "hidden") {
		t.Error("an external metric is shown where it is not visible")
	}
	out, err = run(checkedConfig + "- {name: bad, attach: {resource: pods}, expr: sum(}\n- {name: cpu_usage_cores, attach: {resource: pods}, expr: x}\n")
	if err == nil || !strings.Contains(out, "config.yaml:20: rule bad: expr: parse:") || !strings.Contains(out, "config.yaml:21: rule cpu_usage_cores: name: the catalogue has the metric") || !strings.Contains(out, "5 rules are good, 2 are not.") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err = run("kind: Other\n"); err == nil {
		t.Error(out)
	}
}

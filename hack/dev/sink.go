// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
)

const (
	// noSink and prometheusSink are what `up --sink` may be.
	noSink         = "none"
	prometheusSink = "prometheus"
	// sinkName is the receiver's name as a component of the cluster.
	sinkName = "prometheus"
)

// sinkFile holds what `up --sink` was last.
func sinkFile(dir string) string { return filepath.Join(dir, "sink") }

// checkSink says what is wrong with the flag, before anything is started.
func checkSink(sink string) error {
	switch sink {
	case "", noSink:
		return nil
	case prometheusSink:
		_, err := findPrometheus()
		return err
	}
	return fmt.Errorf("there is no sink %q (there are %s and %s)", sink, noSink, prometheusSink)
}

// findPrometheus is the path of the program. It is not built here: nothing of the
// product needs it.
func findPrometheus() (string, error) {
	program, err := exec.LookPath(prometheusSink)
	if err != nil {
		return "", fmt.Errorf("SINK=%s needs the program %[1]s, and there is none in the PATH (%w): install it, such as by `apt-get install prometheus` (the service that this starts is not needed), or leave SINK out", prometheusSink, err)
	}
	return program, nil
}

// chooseSink notes what is asked for, and returns what holds: where nothing is
// asked for, what was before.
func chooseSink(dir, asked string) (string, error) {
	if asked == "" {
		last, err := os.ReadFile(sinkFile(dir))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return noSink, nil
		case err != nil:
			return "", fmt.Errorf("read which sink there was: %w", err)
		}
		// It may have been removed since.
		return string(last), checkSink(string(last))
	}
	if err := os.WriteFile(sinkFile(dir), []byte(asked), 0o600); err != nil {
		return "", fmt.Errorf("note which sink there is: %w", err)
	}
	return asked, nil
}

// startSink starts the receiver where there is to be one and ends it where not, and
// returns it; nil is none.
func startSink(ctx context.Context, w io.Writer, c *cluster.Cluster, sink string) (*prometheus, error) {
	running, err := sinkOf(c)
	if err != nil {
		return nil, err
	}
	if sink == noSink {
		if running == nil {
			return nil, nil
		}
		fmt.Fprintf(w, "ending %s: SINK=%s\n", sinkName, noSink)
		return nil, c.StopComponent(ctx, sinkName)
	}
	if running != nil {
		return running, nil
	}
	if _, ok := c.Component(sinkName); ok {
		// With the samples that it has.
		if err := c.StartComponent(ctx, sinkName); err != nil {
			return nil, err
		}
	} else {
		component, err := sinkComponent(c)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(w, "starting %s, which takes what our server ships\n", component.Argv[0])
		if err := c.Add(ctx, component); err != nil {
			return nil, err
		}
	}
	if running, err = sinkOf(c); err != nil || running == nil {
		return nil, fmt.Errorf("start %s: it has ended: %w; its log: %s", sinkName, err, c.LogPath(sinkName))
	}
	if err := running.awaitReady(ctx); err != nil {
		return nil, err
	}
	return running, nil
}

// sinkComponent puts together how Prometheus is run: with a port and a directory of
// its own, it scrapes nothing.
func sinkComponent(c *cluster.Cluster) (cluster.Component, error) {
	program, err := findPrometheus()
	if err != nil {
		return cluster.Component{}, err
	}
	dir := filepath.Join(c.Dir(), sinkName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return cluster.Component{}, fmt.Errorf("run %s: %w", sinkName, err)
	}
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte("global: {}\n"), 0o600); err != nil {
		return cluster.Component{}, fmt.Errorf("run %s: %w", sinkName, err)
	}
	port, err := cluster.FreePort(c.BindAddress())
	if err != nil {
		return cluster.Component{}, fmt.Errorf("run %s: %w", sinkName, err)
	}
	return cluster.Component{Name: sinkName, Argv: []string{
		program,
		"--config.file=" + config,
		"--storage.tsdb.path=" + filepath.Join(dir, "data"),
		"--storage.tsdb.retention.time=1d",
		"--web.enable-remote-write-receiver",
		listenFlag + net.JoinHostPort(c.BindAddress(), strconv.Itoa(port)),
	}}, nil
}

// listenFlag is by which its address is found again.
const listenFlag = "--web.listen-address="

// sinkOf is the receiver of a cluster; nil where none runs.
func sinkOf(c *cluster.Cluster) (*prometheus, error) {
	component, ok := c.Component(sinkName)
	if !ok || !c.Running(sinkName) {
		return nil, nil
	}
	for _, arg := range component.Argv {
		if address, ok := strings.CutPrefix(arg, listenFlag); ok {
			return &prometheus{url: url.URL{Scheme: "http", Host: address}}, nil
		}
	}
	return nil, fmt.Errorf("%s runs without %s", sinkName, listenFlag)
}

// rulesFile is our server's configuration where nothing is shipped.
//
//go:embed rules.yaml
var rulesFile []byte

// serverConfig is our server's configuration file. queue is the directory of the
// queue; empty is that it is in memory.
func serverConfig(receiver *prometheus, sources, queue string) []byte {
	if receiver == nil {
		return rulesFile
	}
	var b strings.Builder
	b.Write(rulesFile)
	fmt.Fprintf(&b, "remoteWrite:\n- name: %s\n  url: %s\n  sources: %s\n", sinkName, receiver.url.JoinPath("api/v1/write"), sources)
	if queue != "" {
		fmt.Fprintf(&b, "  queue_directory: %s\n", strconv.Quote(queue))
	}
	return []byte(b.String())
}

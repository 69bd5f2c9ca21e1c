// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Command vulncheck looks whether the server calls code with a known
// vulnerability. It is `make vulncheck`.
//
// It needs the vulnerability database of Go, by default https://vuln.go.dev, or
// what GOVULNDB names. Where that cannot be had, it says so and that nothing was
// checked, and fails only with -strict.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/toolchain"
)

// database is where Go's vulnerabilities are, unless GOVULNDB says otherwise.
const database = "https://vuln.go.dev"

func main() {
	strict := flag.Bool("strict", false, "fail where the database cannot be had")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, *strict)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, strict bool) error {
	url := os.Getenv("GOVULNDB")
	if url == "" {
		url = database
	}
	if err := reach(ctx, url); err != nil {
		fmt.Fprintf(w, "NOT CHECKED for known vulnerabilities: the database at %s cannot be had: %v\n", url, err)
		if strict {
			return fmt.Errorf("check for vulnerabilities: %w", err)
		}
		return nil
	}
	tools, err := toolchain.Build(ctx, w, toolchain.Module("govulncheck"), "govulncheck")
	if err != nil {
		return err
	}
	root, err := toolchain.Root()
	if err != nil {
		return err
	}
	check := exec.CommandContext(ctx, tools["govulncheck"], "-db="+url, "./cmd/...", "./pkg/...")
	check.Dir = root
	check.Stdout, check.Stderr = w, w
	if err := check.Run(); err != nil {
		return fmt.Errorf("check for vulnerabilities: %w", err)
	}
	return nil
}

// reach is whether the database answers. One in files is taken to.
func reach(ctx context.Context, url string) error {
	if strings.HasPrefix(url, "file:") {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/index/db.json", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", response.Status)
	}
	return nil
}

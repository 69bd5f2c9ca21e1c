// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/metrics-apiserver/metrics-apiserver/hack/toolchain"
)

// generated is one generated file.
type generated struct {
	what    string // as people call it
	path    string // from the root of the checkout
	content func(ctx context.Context, w io.Writer, root string) ([]byte, error)
}

// files are all generated files.
func files() []generated {
	return []generated{
		{"the list of metrics", metricsPath, func(context.Context, io.Writer, string) ([]byte, error) { return metrics(), nil }},
		{"the list of dependencies", dependenciesPath, dependencies},
		{"the OpenAPI definitions", outputDir + "/" + outputFile, openAPI},
	}
}

const (
	// outputDir and outputFile are where the definitions are.
	outputDir  = "pkg/api/openapi"
	outputFile = "zz_generated.openapi.go"
	outputPkg  = "github.com/metrics-apiserver/metrics-apiserver/" + outputDir

	header = "// Copyright The metrics-apiserver Authors.\n// SPDX-License-Identifier: Apache-2.0\n"
)

func main() {
	verify := flag.Bool("verify", false, "change nothing, and fail where a generated file is not up to date")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, *verify)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, verify bool) error {
	root, err := toolchain.Root()
	if err != nil {
		return err
	}
	for _, file := range files() {
		content, err := file.content(ctx, w, root)
		if err != nil {
			return err
		}
		if err := file.update(root, content, verify); err != nil {
			return err
		}
	}
	return nil
}

// update writes the file, or, where verify is set, compares it.
func (g *generated) update(root string, content []byte, verify bool) error {
	name := filepath.Join(root, filepath.FromSlash(g.path))
	if !verify {
		if err := os.WriteFile(name, content, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", g.what, err)
		}
		return nil
	}
	before, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("verify %s: %w", g.what, err)
	}
	if !bytes.Equal(before, content) {
		return fmt.Errorf("%s (%s) is not up to date: run `make update`", g.what, g.path)
	}
	return nil
}

// openAPI is the OpenAPI definitions. The generator runs in the checkout, whose
// go.mod decides the types, and writes elsewhere.
func openAPI(ctx context.Context, w io.Writer, root string) ([]byte, error) {
	tools, err := toolchain.Build(ctx, w, toolchain.Module("openapi-gen"), "openapi-gen")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "openapi-*")
	if err != nil {
		return nil, fmt.Errorf("generate the OpenAPI definitions: %w", err)
	}
	defer os.RemoveAll(dir)
	headerFile := filepath.Join(dir, "header.txt")
	if err := os.WriteFile(headerFile, []byte(header), 0o600); err != nil {
		return nil, fmt.Errorf("generate the OpenAPI definitions: %w", err)
	}
	//nolint:gosec // The program is the one that the repository pins.
	cmd := exec.CommandContext(ctx, tools["openapi-gen"],
		"--output-dir="+dir,
		"--output-pkg="+outputPkg,
		"--output-file="+outputFile,
		"--go-header-file="+headerFile,
		"--report-filename="+filepath.Join(dir, "violations"),
		"k8s.io/metrics/pkg/apis/metrics/v1",
		"k8s.io/metrics/pkg/apis/metrics/v1beta1",
		"k8s.io/apimachinery/pkg/apis/meta/v1",
		"k8s.io/apimachinery/pkg/api/resource",
		"k8s.io/apimachinery/pkg/version",
		"k8s.io/apimachinery/pkg/runtime",
	)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("generate the OpenAPI definitions: %w\n%s", err, bytes.TrimSpace(out))
	}
	definitions, err := os.ReadFile(filepath.Join(dir, outputFile))
	if err != nil {
		return nil, fmt.Errorf("generate the OpenAPI definitions: %w", err)
	}
	return definitions, nil
}

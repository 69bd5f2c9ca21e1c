// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// dependenciesPath is where the list of dependencies is.
const dependenciesPath = "docs/dependencies.md"

// dependency is a module that is linked into the server.
type dependency struct {
	path, version, licence string
	packages               int
}

// dependencies is the list of what the server is linked with and under which
// licences. A licence that is not known, or that binds what is linked with it,
// is an error.
func dependencies(ctx context.Context, _ io.Writer, root string) ([]byte, error) {
	all, err := linked(ctx, root)
	if err != nil {
		return nil, fmt.Errorf("list the dependencies: %w", err)
	}
	var b bytes.Buffer
	b.WriteString("# Dependencies\n\nWhat the server is linked with, beside the Go standard library (BSD-3-Clause). Written by\n" +
		"`make update`; a licence that is not among those below fails it, and so does `make verify`.\n" +
		"Tools and tests have modules of their own below hack, and are not in the binary.\n\n")
	counts := map[string]int{}
	for _, d := range all {
		counts[d.licence]++
	}
	for _, licence := range licences() {
		if counts[licence] > 0 {
			fmt.Fprintf(&b, "- %s: %d\n", licence, counts[licence])
		}
	}
	b.WriteString("\n| module | version | licence | packages |\n| --- | --- | --- | --- |\n")
	for _, d := range all {
		fmt.Fprintf(&b, "| %s | %s | %s | %d |\n", d.path, d.version, d.licence, d.packages)
	}
	return b.Bytes(), nil
}

// linked asks the go command which modules the server's packages are of.
func linked(ctx context.Context, root string) ([]dependency, error) {
	list := exec.CommandContext(ctx, "go", "list", "-deps", "-json=Module,Standard", "./cmd/metrics-apiserver")
	list.Dir = root
	// What runs in clusters is built for Linux.
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOWORK=off")
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	found := map[string]*dependency{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Standard bool
			Module   *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read what go list says: %w", err)
		}
		if p.Standard || p.Module == nil || p.Module.Main {
			continue
		}
		d := found[p.Module.Path]
		if d == nil {
			licence, err := licenceIn(p.Module.Dir)
			if err != nil {
				return nil, fmt.Errorf("%s@%s: %w", p.Module.Path, p.Module.Version, err)
			}
			d = &dependency{path: p.Module.Path, version: p.Module.Version, licence: licence}
			found[d.path] = d
		}
		d.packages++
	}
	all := make([]dependency, 0, len(found))
	for _, d := range found {
		all = append(all, *d)
	}
	slices.SortFunc(all, func(a, b dependency) int { return strings.Compare(a.path, b.path) })
	return all, nil
}

// licences are those that we accept: none of them asks for more than its text.
func licences() []string {
	return []string{"Apache-2.0", "MIT", "BSD-3-Clause", "BSD-2-Clause", "ISC", "MIT and Apache-2.0"}
}

// licenceIn is the licence of a module, by the file in its root.
func licenceIn(dir string) (string, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, file := range files {
		name := strings.ToLower(file.Name())
		if file.IsDir() || !strings.HasPrefix(name, "licen") && !strings.HasPrefix(name, "copying") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			return "", err
		}
		if licence := licenceOf(string(text)); licence != "" {
			return licence, nil
		}
		return "", fmt.Errorf("%s is a licence that is not known here", file.Name())
	}
	return "", errors.New("there is no licence")
}

// licenceOf tells licences apart by the sentences that only they have; "" is one
// that we do not accept.
func licenceOf(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, refused := range []string{"GNU GENERAL PUBLIC", "GNU AFFERO", "GNU LESSER", "Mozilla Public License", "Business Source"} {
		if strings.Contains(text, refused) {
			return ""
		}
	}
	apache := strings.Contains(text, "Apache License") && strings.Contains(text, "Version 2.0")
	mit := strings.Contains(text, "Permission is hereby granted, free of charge")
	switch {
	case apache && mit:
		return "MIT and Apache-2.0"
	case apache:
		return "Apache-2.0"
	case mit:
		return "MIT"
	case strings.Contains(text, "Redistribution and use in source and binary forms"):
		if strings.Contains(text, "endorse or promote products") {
			return "BSD-3-Clause"
		}
		return "BSD-2-Clause"
	case strings.Contains(text, "Permission to use, copy, modify, and/or distribute this software for any purpose"),
		strings.Contains(text, "Permission to use, copy, modify, and distribute this software for any purpose"):
		return "ISC"
	}
	return ""
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestLicenceOf holds which licences are told apart, and which refused.
func TestLicenceOf(t *testing.T) {
	for text, want := range map[string]string{
		"Apache License\n   Version 2.0, January 2004":                                                                                                    "Apache-2.0",
		"Permission is hereby granted, free of\ncharge, to any person":                                                                                    "MIT",
		"Redistribution and use in source and binary forms ... used to endorse or promote products derived":                                               "BSD-3-Clause",
		"Redistribution and use in source and binary\nforms, with or without":                                                                             "BSD-2-Clause",
		"Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee":                                            "ISC",
		"This project is covered by two different licenses: MIT and Apache. Permission is hereby granted, free of charge ... Apache License, Version 2.0": "MIT and Apache-2.0",
		"GNU GENERAL PUBLIC LICENSE Version 3":                                                                                                            "",
		"GNU LESSER GENERAL PUBLIC LICENSE, or the Apache License":                                                                                        "",
		"Mozilla Public License Version 2.0":                                                                                                              "",
		"all rights reserved":                                                                                                                             "",
	} {
		got := licenceOf(text)
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if got != "" && !slices.Contains(licences(), got) {
			t.Errorf("%q is not accepted", got)
		}
	}
}

// TestLicenceIn holds what happens to a module without a licence that we know.
func TestLicenceIn(t *testing.T) {
	dir := t.TempDir()
	if _, err := licenceIn(dir); err == nil {
		t.Error("a module without a licence passes")
	}
	if err := os.WriteFile(filepath.Join(dir, "LICENSE.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := licenceIn(dir); err == nil {
		t.Error("a licence that nobody knows passes")
	}
	if err := os.WriteFile(filepath.Join(dir, "LICENSE.txt"), []byte("Permission is hereby granted, free of charge"), 0o600); err != nil {
		t.Fatal(err)
	}
	if licence, err := licenceIn(dir); err != nil || licence != "MIT" {
		t.Errorf("%q, %v", licence, err)
	}
}

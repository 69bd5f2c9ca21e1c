// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// unlimited is from where on a limit of cgroup v1 is none.
const unlimited = 1 << 50

// containerLimit is the memory that the container may use, as the kernel says it in
// the folder where cgroups are mounted: version 2, then version 1.
func containerLimit(cgroups string) (bytes int64, ok bool) {
	for _, name := range []string{"memory.max", "memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(filepath.Join(cgroups, name))
		if err != nil {
			continue
		}
		// Version 2 says "max" where there is no limit.
		bytes, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		return bytes, err == nil && bytes > 0 && bytes < unlimited
	}
	return 0, false
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package toolchain

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// CacheDir returns the directory that holds what all checkouts of the user
// share: $XDG_CACHE_HOME/metrics-apiserver, or ~/.cache/metrics-apiserver.
// Nothing in it is needed once no tool is running; it may be removed any time.
func CacheDir() (string, error) {
	if dir := os.Getenv("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "metrics-apiserver"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the cache directory: %w (set XDG_CACHE_HOME or HOME)", err)
	}
	return filepath.Join(home, ".cache", "metrics-apiserver"), nil
}

// cacheKey names the cache entry of a module's tools. Everything that shapes a
// binary is a part; parts are length-prefixed so that no two lists of parts
// have the same key.
func cacheKey(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

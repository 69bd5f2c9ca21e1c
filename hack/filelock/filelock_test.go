// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package filelock

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

func TestAcquireExcludes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lock")
	release, err := Acquire(t.Context(), io.Discard, file, "sleeps")
	if err != nil {
		t.Fatal(err)
	}
	// The context ends when the waiter has said that it waits.
	ctx, cancel := context.WithCancel(t.Context())
	var said strings.Builder
	_, err = Acquire(ctx, writerFunc(func(b []byte) (int, error) { cancel(); return said.Write(b) }), file, "sleeps")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("second lock: error %v, want %v", err, context.Canceled)
	}
	if got, want := said.String(), "waiting: another process sleeps\n"; got != want {
		t.Errorf("the waiter said %q, want %q", got, want)
	}
	release()
	release, err = Acquire(t.Context(), io.Discard, file, "sleeps")
	if err != nil {
		t.Fatal(err)
	}
	release()
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

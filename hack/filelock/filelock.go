// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package filelock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// poll is how often a waiting process looks whether the lock is free.
const poll = 200 * time.Millisecond

// Acquire takes the lock on the file, which is made if need be, and returns the
// function that releases it. The kernel releases it too when the process dies.
// While another process holds it, one line on w says what that one is doing. Who
// holds the lock may remove the file.
func Acquire(ctx context.Context, w io.Writer, file, doing string) (release func(), err error) {
	for told := false; ; {
		f, err := try(file)
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", file, err)
		}
		if f != nil {
			return func() { f.Close() }, nil
		}
		if !told {
			fmt.Fprintf(w, "waiting: another process %s\n", doing)
			told = true
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the lock %s: %w", file, ctx.Err())
		case <-time.After(poll):
		}
	}
}

// try takes the lock, or returns nil where another process holds it.
func try(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = nil
		}
		return nil, err
	}
	// The file may have been removed since it was opened, and made anew by
	// another process: then this is a lock on nothing.
	locked, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	there, err := os.Stat(file)
	switch {
	case err == nil && os.SameFile(locked, there):
		return f, nil
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	f.Close()
	return nil, err
}

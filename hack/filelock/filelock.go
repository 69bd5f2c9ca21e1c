// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package filelock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// poll is how often a waiting process looks whether the lock is free.
const poll = 200 * time.Millisecond

// Acquire takes the lock on the file, which is made if need be, and returns the
// function that releases it. The kernel releases it too when the process dies.
// While another process holds it, one line on w says what that one is doing.
func Acquire(ctx context.Context, w io.Writer, file, doing string) (release func(), err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	for told := false; ; {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { f.Close() }, nil
		case errors.Is(err, syscall.EINTR):
			continue
		case !errors.Is(err, syscall.EWOULDBLOCK):
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", file, err)
		}
		if !told {
			fmt.Fprintf(w, "waiting: another process %s\n", doing)
			told = true
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("wait for the lock %s: %w", file, ctx.Err())
		case <-time.After(poll):
		}
	}
}

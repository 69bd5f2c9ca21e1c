// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"fmt"
	"os"
	"syscall"
)

// A dirLock keeps a second process out of a directory. It ends with the process.
type dirLock struct {
	file *os.File
}

// lockDir takes the lock that the file at path stands for.
func lockDir(path string) (*dirLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another process uses the directory: lock %s: %w", path, err)
	}
	return &dirLock{file: f}, nil
}

func (l *dirLock) release() { l.file.Close() }

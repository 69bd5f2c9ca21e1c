// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"sync"
	"syscall"
)

// maxHold bounds the memory that a workload may be told to hold.
const maxHold byteSize = 16 << 30

// holder fills this process up to a size with memory that Go's collector does
// not know. What the process uses anyway counts towards the size, because it
// counts in what the kubelet reports.
// Its methods may be called from any goroutine.
type holder struct {
	mu struct {
		sync.Mutex
		pages []byte // an anonymous mapping, every page of it written
	}
}

// Hold makes the process use n bytes, whatever it held before. A process that
// uses as much by itself holds nothing more.
func (h *holder) Hold(n byteSize) error {
	if n < 0 || n > maxHold {
		return fmt.Errorf("hold %d bytes: the limit is %d", n, maxHold)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.pages != nil {
		if err := syscall.Munmap(h.mu.pages); err != nil {
			return fmt.Errorf("give memory back: %w", err)
		}
		h.mu.pages = nil
	}
	own, err := anonymous()
	if err != nil {
		return err
	}
	if n -= own; n <= 0 {
		return nil
	}
	pages, err := syscall.Mmap(-1, 0, int(n), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return fmt.Errorf("map %d bytes: %w", n, err)
	}
	for i := 0; i < len(pages); i += os.Getpagesize() {
		pages[i] = 1
	}
	h.mu.pages = pages
	return nil
}

// anonymous is the memory that the process has in RAM and that is no file's.
// The pages of the program itself are not counted: the first container that
// touched them is charged for them, which may be another one.
func anonymous() (byteSize, error) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, fmt.Errorf("read the process's memory: %w", err)
	}
	var size, resident, shared byteSize
	if _, err := fmt.Sscan(string(b), &size, &resident, &shared); err != nil {
		return 0, fmt.Errorf("read the process's memory in %q: %w", b, err)
	}
	return (resident - shared) * byteSize(os.Getpagesize()), nil
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"syscall"
)

// openFiles is how many files the process may have open at once; Go has raised the soft
// limit to the hard one by now. 0 is: the system does not say.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return limit.Cur
}

// maxConnections is how many connections to nodes may be open where so many files may be:
// what is left when those who ask us, kube-apiserver and our own files have had theirs.
// Each node has one, which is kept; where there are more nodes than that, see
// nodeclient.Options. 0 is no bound.
func maxConnections(files uint64) int {
	const others = 1024
	if files == 0 || files > math.MaxInt32 {
		return 0
	}
	return int(files - min(others, files/2))
}

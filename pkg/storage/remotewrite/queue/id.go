// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// newID is a name for a queue that no other has.
func newID() string { return rand.Text() }

// openID is the name of the queue of a directory, which is made up when the
// directory is first used: whoever uses it later goes on with the same queue.
func openID(dir string) (string, error) {
	path := filepath.Join(dir, "id")
	text, err := os.ReadFile(path)
	if id := strings.TrimSpace(string(text)); err == nil && id != "" {
		return id, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	id := newID()
	// It is synced with the directory, when the first segment is.
	return id, os.WriteFile(path, []byte(id+"\n"), 0o600)
}

// ID names the queue: what is in its directory, or in this process where there is
// none. It changes once, when a directory is opened that could not be at first.
func (q *Queue) ID() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mu.id
}

// Is says whether the queue has, or had in this process, the given name.
func (q *Queue) Is(id string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return id != "" && (id == q.mu.id || id == q.mu.before)
}

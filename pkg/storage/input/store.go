// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package input

import "github.com/metrics-apiserver/metrics-apiserver/pkg/storage"

// Store holds the latest readings of every node. Create it with New; it starts
// no goroutine.
type Store struct{}

// New is an empty store that wants no input. Of the options only the resolution
// matters here.
func New(options storage.Options) (*Store, error) { return &Store{}, options.Validate() }

// Keep says which inputs are wanted from now on. What is held of others is
// dropped, and not taken any more.
func (s *Store) Keep(Set) {}

// Commit takes in one answer of one source of one node and publishes it at once.
// The batch belongs to the caller again when Commit returns.
func (s *Store) Commit(*Batch) (CommitResult, error) { return CommitResult{}, nil }

// Forget drops all that is known of a node. The caller makes sure that no commit
// of that node is under way or follows.
func (s *Store) Forget(string) {}

// Pod is an input of a pod at the moment now, or why there is none.
func (s *Store) Pod(*storage.PodQuery, ID, storage.Millis) (Value, storage.Absence) {
	return Value{}, storage.NotCollected
}

// Node is an input of a node itself at the moment now, or why there is none.
func (s *Store) Node(string, ID, storage.Millis) (Value, storage.Absence) {
	return Value{}, storage.NotCollected
}

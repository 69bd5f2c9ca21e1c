// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package counting

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Remote is a Receiver in another process. It is safe for concurrent use.
type Remote struct {
	// URL is where it is, without a path.
	URL string
}

// Counts is what was taken on a path since the start.
func (r Remote) Counts(ctx context.Context, path string) (Counts, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL+CountsPath, http.NoBody)
	if err != nil {
		return Counts{}, fmt.Errorf("ask the receiver for its counts: %w", err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return Counts{}, fmt.Errorf("ask the receiver for its counts: %w", err)
	}
	defer answer.Body.Close()
	var all map[string]Counts
	if err := json.NewDecoder(answer.Body).Decode(&all); err != nil {
		return Counts{}, fmt.Errorf("read the receiver's counts: %w", err)
	}
	return all[path], nil
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

const (
	// transferTick is how often a transfer moves its share of bytes.
	transferTick = 100 * time.Millisecond
	// fetchRetry is the wait after a failed request.
	fetchRetry = time.Second
)

// fetch reads a URL over and over, at the given bytes a second. A request that
// fails is repeated: the other end may not have started yet.
func fetch(ctx context.Context, url string, rate byteSize) error {
	share := int64(rate) * int64(transferTick) / int64(time.Second)
	client := &http.Client{}
	for ctx.Err() == nil {
		if err := fetchOnce(ctx, client, url, share); err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "workload:", err)
			if err := sleep(ctx, fetchRetry); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// fetchOnce reads one answer to its end, share bytes at each tick.
func fetchOnce(ctx context.Context, client *http.Client, url string, share int64) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("make a request for %s: %w", url, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("get %s: %w", url, err)
	}
	defer resp.Body.Close()
	for {
		if err := sleep(ctx, transferTick); err != nil {
			return err
		}
		switch _, err := io.CopyN(io.Discard, resp.Body, share); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read %s: %w", url, err)
		}
	}
}

// write writes a file at the given bytes a second, from its beginning again
// when it has reached its size.
func write(ctx context.Context, name string, rate, size byteSize) error {
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("create the file to write: %w", err)
	}
	defer f.Close()
	chunk := make([]byte, int64(rate)*int64(transferTick)/int64(time.Second))
	for offset := int64(0); ; {
		if err := sleep(ctx, transferTick); err != nil {
			return err
		}
		if offset >= int64(size) {
			offset = 0
		}
		n, err := f.WriteAt(chunk, offset)
		if err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		offset += int64(n)
	}
}

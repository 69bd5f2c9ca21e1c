// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	// sinkTimeout is how long Prometheus may take to be ready, and samples to
	// arrive: they are posted within five seconds.
	sinkTimeout = time.Minute
	sinkPoll    = 100 * time.Millisecond
)

// prometheus is one that runs.
type prometheus struct{ url url.URL }

// awaitReady returns when it takes samples.
func (p *prometheus) awaitReady(ctx context.Context) error {
	return p.await(ctx, "to be ready", func(ctx context.Context) error {
		_, err := p.get(ctx, p.url.JoinPath("-/ready"))
		return err
	})
}

// await calls check until it is satisfied; its last error says what is missing.
func (p *prometheus) await(ctx context.Context, what string, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, sinkTimeout)
	defer cancel()
	tick := time.NewTicker(sinkPoll)
	defer tick.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s at %s %s: %w", sinkName, p.url.Host, what, errors.Join(err, ctx.Err()))
		case <-tick.C:
		}
	}
}

// get is the body of an answer.
func (*prometheus) get(ctx context.Context, address *url.URL) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", sinkName, err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", sinkName, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", sinkName, err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask %s: %s: %s", sinkName, answer.Status, body)
	}
	return body, nil
}

// query is the lines of an instant query's result, sorted.
func (p *prometheus) query(ctx context.Context, expression string) ([]string, error) {
	address := p.url.JoinPath("api/v1/query")
	address.RawQuery = url.Values{"query": {expression}}.Encode()
	body, err := p.get(ctx, address)
	if err != nil {
		return nil, err
	}
	return resultLines(body)
}

// resultLines is an answer to an instant query for people.
func resultLines(body []byte) ([]string, error) {
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("read the result of a query: %w", err)
	}
	var lines []string
	for _, r := range answer.Data.Result {
		var labels []string
		for _, name := range slices.Sorted(maps.Keys(r.Metric)) {
			labels = append(labels, fmt.Sprintf("%s=%q", name, r.Metric[name]))
		}
		lines = append(lines, fmt.Sprintf("{%s} %v", strings.Join(labels, ", "), r.Value[1]))
	}
	slices.Sort(lines)
	return lines, nil
}

// showSink waits until what our server ships has arrived, and shows some of it.
func showSink(ctx context.Context, w io.Writer, p *prometheus) error {
	for _, expression := range []string{
		`count({job="kubelet"})`,
		`sum by (namespace) (container_memory_working_set_bytes{job="kubelet", metrics_path="/metrics/resource"})`,
	} {
		var lines []string
		err := p.await(ctx, "to have samples", func(ctx context.Context) (err error) {
			if lines, err = p.query(ctx, expression); err == nil && len(lines) == 0 {
				err = fmt.Errorf("%s has no result", expression)
			}
			return err
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "\n$ curl -s %s --data-urlencode 'query=%s'\n%s\n", p.url.JoinPath("api/v1/query"), expression, strings.Join(lines, "\n"))
	}
	return nil
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package configfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/component-base/metrics"
	"k8s.io/klog/v2"
)

// Options of a Watcher.
type Options struct {
	// Path is the file.
	Path string
	// Apply puts a configuration in force, in place of the one before. Where it
	// returns an error, that one has to be in force still, and it is called again,
	// with the same content, until it succeeds. refused are rules that can be read
	// and cannot be used; the others are in force.
	Apply func(*Config) (refused []error, err error)
	// Interval is the time between two looks at the file. 0 is 5 s.
	Interval time.Duration
	// Registry takes the metrics. nil is: they are kept nowhere.
	Registry metrics.KubeRegistry
}

// A Watcher applies a file, and its changes.
type Watcher struct {
	options Options
	metrics *reloadMetrics

	// applied is the text in force; failure is what was said of the file when it
	// was last looked at, empty where it is in force. Used by Load, then by Run
	// alone.
	applied []byte
	failure string
}

// NewWatcher makes a watcher, which reads nothing yet.
func NewWatcher(options Options) (*Watcher, error) {
	if options.Interval == 0 {
		options.Interval = 5 * time.Second
	}
	if options.Registry == nil {
		options.Registry = metrics.NewKubeRegistry()
	}
	m, err := newReloadMetrics(options.Registry)
	if err != nil {
		return nil, err
	}
	return &Watcher{options: options, metrics: m}, nil
}

// Load applies the file for the first time. Where that is not possible there is no
// good one to fall back to, and the error is for whoever starts the server; rules
// that were left out are only logged.
func (w *Watcher) Load() error {
	text, err := readFile(w.options.Path)
	if err != nil {
		return err
	}
	refused, err := w.apply(text)
	if err != nil {
		return fmt.Errorf("apply the configuration:\n%w", err)
	}
	logRefused(refused)
	return nil
}

// Run looks at the file until ctx ends, and applies what changes. Load came before.
func (w *Watcher) Run(ctx context.Context) error {
	ticker := time.NewTicker(w.options.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			w.look()
		}
	}
}

// look applies the file where it is not what is in force.
func (w *Watcher) look() {
	text, err := readFile(w.options.Path)
	if err == nil && bytes.Equal(text, w.applied) {
		if w.failure != "" {
			w.failure = ""
			w.metrics.successful.Set(1)
			klog.InfoS("The configuration file is again what is in force", "file", w.options.Path)
		}
		return
	}
	var refused []error
	if err == nil {
		refused, err = w.apply(text)
	}
	if err != nil {
		w.metrics.successful.Set(0)
		// A new message is about a new content, or of a file that is being written.
		if w.failure != err.Error() {
			w.failure = err.Error()
			klog.ErrorS(err, "The configuration file cannot be used; what was in force stays so", "file", w.options.Path)
		}
		return
	}
	klog.InfoS("Applied a changed configuration file", "file", w.options.Path)
	logRefused(refused)
}

// apply puts a text in force. refused are the rules that are not.
func (w *Watcher) apply(text []byte) (refused []error, err error) {
	// Problems name the file as people know it, without where it is mounted.
	config, err := Parse(filepath.Base(w.options.Path), text)
	if err != nil {
		return nil, err
	}
	unusable, err := w.options.Apply(config)
	if err != nil {
		return nil, err
	}
	refused = append(slices.Clone(config.Refused), unusable...)
	w.applied, w.failure = text, ""
	w.metrics.successful.Set(1)
	w.metrics.timestamp.SetToCurrentTime()
	w.metrics.refused.Set(float64(len(refused)))
	return refused, nil
}

// logRefused says which rules are not in force. It is called once a content.
func logRefused(refused []error) {
	for _, err := range refused {
		klog.ErrorS(err, "A rule is left out; the others are in force")
	}
}

// readFile reads a file that fits. One look is of one content, however the links
// to it are swapped: it is opened once.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the configuration file: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(file, MaxBytes+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("read the configuration file: %w", err)
	}
	return text, nil
}

// reloadMetrics are what alerts ask for.
type reloadMetrics struct {
	successful, timestamp, refused *metrics.Gauge
}

func newReloadMetrics(registry metrics.KubeRegistry) (*reloadMetrics, error) {
	gauge := func(name, help string) *metrics.Gauge {
		return metrics.NewGauge(&metrics.GaugeOpts{Namespace: "metrics_apiserver", Subsystem: "config", Name: name, Help: help})
	}
	m := &reloadMetrics{
		successful: gauge("last_reload_successful", "Whether the configuration file, as it is now, is in force: 1 or 0."),
		timestamp:  gauge("last_reload_success_timestamp_seconds", "When a content of the configuration file was last put in force, in seconds since 1970."),
		refused:    gauge("refused_rules", "Rules of the configuration in force that were left out; the log says why."),
	}
	for _, metric := range []metrics.Registerable{m.successful, m.timestamp, m.refused} {
		if err := registry.Register(metric); err != nil {
			return nil, fmt.Errorf("register metric %s: %w", metric.FQName(), err)
		}
	}
	return m, nil
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package configfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/testutil"
)

// configMap is a folder as kubelets mount a ConfigMap: the file is a link into a
// folder that is a link, and that is swapped.
type configMap struct {
	t       *testing.T
	dir     string
	version int
}

func (m *configMap) path() string { return filepath.Join(m.dir, "config.yaml") }

func (m *configMap) set(text string) {
	m.t.Helper()
	m.version++
	data := fmt.Sprintf("..%d", m.version)
	err := errors.Join(
		os.Mkdir(filepath.Join(m.dir, data), 0o755),
		os.WriteFile(filepath.Join(m.dir, data, "config.yaml"), []byte(text), 0o600),
		os.Symlink(data, filepath.Join(m.dir, "..new")),
		os.Rename(filepath.Join(m.dir, "..new"), filepath.Join(m.dir, "..data")),
	)
	if m.version == 1 {
		err = errors.Join(err, os.Symlink(filepath.Join("..data", "config.yaml"), m.path()))
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// applier records what is applied.
type applier struct {
	mu      sync.Mutex // Between the watcher and the test.
	rules   string     // The names in force.
	calls   int
	refused []error
	err     error
}

func (a *applier) apply(c *Config) ([]error, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	if a.err != nil {
		return nil, a.err
	}
	a.rules = ""
	for _, rule := range c.Rules {
		a.rules += rule.Name
	}
	return a.refused, nil
}

// will sets what apply returns from now on.
func (a *applier) will(refused []error, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refused, a.err = refused, err
}

func rulesOf(names ...string) string {
	text := begin + "rules:\n"
	for _, name := range names {
		text += fmt.Sprintf("- {name: %s, attach: {resource: pods}, expr: up}\n", name)
	}
	return text
}

func TestWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := &configMap{t: t, dir: t.TempDir()}
		file.set(rulesOf("a"))
		a := &applier{}
		registry := metrics.NewKubeRegistry()
		w, err := NewWatcher(Options{Path: file.path(), Apply: a.apply, Registry: registry})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Load(); err != nil {
			t.Fatal(err)
		}
		loaded := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()

		check := func(what, rules string, calls, successful, refused int, at time.Time) {
			t.Helper()
			time.Sleep(5 * time.Second)
			synctest.Wait()
			a.mu.Lock()
			defer a.mu.Unlock()
			if a.rules != rules || a.calls != calls {
				t.Errorf("%s: rules %q after %d calls, want %q after %d", what, a.rules, a.calls, rules, calls)
			}
			want := fmt.Sprintf(`
# HELP metrics_apiserver_config_last_reload_successful [ALPHA] Whether the configuration file, as it is now, is in force: 1 or 0.
# TYPE metrics_apiserver_config_last_reload_successful gauge
metrics_apiserver_config_last_reload_successful %d
# HELP metrics_apiserver_config_last_reload_success_timestamp_seconds [ALPHA] When a content of the configuration file was last put in force, in seconds since 1970.
# TYPE metrics_apiserver_config_last_reload_success_timestamp_seconds gauge
metrics_apiserver_config_last_reload_success_timestamp_seconds %v
# HELP metrics_apiserver_config_refused_rules [ALPHA] Rules of the configuration in force that were left out; the log says why.
# TYPE metrics_apiserver_config_refused_rules gauge
metrics_apiserver_config_refused_rules %d
`, successful, float64(at.UnixNano())/1e9, refused)
			if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}

		check("at the start", "a", 1, 1, 0, loaded)
		file.set(rulesOf("a", "b"))
		check("after a change", "ab", 2, 1, 0, time.Now().Add(5*time.Second))
		changed := time.Now()
		file.set(rulesOf("a", "b"))
		check("the same again", "ab", 2, 1, 0, changed)
		file.set("rules: [")
		check("not YAML", "ab", 2, 0, 0, changed)
		if err := os.Remove(file.path()); err != nil {
			t.Fatal(err)
		}
		check("no file", "ab", 2, 0, 0, changed)
		file.version = 0 // The link to the file is made anew.
		if err := os.RemoveAll(filepath.Join(file.dir, "..1")); err != nil {
			t.Fatal(err)
		}
		file.set(rulesOf("a", "b"))
		check("what is in force is back", "ab", 2, 1, 0, changed)
		for i := range 3 {
			if err := os.RemoveAll(filepath.Join(file.dir, fmt.Sprintf("..%d", i+2))); err != nil {
				t.Fatal(err)
			}
		}

		a.will(nil, errors.New("no room"))
		file.set(rulesOf("c"))
		check("cannot be applied", "ab", 3, 0, 0, changed)
		check("still cannot", "ab", 4, 0, 0, changed)
		a.will([]error{errors.New("means nothing")}, nil)
		check("tried again", "c", 5, 1, 1, time.Now().Add(5*time.Second))
		file.set(rulesOf("d") + "- {name: e}\n")
		check("two are left out", "d", 6, 1, 2, time.Now().Add(5*time.Second))

		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestLoadRefuses(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "is empty"},
		{begin + "a: b\n", "config.yaml:3: the configuration has no key"},
		{begin, "no room"},
		{begin + strings.Repeat("#", MaxBytes), "longer"},
	} {
		file := &configMap{t: t, dir: t.TempDir()}
		file.set(test.text)
		w, err := NewWatcher(Options{Path: file.path(), Apply: (&applier{err: errors.New("no room")}).apply})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Load(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %q", err, test.want)
		}
	}
	w, err := NewWatcher(Options{Path: filepath.Join(t.TempDir(), "absent")})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Load(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/chaos/rig"
)

// The flags of `make chaos`.
var (
	long = flag.Bool("chaos", false, "run the experiments, for up to an hour")
	pace = flag.Float64("pace", 1, "multiplies every duration; less than 1 tries the experiments rather than the server")
	only = flag.String("rows", "", "only these rows, separated by commas; the soak is "+soakID)
	out  = flag.String("out", "", "the folder that the report is written to")
	soak = flag.Duration("soak", 3*time.Minute, "how long the soak lasts, before -pace")
)

// resolution is the server's in all experiments that do not say otherwise.
const resolution = 15 * time.Second

// freshness is how old what is served of a healthy node gets: a sample is up to
// 10 s old when it is read, is served for a resolution, and its time is given in
// whole seconds. A second is for the way.
const freshness = resolution + 12*time.Second

// experiment tries some rows.
type experiment struct {
	rows []string
	// alone is for what measures delays or memory; the others run side by side.
	alone bool
	// throughout is for what takes long and little: it runs beside all others.
	throughout bool
	// beside is the row of one that is alone, but for this.
	beside string
	try    func(x *trial)
}

// experiments are all of them. Those that take kube-apiserver away come late.
func experiments() []experiment {
	return []experiment{
		{rows: []string{"F2"}, throughout: true, try: tryLostScrapes},
		{rows: []string{"F3"}, try: tryHalfCutOff},
		{rows: []string{"F5"}, try: tryClocks},
		{rows: []string{"F6"}, try: tryRestarts},
		{rows: []string{"F7"}, try: tryForeignPods},
		{rows: []string{"F8"}, try: tryNonsense},
		{rows: []string{"F12"}, try: tryNewCertificate},
		{rows: []string{"F17"}, try: tryFullDisk},
		{rows: []string{"F18"}, try: tryKilledWriter},
		{rows: []string{"F20"}, try: tryFrozenKubelets},
		{rows: []string{"F23"}, try: tryTwoReplicas},
		{rows: []string{"F25"}, try: tryOneOfTwoReplicas},
		{rows: []string{"F1"}, alone: true, try: tryDeadAndDripping},
		{rows: []string{"F4"}, alone: true, try: tryNodeChurn},
		{rows: []string{"F14"}, alone: true, try: tryBombs},
		{rows: []string{"F10"}, alone: true, try: tryDiscovery},
		{rows: []string{"F19"}, alone: true, try: tryLittleMemory},
		{rows: []string{"F16"}, alone: true, try: tryHangingReceiver},
		{rows: []string{"F9", "F21"}, alone: true, try: tryRollingUpdates},
		{rows: []string{"F13"}, alone: true, try: tryNoAPIServer},
		{rows: []string{"F24"}, alone: true, try: tryKilledShippers},
		{rows: []string{soakID}, alone: true, try: trySoak},
		// Nothing in a soak asks through the aggregation layer, which is not to be
		// had for a while when the CA is replaced at once.
		{rows: []string{"F11"}, beside: soakID, try: tryFrontProxyCA},
	}
}

// TestChaos is `make chaos`.
func TestChaos(t *testing.T) {
	if !*long {
		t.Skip("takes up to an hour: run `make chaos`")
	}
	report := &Report{Began: time.Now(), Machine: fmt.Sprintf("%d CPUs, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version()), Pace: *pace}
	if *out != "" {
		if err := os.MkdirAll(*out, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	site := rig.Start(t)
	run := func(t *testing.T, e experiment) {
		x := &trial{T: t, site: site, report: report, name: strings.ToLower(e.rows[0])}
		t.Cleanup(x.write)
		e.try(x)
	}
	var chosen []experiment
	for _, e := range experiments() {
		if *only == "" || slices.ContainsFunc(e.rows, func(id string) bool { return slices.Contains(strings.Split(*only, ","), id) }) {
			chosen = append(chosen, e)
		}
	}
	t.Run("all", func(t *testing.T) {
		for _, e := range chosen {
			if e.throughout {
				t.Run(e.name(), func(t *testing.T) {
					t.Parallel()
					run(t, e)
				})
			}
		}
		t.Run("others", func(t *testing.T) {
			t.Parallel()
			for i, group := range groups(chosen) {
				t.Run(fmt.Sprint(i), func(t *testing.T) {
					for _, e := range group {
						t.Run(e.name(), func(t *testing.T) {
							t.Parallel()
							run(t, e)
						})
					}
				})
			}
		})
	})
}

func (e *experiment) name() string { return strings.Join(e.rows, "+") }

// groups are the experiments that run side by side, in the order of the groups: first
// those that need not be alone.
func groups(chosen []experiment) [][]experiment {
	all := [][]experiment{nil}
	for _, e := range chosen {
		if e.alone {
			all = append(all, []experiment{e})
		}
	}
	for _, e := range chosen {
		if e.alone || e.throughout {
			continue
		}
		i := max(0, slices.IndexFunc(all, func(group []experiment) bool {
			return len(group) > 0 && slices.Contains(group[0].rows, e.beside)
		}))
		all[i] = append(all[i], e)
	}
	return all
}

// trial is one run of an experiment.
type trial struct {
	*testing.T
	site   *rig.Site
	report *Report
	name   string
}

// world is a new world with that many nodes, and that many pods on each.
func (x *trial) world(nodes, pods int) *rig.World {
	x.Helper()
	w := x.site.World(x, x.name)
	w.AddNodes(x, nodes, pods)
	return w
}

// lasting is a duration of the row at the pace of this run.
func (x *trial) lasting(d time.Duration) time.Duration { return time.Duration(float64(d) * *pace) }

// times is a number of repetitions at the pace of this run.
func (x *trial) times(n int) int { return max(1, int(float64(n)*(*pace))) }

// wait waits for d, whatever the pace.
func (x *trial) wait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-x.Context().Done():
	}
}

// every calls do once a period for d, at the pace of this run.
func (x *trial) every(period, d time.Duration, do func(ctx context.Context)) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for end := time.Now().Add(x.lasting(d)); time.Now().Before(end) && x.Context().Err() == nil; <-tick.C {
		do(x.Context())
	}
}

// figure writes a figure into the report, and fails the test where it does not
// pass.
func (x *trial) figure(row, injected, name string, value, limit any, pass bool) {
	x.Helper()
	f := Figure{Row: row, Injected: injected, Name: name, Value: fmt.Sprint(value), Limit: fmt.Sprint(limit), Pass: pass}
	x.report.Add(f)
	if x.Logf("%s: %s: %s, limit %s", row, name, f.Value, f.Limit); !pass {
		x.Errorf("%s, %s: %s is %s, beyond %s", row, injected, name, f.Value, f.Limit)
	}
}

// none writes a figure of things of which there must be none.
func (x *trial) none(row, injected, name string, found *findings, of int) {
	x.Helper()
	value := fmt.Sprintf("%d of %d", found.count, of)
	if found.count > 0 {
		value += ", first: " + found.first
	}
	x.figure(row, injected, name, value, 0, found.count == 0 && of > 0)
}

// write writes the report as it is now, so that one is there whatever comes.
func (x *trial) write() {
	if *out == "" {
		return
	}
	name := "report.md"
	if *only == soakID {
		// `make soak` leaves the report of `make chaos` as it is.
		name = "soak.md"
	}
	if err := os.WriteFile(filepath.Join(*out, name), []byte(x.report.Markdown(time.Now())), 0o644); err != nil {
		x.Error(err)
	}
}

// findings counts what is wrong and keeps the first.
type findings struct {
	count int
	first string
}

func (f *findings) add(format string, args ...any) {
	if f.count++; f.count == 1 {
		f.first = fmt.Sprintf(format, args...)
	}
}

// err adds an error where there is one.
func (f *findings) err(err error) bool {
	if err != nil {
		f.add("%v", err)
	}
	return err != nil
}

// quantile is the q-th quantile of durations, which it sorts.
func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[min(len(d)-1, int(q*float64(len(d))))]
}

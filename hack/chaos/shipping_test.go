// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/chaos/rig"
	"github.com/metrics-apiserver/metrics-apiserver/hack/toolchain"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
)

// sinkConfig writes a configuration file with some remoteWrite blocks, of which each
// is the keys beside those that all have, and returns its path.
func sinkConfig(x *trial, to map[*rig.Receiver]string) string {
	x.Helper()
	text := "apiVersion: metrics-apiserver/v1alpha1\nkind: Configuration\nremoteWrite:\n"
	for receiver, keys := range to {
		text += fmt.Sprintf("- {url: %q, protobuf_message: prometheus.WriteRequest, %s}\n", receiver.URL, keys)
	}
	file := filepath.Join(x.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		x.Fatal(err)
	}
	return file
}

// sinkState is what /debug/remote-write says of a sink, as far as it is looked at.
type sinkState struct {
	Name     string           `json:"name"`
	Paused   bool             `json:"paused"`
	Held     bool             `json:"held"`
	Accepted int64            `json:"acceptedSamples"`
	Sent     int64            `json:"sentSamples"`
	Waiting  int64            `json:"waitingSamples"`
	Dropped  map[string]int64 `json:"droppedSamples"`
	Fault    string           `json:"queueFault"`
	Newest   time.Time        `json:"newestDelivered"`
}

// losses is all that was not delivered.
func (s sinkState) losses() (n int64) {
	for _, dropped := range s.Dropped {
		n += dropped
	}
	return n
}

// sinkOf is the state of a sink now.
func sinkOf(x *trial, server *rig.Server, name string) sinkState {
	x.Helper()
	status, body, err := server.Get(x.Context(), "/debug/remote-write")
	if err := ok(status, err); err != nil {
		x.Fatal(err)
	}
	var all []sinkState
	if err := json.Unmarshal(body, &all); err != nil {
		x.Fatal(err)
	}
	for _, one := range all {
		if one.Name == name {
			return one
		}
	}
	x.Fatalf("there is no sink %s: %s", name, body)
	return sinkState{}
}

// until waits until done, and returns how long that took; 0 where it took too long.
func (x *trial) until(limit time.Duration, done func() bool) time.Duration {
	for begun := time.Now(); time.Since(begun) < limit && x.Context().Err() == nil; x.wait(100 * time.Millisecond) {
		if done() {
			return max(time.Since(begun), time.Millisecond)
		}
	}
	return 0
}

// tryHangingReceiver is F16. Of two servers beside each other, each with nodes of its
// own, one ships to a receiver that fails and to one that does not: what the latter
// has is what the former must have in the end.
func tryHangingReceiver(x *trial) {
	const nodes, pods = 100, 2
	hangs, fails := x.lasting(4*time.Minute), x.lasting(time.Minute)
	injected := fmt.Sprintf("%d nodes; one of two receivers does not answer for %v, then refuses every second request for %v, and keeps half of these all the same", nodes, hangs, fails)
	with, without := x.world(nodes, pods), x.site.World(x, x.name+"-without")
	without.AddNodes(x, nodes, pods)
	well, sick := rig.NewReceiver(x), rig.NewReceiver(x)
	dir := x.TempDir()
	config := sinkConfig(x, map[*rig.Receiver]string{
		well: fmt.Sprintf("name: well, queue_directory: %q", filepath.Join(dir, "well")),
		sick: fmt.Sprintf("name: sick, remote_timeout: 10s, queue_directory: %q", filepath.Join(dir, "sick")),
	})
	shipper, plain := with.Serve(x, "--config="+config), without.Serve(x)
	x.wait(45 * time.Second)

	watching, stop := context.WithCancel(x.Context())
	var seen [2]watched
	var watches sync.WaitGroup
	watches.Go(func() { seen[0] = watch(watching, with, shipper) })
	watches.Go(func() { seen[1] = watch(watching, without, plain) })
	anonymous := func() int64 {
		n, err := shipper.Anonymous()
		if err != nil {
			x.Fatal(err)
		}
		return n
	}
	sick.Behave(func(int) rig.Behaviour { return rig.Behaviour{Hang: true} })
	x.wait(hangs / 3)
	early := anonymous()
	most := early
	for end := time.Now().Add(hangs - hangs/3); time.Now().Before(end) && x.Context().Err() == nil; x.wait(time.Second) {
		most = max(most, anonymous())
	}
	waiting := sinkOf(x, shipper, "sick").Waiting
	sick.Behave(func(n int) rig.Behaviour {
		if n%2 == 0 {
			return rig.Behaviour{Status: http.StatusInternalServerError, Kept: n%4 == 0}
		}
		return rig.Behaviour{}
	})
	x.wait(fails)
	stop()
	watches.Wait()
	sick.Behave(nil)
	drained := x.until(time.Minute, func() bool { return sinkOf(x, shipper, "sick").Waiting == 0 })
	if err := shipper.Stop(x.Context()); err != nil {
		x.Fatal(err)
	}
	lacks, first := sick.Lacks(well)
	got, whole := sick.Kept(), well.Kept()

	for i, name := range []string{"delay from an answer to the API, p99", "list of all pods, p99"} {
		took := func(w watched) []time.Duration { return [][]time.Duration{w.delays, w.lists}[i] }
		mine, theirs := quantile(took(seen[0]), 0.99), quantile(took(seen[1]), 0.99)
		// Two servers without sinks differ by as much here.
		limit := theirs + theirs/20 + 5*time.Millisecond
		x.figure("F16", injected, fmt.Sprintf("%s of %d (a server without sinks: %v)", name, len(took(seen[0])), theirs.Round(10*time.Microsecond)), mine.Round(10*time.Microsecond), fmt.Sprintf("5 %% and 5 ms more: %v", limit.Round(10*time.Microsecond)), mine <= limit && len(took(seen[0])) > 100)
	}
	x.figure("F16", injected, "requests that failed", seen[0].failed+seen[1].failed, 0, seen[0].failed+seen[1].failed == 0)
	x.figure("F16", injected, fmt.Sprintf("memory while it hangs, from %.1f MiB after a third of that", float64(early)/(1<<20)), fmt.Sprintf("+%.1f MiB", float64(most-early)/(1<<20)), "+8 MiB", most-early <= 8<<20)
	x.figure("F16", injected, "samples that waited when it answered again", waiting, "some", waiting > 0)
	x.figure("F16", injected, "all delivered after", drained.Round(100*time.Millisecond), time.Minute, drained > 0)
	x.figure("F16", injected, "samples of the other receiver that it lacks", fmt.Sprintf("%d of %d %s", lacks, whole.Samples, first), 0, lacks == 0 && whole.Samples > 0)
	x.figure("F16", injected, "samples out of order (twice: counted apart)", fmt.Sprintf("%d (%d twice)", got.Late, got.Twice), 0, got.Late == 0 && len(got.Faults)+len(whole.Faults) == 0)
}

// watched is what was seen of a server.
type watched struct {
	// delays are from a kubelet's answer to the API, lists how long a list of all
	// pods took.
	delays, lists []time.Duration
	failed        int
}

// watch looks at a server every 25 ms until the context ends.
func watch(ctx context.Context, w *rig.World, server *rig.Server) (seen watched) {
	last := map[string]time.Time{}
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return seen
		case <-tick.C:
		}
		usage, err := server.UsageOfNodes(ctx)
		now := time.Now()
		if err != nil {
			if ctx.Err() == nil {
				seen.failed++
			}
			continue
		}
		for _, node := range w.Nodes() {
			at := usage[node.Name].Timestamp.Time
			if before, ok := last[node.Name]; ok && at.After(before) {
				seen.delays = append(seen.delays, max(0, now.Sub(node.Answered("/metrics/resource"))))
			}
			last[node.Name] = at
		}
		if n%4 == 0 {
			begun := time.Now()
			if _, err := server.Pods(ctx); err == nil {
				seen.lists = append(seen.lists, time.Since(begun))
			} else if ctx.Err() == nil {
				seen.failed++
			}
		}
	}
}

// What F17 gives a queue.
const (
	diskOptions = "size=4m"
	// seriesOfNode is how many series each of its nodes says more, so that the disk
	// and then memory are full soon.
	seriesOfNode = 5000
)

// tryFullDisk is F17.
func tryFullDisk(x *trial) {
	const injected = "the queue's disk, a tmpfs of 4 MiB, is full while the receiver is away"
	if os.Getuid() != 0 {
		x.Skip("mounting a file system needs root")
	}
	disk := x.TempDir()
	mount := func(flags uintptr) error { return syscall.Mount("tmpfs", disk, "tmpfs", flags, diskOptions) }
	if err := mount(0); err != nil {
		x.Skipf("no file system may be mounted here: %v", err)
	}
	x.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	w := x.world(5, 2)
	receiver := rig.NewReceiver(x)
	config := sinkConfig(x, map[*rig.Receiver]string{receiver: fmt.Sprintf("name: sink, queue_size: 2Mi, queue_directory: %q", filepath.Join(disk, "queue"))})
	flags := []string{"--config=" + config, "--metric-resolution=10s", "--kubelet-request-timeout=8s"}
	server := w.Serve(x, flags...)
	speaking, hush := context.WithCancel(x.Context())
	defer hush()
	go sayMuch(speaking, w)
	truth := truthOf(w.Nodes()...)
	pid := server.Pid()
	// Pods that are this young have usage when their kubelet has refreshed it.
	x.until(time.Minute, func() bool {
		pods, err := server.Pods(x.Context())
		return err == nil && len(pods) == len(truth.pods)
	})
	state := func() sinkState { return sinkOf(x, server, "sink") }
	// meanwhile is a wait during which the API is looked at once a second.
	looked := time.Now()
	meanwhile := func(limit time.Duration, done func() bool) time.Duration {
		return x.until(limit, func() bool {
			if time.Since(looked) > time.Second {
				looked = time.Now()
				if pods, err := server.Pods(x.Context()); !truth.missing.err(err) {
					truth.hold(pods, freshness)
				}
			}
			return done()
		})
	}
	first := meanwhile(time.Minute, func() bool { return state().Sent > 0 })

	receiver.Behave(func(int) rig.Behaviour { return rig.Behaviour{Status: http.StatusServiceUnavailable} })
	ballast := filepath.Join(disk, "ballast")
	if err := fill(ballast); err != nil {
		x.Fatal(err)
	}
	full := meanwhile(3*time.Minute, func() bool { s := state(); return s.Fault != "" && s.Dropped["queue_full"] > 0 })
	during := state()
	receiver.Behave(nil)
	opened := time.Now()
	shipping := meanwhile(time.Minute, func() bool { return state().Newest.After(opened.Add(-5 * time.Second)) })
	faulty := state().Fault != ""
	if err := os.Remove(ballast); err != nil {
		x.Fatal(err)
	}
	back := meanwhile(time.Minute, func() bool { return state().Fault == "" })
	hush()
	var before sinkState
	drained := meanwhile(time.Minute, func() bool {
		before = state()
		return before.Waiting == 0
	})
	// What came meanwhile is between the two.
	kept := receiver.Kept()
	after := state()
	same := server.Pid() == pid
	if err := server.Stop(x.Context()); err != nil {
		x.Fatal(err)
	}

	x.figure("F17", injected, "delivered before", first > 0, true, first > 0)
	x.figure("F17", injected, "the oldest dropped and counted", fmt.Sprintf("%d samples, %s", during.Dropped["queue_full"], strings.ReplaceAll(during.Fault, disk, "DIR")), "some", full > 0)
	x.figure("F17", injected, "newest samples delivered after the receiver was back, with a full disk", shipping.Round(100*time.Millisecond), time.Minute, shipping > 0 && faulty)
	x.figure("F17", injected, "on the disk again after there was room", back.Round(100*time.Millisecond), 10*time.Second, back > 0 && back <= 10*time.Second)
	least, greatest := before.Accepted-before.losses(), after.Accepted-after.losses()
	x.figure("F17", injected, fmt.Sprintf("distinct samples received of %d accepted", after.Accepted), kept.Samples, fmt.Sprintf("accepted less dropped: %d to %d", least, greatest), drained > 0 && int64(kept.Samples) >= least && int64(kept.Samples) <= greatest)
	x.figure("F17", injected, "samples out of order", kept.Late, 0, kept.Late == 0 && len(kept.Faults) == 0)
	x.none("F17", injected, "answers missing", &truth.missing, truth.answers)
	x.none("F17", injected, "answers older than "+freshness.String(), &truth.aged, truth.answers)
	x.figure("F17", injected, "the same process", same, true, same)

	tryReadOnlyDisk(x, w, receiver, flags, mount)
}

// tryReadOnlyDisk is the other half of F17: a server that starts with a disk that it
// cannot write.
func tryReadOnlyDisk(x *trial, w *rig.World, receiver *rig.Receiver, flags []string, mount func(uintptr) error) {
	const injected = "the queue's disk is read-only when the server starts"
	if err := mount(syscall.MS_REMOUNT | syscall.MS_RDONLY); err != nil {
		x.Fatal(err)
	}
	// What the server before has sent, too, comes twice.
	arrived := func() int64 {
		kept := receiver.Kept()
		return int64(kept.Samples + kept.Twice)
	}
	had := arrived()
	server := w.Serve(x, flags...)
	state := func() sinkState { return sinkOf(x, server, "sink") }
	shipping := x.until(time.Minute, func() bool { return state().Sent > 0 })
	fault := state().Fault
	if err := mount(syscall.MS_REMOUNT); err != nil {
		x.Fatal(err)
	}
	back := x.until(time.Minute, func() bool { return state().Fault == "" })
	var last sinkState
	drained := x.until(time.Minute, func() bool {
		last = state()
		return last.Waiting == 0 && last.Accepted > 0
	})
	got := arrived() - had
	x.figure("F17", injected, "samples delivered after", shipping.Round(100*time.Millisecond), time.Minute, shipping > 0 && strings.Contains(fault, "read-only"))
	x.figure("F17", injected, "on the disk after it can be written", back.Round(100*time.Millisecond), 10*time.Second, back > 0 && back <= 10*time.Second)
	x.figure("F17", injected, "samples received", got, fmt.Sprintf("accepted less dropped: at least %d", last.Accepted-last.losses()), drained > 0 && got >= last.Accepted-last.losses())
}

// sayMuch has nodes say many series more, other ones than before every second.
func sayMuch(ctx context.Context, w *rig.World) {
	for ctx.Err() == nil {
		for _, node := range w.Nodes() {
			var text []byte
			for i := range seriesOfNode {
				text = fmt.Appendf(text, "application_queue_length{queue=\"queue-%d\"} %d\n", i, rand.Uint64())
			}
			node.SetFault(kubelettest.Fault{Path: "/metrics/resource", Extra: text})
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// fill writes a file until there is no more room.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		if _, err := io.Copy(f, bytes.NewReader(make([]byte, 4096))); err != nil {
			return nil
		}
	}
}

// tryKilledWriter is F18.
func tryKilledWriter(x *trial) {
	kills := x.times(1000)
	root, err := toolchain.Root()
	if err != nil {
		x.Fatal(err)
	}
	cmd := exec.CommandContext(x.Context(), "go", "test", "-count=1", "-v", "-timeout=60m", "-run=^TestKill$", "./pkg/storage/remotewrite/queue")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), fmt.Sprintf("REMOTEWRITE_QUEUE_KILLS=%d", kills))
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	summary := regexp.MustCompile(`\d+ kills, .*`).FindString(string(out))
	if err != nil {
		x.Errorf("%v:\n%s", err, out[max(0, len(out)-4000):])
	}
	x.figure("F18", fmt.Sprintf("the process that writes the queue is killed %d times, anywhere", kills), fmt.Sprintf("started each time, nothing accepted lost, in %v", time.Since(begun).Round(time.Second)), summary, "all of them", err == nil && strings.HasPrefix(summary, fmt.Sprint(kills)+" kills"))
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// answeredAt is when each recorded answer was complete, in Unix milliseconds.
func answeredAt() [scrapes]storage.Millis {
	return [scrapes]storage.Millis{1795221793544, 1795221803923, 1795221814259, 1795221824623, 1795221835027, 1795221845406}
}

// TestServed holds the whole way of a sample, from a kubelet's bytes to what is
// served, against testdata/served.txt: for every container, at each of the six
// moments, the usage and why it is that one. The file was not written by this
// code, but by a naive program that keeps the whole history of each container
// and goes through the rules anew at each moment.
//
// It is run twice: as a server that sees the first answer just after its own
// start and asks for the summary, and the same with the statuses that the
// cluster had for the crashing container, which change nothing.
func TestServed(t *testing.T) {
	running := map[int]bool{1: true, 5: true} // the scrapes in which shop/crasher's bad runs
	for _, test := range []struct {
		name   string
		status func(moment int) func(namespace, name string) ([]storage.ContainerStatus, bool)
	}{
		{"statuses unknown", func(int) func(string, string) ([]storage.ContainerStatus, bool) { return nil }},
		{"statuses known", func(moment int) func(string, string) ([]storage.ContainerStatus, bool) {
			return func(_, name string) ([]storage.ContainerStatus, bool) {
				if name != "crasher" {
					return nil, false
				}
				return []storage.ContainerStatus{{Name: "good", Running: true}, {Name: "bad", Running: running[moment]}}, true
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			moment := 0
			store, err := storage.New(storage.Options{
				Resolution: 15 * time.Second,
				FindPod: func(namespace, name string) storage.KnownPod {
					return &knownPod{func() ([]storage.ContainerStatus, bool) {
						if status := test.status(moment); status != nil {
							return status(namespace, name)
						}
						return nil, false
					}}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			decoder := NewDecoder(Options{})
			for _, want := range servedTable(t) {
				moment++
				now := answeredAt()[moment-1]
				batch := storage.Batch{Node: "node0", Sent: now, Received: now}
				if _, err := decoder.Resource(recorded(t, moment, "metrics-resource.txt"), now, &batch); err != nil {
					t.Fatal(err)
				}
				if _, err := decoder.Summary(recorded(t, moment, "stats-summary.json"), &batch); err != nil {
					t.Fatal(err)
				}
				if _, err := store.Commit(&batch); err != nil {
					t.Fatal(err)
				}
				for _, item := range want {
					if got := item.served(store, now); got != item.want {
						t.Errorf("moment %d: %s is served as\n%swant\n%s(%s)", moment, item.name, got, item.want, item.why)
					}
				}
			}
		})
	}
}

// knownPod is what the cluster knows of one pod.
type knownPod struct {
	statuses func() ([]storage.ContainerStatus, bool)
}

func (p *knownPod) Place() *storage.PodPlace { return nil }

func (p *knownPod) Statuses() ([]storage.ContainerStatus, bool) { return p.statuses() }

// servedItem is one pod, or the node, at one moment of the table.
type servedItem struct {
	name, want, why string
}

// served is what the store serves for the item, in the table's words less the
// reasons.
func (i servedItem) served(store *storage.Store, now storage.Millis) string {
	var b strings.Builder
	container := func(name string, cpu, memory, swap uint64) {
		fmt.Fprintf(&b, "%s cpu %d memory %d swap %d\n", name, cpu, memory, swap)
	}
	if i.name == "node" {
		usage, absence := store.Node("node0", now)
		if absence != storage.Present {
			return "absent\n"
		}
		fmt.Fprintf(&b, "at %d over %d\n", usage.Time, usage.Window)
		container("usage", usage.CPU, usage.Memory, usage.Swap)
		return b.String()
	}
	namespace, name, _ := strings.Cut(i.name, "/")
	usage, absence := store.Pod(nil, storage.PodQuery{Node: "node0", Namespace: namespace, Name: name}, now)
	if absence != storage.Present {
		return "absent\n"
	}
	fmt.Fprintf(&b, "at %d over %d\n", usage.Time, usage.Window)
	for _, c := range usage.Containers {
		container(c.Name, c.CPU, c.Memory, c.Swap)
	}
	return b.String()
}

// servedTable reads testdata/served.txt: the items of each moment.
func servedTable(t *testing.T) [][]servedItem {
	t.Helper()
	file, err := os.Open("testdata/served.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var moments [][]servedItem
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "moment ") {
			moments = append(moments, nil)
			continue
		}
		moment := &moments[len(moments)-1]
		if indented, ok := strings.CutPrefix(line, "  "); ok {
			var cpu, memory, swap, why string
			fields := strings.Split(indented, ", ")
			name, rest, _ := strings.Cut(fields[0], " cpu ")
			cpu, why, _ = strings.Cut(rest, " by ")
			memory, swap = fields[1], fields[2]
			item := &(*moment)[len(*moment)-1]
			item.want += fmt.Sprintf("%s cpu %s %s %s\n", name, cpu, memory, swap)
			item.why += name + ": " + why + "; "
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		want, why, _ := strings.Cut(rest, " (")
		if reason, ok := strings.CutPrefix(rest, "absent: "); ok {
			want, why = "absent", reason
		}
		*moment = append(*moment, servedItem{name: name, want: want + "\n", why: why})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(moments) != scrapes {
		t.Fatalf("served.txt has %d moments, want %d", len(moments), scrapes)
	}
	return moments
}

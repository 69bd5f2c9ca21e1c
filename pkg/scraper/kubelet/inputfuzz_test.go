// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"bytes"
	"strings"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/input"
)

// fuzzBounds are small, so that a fuzzer reaches them.
func fuzzBounds() Options {
	return Options{MaxSeries: 40, MaxContainers: 4, MaxLineBytes: 300, MaxLabels: 8, MaxNameBytes: 20}
}

// holdInputs decodes two answers, one after the other and each twice, and holds
// what is read against the reference and the state that is carried on.
func holdInputs(t *testing.T, source input.Source, wanted input.Set, bodies ...string) {
	t.Helper()
	const sent = 1_700_000_000_000
	wanted &= source.Of()
	decoder := NewInputDecoder(fuzzBounds())
	var layout *storage.Layout
	for _, body := range bodies {
		want := reference(source, []byte(body), wanted, sent, fuzzBounds())
		for range 2 {
			owned := []byte(body)
			before := layout
			got, next := decodeInputs(decoder, source, owned, wanted, sent, layout)
			if got != want {
				t.Fatalf("%v: %q:\n got %s\nwant %s", source, body, got, want)
			}
			if !bytes.Equal(owned, []byte(body)) {
				t.Fatal("the body was written to")
			}
			if before != nil && next != nil && next != before && describeLayout(next) == describeLayout(before) {
				t.Fatalf("%q: the layout is a new one, though it is the same", body)
			}
			layout = next
		}
	}
}

// describeLayout is a layout's names.
func describeLayout(layout *storage.Layout) string {
	var parts []string
	for _, pod := range layout.Pods {
		parts = append(parts, pod.Namespace, pod.Name)
		parts = append(parts, layout.Containers[pod.First:pod.End]...)
		parts = append(parts, "\x00")
	}
	return strings.Join(parts, "\x00")
}

// FuzzCadvisor compares with a reader that knows no shortcut.
func FuzzCadvisor(f *testing.F) {
	const (
		a = `{container="a",id="/k/1",image="i",name="n",namespace="ns",pod="p"}`
		b = `{container="b",id="/k/2",image="i",name="n",namespace="ns",pod="p"}`
		p = `{container="",id="/k",image="",name="",namespace="ns",pod="p"}`
		e = `{container="",id="/k/0",interface="eth0",namespace="ns",pod="p"}`
		l = `{container="POD",id="/k/0",interface="lo",namespace="ns",pod="p"}`
		n = `{container="",device="/dev/vda",id="/",namespace="",pod=""}`
	)
	all := uint64(input.Cadvisor.Of())
	f.Add("container_memory_cache"+a+" 1 5\ncontainer_memory_cache"+b+" 2 6\ncontainer_threads"+a+" 3 5\ncontainer_threads"+b+" 4 6\n", "container_memory_cache"+b+" 1 9\ncontainer_threads"+b+" 7 9\n", all)
	f.Add("container_network_receive_packets_total"+e+" 1 5\ncontainer_network_receive_packets_total"+l+" 9 5\ncontainer_network_transmit_packets_total"+e+" 2 5\n", "container_memory_cache"+p+" 1 9\ncontainer_start_time_seconds"+a+" 7\n", all)
	f.Add("container_fs_reads_total"+n+" 1 5\ncontainer_fs_reads_total"+n+" 3 4\ncontainer_fs_writes_total"+n+" NaN 4\ncontainer_scrape_error 0\n", "container_scrape_error 1\n", all)
	f.Add("container_cpu_cfs_throttled_seconds_total"+a+" 1e-9 5\ncontainer_cpu_cfs_throttled_seconds_total"+strings.Replace(a, "/1", "/7", 1)+" 2.5 6\n", "container_oom_events_total"+a+" 0 5\ncontainer_oom_events_total"+b+" 1\n", all)
	f.Add("container_threads{pod=\"p\"} 1\n{} 1\ncontainer_threads {namespace=\"ns\",pod=\"p\",container=\"a\"} 1\ncontainer_threads"+a+"\n", "container_threads"+a+" -1 5\ncontainer_threads"+a+" 1 99999999999999999\n", all)
	f.Fuzz(func(t *testing.T, first, second string, wanted uint64) {
		holdInputs(t, input.Cadvisor, input.Set(wanted), first, second)
	})
}

// FuzzInputSummary compares with encoding/json.
func FuzzInputSummary(f *testing.F) {
	const (
		node  = `"node":{"cpu":{"time":"2026-11-21T00:43:08Z","psi":{"some":{"total":7},"full":{"total":0}}},"memory":{"rssBytes":5},"network":{"rxBytes":9,"interfaces":[{"name":"eth0","rxBytes":1,"txErrors":2},{"name":"cni0","rxBytes":4},{"name":"eth1","rxBytes":8}]},"fs":{"time":"2026-11-21T00:43:08.5+01:00","usedBytes":3,"inodes":4},"rlimit":{"curproc":441}}`
		pod   = `{"podRef":{"name":"p","namespace":"ns","uid":"u"},"startTime":"s","cpu":{"time":"1970-01-01T00:00:00Z"},"network":{"rxBytes":4},"process_stats":{"process_count":3},"containers":[{"name":"a","memory":{"time":"2026-11-21T00:43:08Z","rssBytes":5},"rootfs":{"usedBytes":1},"logs":{"usedBytes":2}}],"ephemeral-storage":{"usedBytes":8,"inodesUsed":9}}`
		later = `{"containers":[{"memory":{"rssBytes":6},"name":"b"}],"volume":[{"usedBytes":1,"capacityBytes":3,"inodes":0,"inodesUsed":2,"pvcRef":{}},{"usedBytes":1,"capacityBytes":3},{"pvcRef":{"name":"c"},"usedBytes":5,"capacityBytes":4}],"podRef":{"namespace":"ns","name":"q"}}`
	)
	all := uint64(input.Summary.Of())
	f.Add(`{`+node+`,"pods":[`+pod+`]}`, `{`+node+`,"pods":[`+later+`,`+pod+`]}`, all)
	f.Add(`{"node":null,"pods":[`+later+`,`+pod+`,`+pod+`]}`, `{"pods":[]}`, all)
	f.Add(`{"node":{"io":{"psi":{"some":{"total":0}}}},"pods":[{"podRef":{"name":"p","namespace":"ns"},"io":{"psi":{"full":{"total":18446744073709551}}}}]}`, `{"node":{},"pods":null}`, all)
	f.Add(`{"node":{"fs":{"time":null,"usedBytes":-1,"inodes":1e3},"fs":{"usedBytes":2}},"pods":[{"podRef":{}},{"podRef":{"name":"p","namespace":"ns"},"network":{"interfaces":[null]},"network":{"interfaces":[],"rxBytes":2}}]}`, `null`, all)
	f.Fuzz(func(t *testing.T, first, second string, wanted uint64) {
		holdInputs(t, input.Summary, input.Set(wanted), first, second)
	})
}

// FuzzMoment compares with the general parser.
func FuzzMoment(f *testing.F) {
	for _, text := range []string{"2026-11-21T00:43:08Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "2000-03-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-21T00:43:08.123456789-07:00", "9999-12-28T23:59:59Z", "0000-01-01T00:00:00Z", "2026-11-21t00:43:08Z", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, wantOK := naiveMoment(text)
		got, ok := parseMoment([]byte(text))
		if ok != wantOK || ok && got != want {
			t.Fatalf("%q: got %d, %v, want %d, %v", text, got, ok, want, wantOK)
		}
	})
}

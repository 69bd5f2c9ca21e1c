// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package textparse

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelet"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	labelled "github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// sentAt stands in for the timestamps that a body does not have.
const sentAt = 7

// receiver remembers the last answer as the comparison wants it.
type receiver struct {
	opened []string
	all    []series
}

func (r *receiver) Open(labels labelled.Labels, _ *labelled.Metadata) labelled.Handle {
	var pairs []string
	for _, l := range labels {
		pairs = append(pairs, fmt.Sprintf("%s=%q", l.Name, l.Value))
	}
	slices.Sort(pairs)
	r.opened = append(r.opened, strings.Join(pairs, ","))
	return labelled.Handle(len(r.opened))
}

func (r *receiver) Commit(b *labelled.Batch, _ []labelled.Handle) {
	r.all = nil
	for i, h := range b.Handles {
		r.all = append(r.all, series{labels: r.opened[h-1], value: math.Float64bits(b.Values[i]), timestamp: fmt.Sprint(b.Times[i])})
	}
}

func (r *receiver) Failed(storage.Millis) {}
func (r *receiver) End(storage.Millis)    {}

// compareSeries fails if the labelled series of the bodies, read one after the
// other by one stream, are not those that prometheus reads, as far as it reads them.
func compareSeries(t *testing.T, bodies ...[]byte) {
	t.Helper()
	stream := kubelet.NewSeriesDecoder(kubelet.Options{}).Stream("n", labelled.Cadvisor)
	r := &receiver{}
	stream.Attach(r)
	for _, body := range bodies {
		stats, err := stream.Decode(kubelet.SeriesAnswer{Body: bytes.Clone(body), Sent: sentAt})
		want, wantErr := theirs(body)
		if wantErr != nil || quotedName(body) || quotedLineFeed(body) {
			continue
		}
		if err != nil {
			if len(want) > 0 && stats.RefusedTotal() == 0 {
				t.Fatalf("%q: refused with %v, prometheus takes it", body, err)
			}
			continue
		}
		// The same labels may be written in two ways, a label twice, and a
		// timestamp be none: prometheus finds that later.
		if stats.RefusedTotal() > 0 {
			continue
		}
		for i := range want {
			if want[i].timestamp == "" {
				want[i].timestamp = fmt.Sprint(sentAt)
			}
		}
		got := slices.Clone(r.all)
		order := func(a, b series) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }
		slices.SortFunc(got, order)
		slices.SortFunc(want, order)
		if !slices.Equal(got, want) {
			t.Fatalf("%q:\n got %v\nwant %v", body, got, want)
		}
	}
}

// TestSeriesAgree holds that a stream reads what prometheus does, from recorded
// answers and from the corners of the format, whatever it has read before.
func TestSeriesAgree(t *testing.T) {
	compareSeries(t, recordings(t, resourceText)...)
	compareSeries(t, recordings(t, cadvisorText)...)
	for _, body := range bodies() {
		compareSeries(t, []byte(body), []byte("a 1\n"), []byte(body))
	}
}

// FuzzSeriesAgree holds the same for whatever comes.
func FuzzSeriesAgree(f *testing.F) {
	for _, body := range bodies() {
		f.Add([]byte(body), []byte("a 1\na{b=\"c\"} 1 2\n"))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if mustAgree(a) && mustAgree(b) {
			compareSeries(t, a, b, a)
		}
	})
}

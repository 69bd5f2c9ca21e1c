// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package scraper

import (
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// everything is a consumer that takes all samples and keeps none.
type everything struct{}

func (everything) Sources() series.SourceSet {
	return series.SourceSetOf(series.Resource, series.Cadvisor)
}

func (everything) Receiver(string, series.Source) series.Receiver { return &takeAll{} }

type takeAll struct{ last series.Handle }

func (t *takeAll) Open(series.Labels, *series.Metadata) series.Handle {
	t.last++
	return t.last
}
func (*takeAll) Commit(*series.Batch, []series.Handle) {}
func (*takeAll) Failed(storage.Millis)                 {}
func (*takeAll) End(storage.Millis)                    {}

// BenchmarkTap gives one node's answers to consumers, from the bytes to what they
// keep: 1,070 series of resource metrics and 10,000 of cAdvisor.
func BenchmarkTap(b *testing.B) {
	recent := func() series.Consumer {
		r, err := series.NewRecent(series.RecentOptions{})
		if err != nil {
			b.Fatal(err)
		}
		r.Want([]series.Selector{
			{Name: "container_network_receive_bytes_total", Range: 2 * 60_000},
			{Name: "container_cpu_usage_seconds_total", Range: 2 * 60_000},
		})
		return r
	}
	for _, bench := range []struct {
		name      string
		consumers []series.Consumer
	}{
		{"everything", []series.Consumer{everything{}}},
		{"everything-thrice", []series.Consumer{everything{}, everything{}, everything{}}},
		{"recent", []series.Consumer{recent()}},
	} {
		for source, pods := range map[series.Source]int{series.Resource: 133, series.Cadvisor: 1000} {
			b.Run(bench.name+"/"+source.String(), func(b *testing.B) {
				m, err := New(Options{Series: bench.consumers}, &recorder{})
				if err != nil {
					b.Fatal(err)
				}
				m.SeriesChanged()
				l := m.newLoop(target("n"))
				start := time.Now()
				usage := kubelettest.Uniform(pods, 2, start.Add(-time.Hour))
				var answers []*nodeclient.Answer
				for i := range 4 {
					at := start.Add(time.Duration(i) * 15 * time.Second)
					body := usage.AppendResource(nil, at, 0)
					if source == series.Cadvisor {
						body = usage.AppendCadvisor(nil, at, 0)
					}
					answers = append(answers, &nodeclient.Answer{Body: body, Sent: at, Received: at})
				}
				l.give(b.Context(), source, answers[0])
				b.ReportAllocs()
				b.SetBytes(int64(len(answers[0].Body)))
				n := 0
				for b.Loop() {
					n++
					// The same four again, as what comes a minute later.
					answer := answers[n%4]
					answer.Sent = start.Add(time.Duration(n) * 15 * time.Second)
					answer.Received = answer.Sent
					l.offset = storage.MillisIn(time.Duration(n/4) * time.Minute)
					l.give(b.Context(), source, answer)
				}
				lines := 0
				for _, c := range answers[0].Body {
					if c == '\n' {
						lines++
					}
				}
				b.ReportMetric(float64(lines), "lines")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(lines), "ns/line")
			})
		}
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package input

import (
	"fmt"
	"strings"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// feed is one reading of a script: at the moment now, in seconds, the node says
// that the number was value at time, in seconds, by its own clock.
type feed struct {
	now, time float64
	value     uint64
	offset    float64
	run       bool // another run begins
}

func millis(seconds float64) storage.Millis { return storage.Millis(seconds * 1000) }

// play is what is served after each reading of a script, and what was refused.
func play(kind Kind, coarse bool, script []feed) string {
	var held cell
	var out []string
	offset := millis(script[0].offset)
	for _, f := range script {
		m := moment{now: millis(f.now), offset: millis(f.offset), coarse: coarse, staleness: 60_000}
		m.stepped, offset = m.offset != offset, m.offset
		said := ""
		held = advance(held, Reading{Value: f.value, Time: millis(f.time)}, kind, !f.run, m, func(r storage.Refusal) { said = " " + r.String() })
		// The compact form must say the same.
		c := newColumn(1, 3)
		c.set(0, &held, m.now)
		if again := c.at(0, m.now); again != held {
			said += fmt.Sprintf(" BUG: kept as %+v", again)
		}
		switch rate, window, ok := held.rate(); {
		case held.points[0].Time == 0:
			out = append(out, "none"+said)
		case kind == Gauge:
			out = append(out, fmt.Sprintf("%d@%v%s", held.points[0].Value, held.points[0].Time.Duration().Seconds(), said))
		case !ok:
			out = append(out, "-"+said)
		default:
			out = append(out, fmt.Sprintf("%.4g/%v%s", rate, window.Duration().Seconds(), said))
		}
	}
	return strings.Join(out, ", ")
}

func TestCounter(t *testing.T) {
	for _, test := range []struct {
		name   string
		coarse bool
		script []feed
		want   string
	}{
		{"two samples", false, []feed{{100, 95, 1000, 0, false}, {115, 107, 2200, 0, false}, {130, 119, 3400, 0, false}}, "-, 100/12, 100/12"},
		{"same sample twice", false, []feed{{100, 95, 10, 0, false}, {115, 110, 25, 0, false}, {130, 110, 25, 0, false}}, "-, 1/15, 1/15"},
		{"zero is a rate", false, []feed{{100, 95, 0, 0, false}, {115, 110, 0, 0, false}}, "-, 0/15"},
		{"goes back", false, []feed{{100, 95, 10, 0, false}, {115, 110, 5, 0, false}, {130, 120, 15, 0, false}}, "-, -, 1/10"},
		{"another run that counts on", false, []feed{{100, 95, 10, 0, false}, {115, 110, 40, 0, true}, {130, 120, 50, 0, false}}, "-, -, 1/10"},
		{"older sample", false, []feed{{100, 95, 10, 0, false}, {115, 94, 11, 0, false}, {130, 105, 20, 0, false}}, "-, - out_of_order, 1/10"},
		{"from the future", false, []feed{{100, 95, 10, 0, false}, {115, 118, 11, 0, false}, {130, 105, 20, 0, false}}, "-, - future, 1/10"},
		{"a bit ahead", false, []feed{{100, 95, 10, 0, false}, {115, 116, 31, 0, false}}, "-, 1/21"},
		{"beyond 63 bits", false, []feed{{100, 95, 1 << 63, 0, false}, {100, 95, 1<<63 - 1, 0, false}}, "none overflow, -"},
		{"too near", false, []feed{{100, 95, 10, 0, false}, {115, 95.9, 11, 0, false}, {130, 105, 20, 0, false}}, "-, -, 1/10"},
		{"too long ago", false, []feed{{100, 95, 10, 0, false}, {160, 155.5, 11, 0, false}, {175, 165.5, 21, 0, false}}, "-, -, 1/10"},
		{"not given any more", false, []feed{{100, 95, 10, 0, false}, {115, 0, 0, 0, false}, {130, 105, 20, 0, false}}, "-, none, -"},

		{"over two refreshes", true, []feed{{100, 95, 10, 0, false}, {115, 105, 30, 0, false}, {130, 120, 30, 0, false}, {145, 130, 30, 0, false}}, "-, 2/10, 0.8/25, 0/25"},
		{"two refreshes, the first too old", true, []feed{{100, 90, 10, 0, false}, {130, 125, 45, 0, false}, {160, 155, 105, 0, false}}, "-, 1/35, 2/30"},
		{"too near for whole seconds", true, []feed{{100, 95, 10, 0, false}, {101, 99, 30, 0, false}, {115, 105, 30, 0, false}}, "-, -, 2/10"},

		{"the node's clock is behind all the time", false, []feed{{100, 65, 10, 30, false}, {115, 80, 25, 30, false}}, "-, 1/15"},
		// The sample at 95 is from before the step back by 30 s, those at 80 and 95
		// (110 and 125 by ours) are from after it.
		{"a step back", false, []feed{{100, 95, 10, 0, false}, {101, 95, 10, 30, false}, {115, 80, 25, 30, false}, {130, 95, 40, 30, false}}, "-, none future, -, 1/15"},
		// 35 s forward: by our clock the sample of 95 now is of 60.
		{"a step forward", false, []feed{{100, 95, 10, 0, false}, {101, 95, 10, -35, false}, {115, 145, 25, -35, false}, {130, 160, 40, -35, false}}, "-, -, -, 1/15"},
		{"a step before the sample", false, []feed{{100, 95, 10, 0, false}, {115, 140, 20, -30, false}, {116, 140, 20, -30, false}, {130, 155, 35, -30, false}, {145, 165, 45, -30, false}}, "-, -, -, -, 1/10"},
	} {
		if got := play(Counter, test.coarse, test.script); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

func TestGauge(t *testing.T) {
	for _, test := range []struct {
		name   string
		script []feed
		want   string
	}{
		{"newest", []feed{{100, 95, 5, 0, false}, {115, 105, 0, 0, false}, {130, 105, 7, 0, false}}, "5@95, 0@105, 7@105"},
		{"older", []feed{{100, 95, 5, 0, false}, {115, 90, 9, 0, false}}, "5@95, 5@95 out_of_order"},
		{"older, of another run", []feed{{100, 95, 5, 0, false}, {115, 90, 9, 0, true}}, "5@95, 9@90"},
		{"from the future", []feed{{100, 95, 5, 0, false}, {101, 95, 9, 30, false}, {115, 80, 6, 30, false}}, "5@95, 5@95 future, 6@110"},
		{"gone", []feed{{100, 95, 5, 0, false}, {115, 0, 0, 0, false}}, "5@95, none"},
	} {
		if got := play(Gauge, false, test.script); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

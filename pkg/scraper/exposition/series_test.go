// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package exposition

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestSeries holds what is read from a line, in the notation of describe.
func TestSeries(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{`a 1`, `a 1`},
		{`a:b_C9 1`, `a:b_C9 1`},
		{"a\t 1\t ", `a 1`},
		{`a 1 2`, `a 1 @2`},
		{`a 1 0`, `a 1 @0`},
		{`a 1 9223372036854775807`, `a 1 @9223372036854775807`},
		{`a+1`, `a +1`},
		{`a{} 1`, `a 1`},
		{`a{}1`, `a 1`},
		{`a{b="c"} 1`, `a b="c" 1`},
		{`a {b="c"} 1`, `a b="c" 1`},
		{`a{b="c",} 1`, `a b="c" 1`},
		{`a{b="c",d=""} 1 2`, `a b="c" d="" 1 @2`},
		{`a{b="c"d="e"} 1`, `a b="c" d="e" 1`},
		{`a{ b = "c" , d = "e" } 1`, `a b="c" d="e" 1`},
		{`a{b="}\" ,\\\n\x"} 1`, `a b="}\" ,\\\n\\x" 1`},
		{`a{b="\\"} 1`, `a b="\\" 1`},
		{`a{b="é"} 1`, `a b="é" 1`},
		{`a{b="c",b="d"} 1`, `a b="c" b="d" 1`},
		{`a nonsense`, `a nonsense`},

		{``, `no metric name at byte 0`},
		{`1`, `no metric name at byte 0`},
		{`é 1`, `no metric name at byte 0`},
		{`{"a"} 1`, `quoted name at byte 0`},
		{`"a" 1`, `quoted name at byte 0`},
		{`a{"b"="c"} 1`, `quoted name at byte 2`},
		{`a`, `no value at byte 1`},
		{`a{b="c"}`, `no value at byte 8`},
		{`a{b="c"}{d="e"} 1`, `no value at byte 8`},
		{`a 1{`, `not a timestamp at byte 3`},
		{`a 1 -2`, `not a timestamp at byte 4`},
		{`a 1 x`, `not a timestamp at byte 4`},
		{`a 1 9223372036854775808`, `not a timestamp at byte 4`},
		{`a 1 2x`, `something after the timestamp at byte 5`},
		{`a 1 2 3`, `something after the timestamp at byte 6`},
		{`a{,} 1`, `no label name or closing brace at byte 2`},
		{`a{b="c",,} 1`, `no label name or closing brace at byte 8`},
		{`a{1="c"} 1`, `no label name or closing brace at byte 2`},
		{`a{b:c="d"} 1`, `no equal sign after a label name at byte 3`},
		{`a{b`, `no equal sign after a label name at byte 3`},
		{`a{b=c} 1`, `no quoted label value at byte 4`},
		{`a{b="c`, `no quoted label value at byte 6`},
		{`a{b="c\"} 1`, `no quoted label value at byte 11`},
		{`a{b="c"`, `no label name or closing brace at byte 7`},
		{"a{b=\"\xff\"} 1", `label value is not valid UTF-8 at byte 5`},
		{`a{b="",c="",d="",e="",f=""} 1`, `too many labels at byte 26`},
		{strings.Repeat("a", MaxLineBytes) + " 1", `line too long at byte 65535`},
	} {
		series := Series{MaxLabels: 4}
		var got string
		if err := series.Parse([]byte(test.line)); err != nil {
			got = strings.TrimSuffix(err.Error(), " of the line")
		} else {
			got = describe(&series)
		}
		if got != test.want {
			t.Errorf("%.40q:\n got %s\nwant %s", test.line, got, test.want)
		}
	}
}

// describe writes a series with its labels' values quoted as Go does.
func describe(s *Series) string {
	var b strings.Builder
	b.Write(s.Name)
	for _, label := range s.Labels {
		fmt.Fprintf(&b, " %s=%q", label.Name, label.Value())
	}
	fmt.Fprintf(&b, " %s", s.Sample.Value)
	if s.Sample.HasTimestamp {
		fmt.Fprintf(&b, " @%d", s.Sample.Timestamp)
	}
	return b.String()
}

func TestSeriesText(t *testing.T) {
	var series Series
	for line, want := range map[string]string{
		`a{b="c"} 1 2`:   `a{b="c"}`,
		`a {b="}" } 1 2`: `a {b="}" }`,
		`a 1`:            `a`,
	} {
		if err := series.Parse([]byte(line)); err != nil || string(series.Text) != want {
			t.Errorf("%q has the text %q, %v; want %q", line, series.Text, err, want)
		}
		sample, err := ParseSample([]byte(line[len(want):]))
		if err != nil || fmt.Sprint(sample) != fmt.Sprint(series.Sample) {
			t.Errorf("%q behind its text is %v, %v; want %v", line, sample, err, series.Sample)
		}
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	line := []byte(`container_cpu_usage_seconds_total{container="web",namespace="shop",pod="web-8566b69bb8-7c68l"} 1.560578632 1795221790653`)
	var series Series
	if err := series.Parse(line); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if series.Parse(line) != nil || len(series.Labels[2].Value()) == 0 {
			t.Error("the line is refused")
		}
		if _, err := ParseUint(series.Sample.Value, 9); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a line, want none", n)
	}
}

// The format as regular expressions: slow, and plain enough to be believed.
const (
	spacePattern = `[ \t]*`
	labelPattern = spacePattern + `([a-zA-Z_][a-zA-Z0-9_]*)` + spacePattern + `=` + spacePattern + `"((?:\\.|[^\\"])*)"` + spacePattern + `,?`
	// A value may follow a name without a blank if it cannot belong to it.
	seriesPattern = `^([a-zA-Z_:][a-zA-Z0-9_:]*)` +
		`(?:` + spacePattern + `\{((?:` + labelPattern + `)*)` + spacePattern + `\}` + spacePattern + `([^{ \t]+)|[ \t]+([^{ \t]+)|([^{ \ta-zA-Z0-9_:][^{ \t]*))` +
		`(?:[ \t]+([0-9]+))?` + spacePattern + `$`
)

// referenceSeries is what describe would say of the line; ok is false where it
// is not of the format.
func referenceSeries(line string) (description string, ok bool) {
	match := regexp.MustCompile(`(?s)` + seriesPattern).FindStringSubmatch(line)
	if match == nil || len(line) > MaxLineBytes {
		return "", false
	}
	var b strings.Builder
	b.WriteString(match[1])
	for _, label := range regexp.MustCompile(`(?s)`+labelPattern).FindAllStringSubmatch(match[2], -1) {
		if !utf8.ValidString(label[2]) {
			return "", false
		}
		value := strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n").Replace(label[2])
		fmt.Fprintf(&b, " %s=%q", label[1], value)
	}
	fmt.Fprintf(&b, " %s%s%s", match[5], match[6], match[7])
	if match[8] != "" {
		timestamp, err := strconv.ParseInt(match[8], 10, 64)
		if err != nil {
			return "", false
		}
		fmt.Fprintf(&b, " @%d", timestamp)
	}
	return b.String(), true
}

// FuzzSeries compares with the regular expressions, and ParseSample with Parse.
func FuzzSeries(f *testing.F) {
	for _, line := range []string{
		`a 1`, `a+1 2 `, `a{b="c",d="e"} 1 2`, "a\t{ b = \"c\" , } 1", `a{b="\\\"\n\x"d="é"}1`, `{"a"} 1`, `a{b="c`, `a{b="c"}{} 1`, `a 1 99999999999999999999`,
		`container_cpu_usage_seconds_total{container="web",namespace="shop",pod="web-8566b69bb8-7c68l"} 1.560578632 1795221790653`,
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		line = strings.TrimLeft(line, " \t")
		if strings.Contains(line, "\n") {
			return
		}
		want, ok := referenceSeries(line)
		var series Series
		err := series.Parse([]byte(line))
		if err != nil {
			var syntax SyntaxError
			if ok || !errors.As(err, &syntax) || syntax.At < 0 || syntax.At > len(line) || syntax.Fault > FaultTrailing {
				t.Fatalf("%q: got error %v, want %q, %v", line, err, want, ok)
			}
			return
		}
		if got := describe(&series); !ok || got != want {
			t.Fatalf("%q: got %q, want %q, %v", line, got, want, ok)
		}
		if !strings.HasPrefix(line, string(series.Text)) || !bytes.Equal(Name([]byte(line)), series.Name) {
			t.Fatalf("%q: text %q, name %q", line, series.Text, series.Name)
		}
		if sample, err := ParseSample([]byte(line[len(series.Text):])); err != nil || fmt.Sprint(sample) != fmt.Sprint(series.Sample) {
			t.Fatalf("%q: behind %q is %v, %v; want %v", line, series.Text, sample, err, series.Sample)
		}
	})
}

func BenchmarkSeries(b *testing.B) {
	line := []byte(`container_cpu_usage_seconds_total{container="web",namespace="shop",pod="web-8566b69bb8-7c68l"} 1.560578632 1795221790653`)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	var series Series
	for b.Loop() {
		if err := series.Parse(line); err != nil {
			b.Fatal(err)
		}
	}
}

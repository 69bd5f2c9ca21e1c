// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package exposition

import (
	"bytes"
	"testing"
)

// plainly is what ParseSample and ParseUint make of a line that begins where ParsePlain
// does; ok is false where they refuse it.
func plainly(rest []byte, places int) (p Plain, ok bool) {
	line, _, found := bytes.Cut(rest, []byte("\n"))
	if !found {
		return p, false
	}
	sample, err := ParseSample(line)
	if err != nil {
		return p, false
	}
	value, err := ParseUint(sample.Value, places)
	return Plain{Value: value, Timestamp: sample.Timestamp, Size: len(line) + 1}, err == nil
}

func TestParsePlain(t *testing.T) {
	for _, test := range []struct {
		rest   string
		places int
		want   Plain
	}{
		{" 0 1795221793277\nnext", 0, Plain{0, 1795221793277, 17}},
		{" 12.345678 1795221793277\n", 9, Plain{12345678000, 1795221793277, 25}},
		{" 1.7952217499309999e+09\n", 3, Plain{1795221749930, 0, 24}},
		{" 2.048e+03 1000000000000\n", 0, Plain{2048, 1000000000000, 25}},
		{" 1e-05 9999999999999\n", 9, Plain{10000, 9999999999999, 21}},
		{" 9223372036854775807\n", 0, Plain{1<<63 - 1, 0, 21}},
		{" 0.0000000001\n", 9, Plain{0, 0, 14}},
		{" 5.\n", 0, Plain{5, 0, 4}},
	} {
		if got := ParsePlain([]byte(test.rest), test.places); got != test.want {
			t.Errorf("%q: got %+v, want %+v", test.rest, got, test.want)
		}
		if got, ok := plainly([]byte(test.rest), test.places); got != test.want || !ok {
			t.Errorf("%q: the plain way gives %+v, %v", test.rest, got, ok)
		}
	}
	for _, rest := range []string{
		"", " ", " 1", "1\n", "  1\n", " 1 \n", " \n", " .\n", " 1.2.3\n", " -1\n", " +1\n", " NaN\n", " +Inf\n", " 1e\n", " 1e+\n",
		" 1e+5\n", " 1e+005\n", " 1e05\n", " 1e+99\n", " 9223372036854775808\n", " 12345678901234567890\n", " 1 179522179327\n",
		" 1 17952217932770\n", " 1 1795221793277", " 1 1795221793277 \n", " 1 179522179327x\n", " 1 1795x21793277\n", " 1\t1795221793277\n",
		" 1 0000000000001\n", " 1 -795221793277\n", " 1\r\n", " 0x10\n", " 1_0\n", " 1 179522:793277\n", " 1 1795/21793277\n",
	} {
		if got := ParsePlain([]byte(rest), 0); got != (Plain{}) {
			t.Errorf("%q: got %+v", rest, got)
		}
	}
}

// FuzzPlain holds that ParsePlain says what the two functions say in whose place it
// stands, or nothing.
func FuzzPlain(f *testing.F) {
	for _, seed := range []string{" 12.5 1795221793277\n", " 1.7952217499309999e+09\n", " 1e-05 1795221793277\nrest", " 9.3e+18\n", " 00.10\n"} {
		f.Add([]byte(seed), 9)
	}
	f.Fuzz(func(t *testing.T, rest []byte, places int) {
		places &= 15
		before := bytes.Clone(rest)
		got := ParsePlain(rest, places)
		if !bytes.Equal(rest, before) {
			t.Fatal("the body was written")
		}
		if got.Size == 0 {
			if got != (Plain{}) {
				t.Fatalf("nothing is %+v", got)
			}
			return
		}
		if want, ok := plainly(rest, places); !ok || got != want {
			t.Errorf("%q: got %+v, want %+v, %v", rest, got, want, ok)
		}
	})
}

// BenchmarkParsePlain reads what a kubelet writes of a container's CPU.
func BenchmarkParsePlain(b *testing.B) {
	rest := []byte(" 3719.458203 1795221793277\n")
	for b.Loop() {
		if ParsePlain(rest, 9).Size == 0 {
			b.Fatal("not plain")
		}
	}
}

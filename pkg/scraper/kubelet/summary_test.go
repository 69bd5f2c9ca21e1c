// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/exposition"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage"
)

// sampled is a batch with two containers, n/p/a at 100 ns of CPU and n/p/b at
// huge, and the node at 5,000 ns.
func sampled() storage.Batch {
	layout, _ := storage.NewLayout([]storage.ContainerKey{{Namespace: "n", Pod: "p", Container: "a"}, {Namespace: "n", Pod: "p", Container: "b"}})
	return storage.Batch{
		Usage:   storage.Sample{Time: 1, CPU: 5000, Has: storage.HasCPU},
		Layout:  layout,
		Samples: []storage.Sample{{Time: 1, CPU: 100, Has: storage.HasCPU}, {Time: 1, CPU: huge, Has: storage.HasCPU}},
	}
}

// huge is a counter that a float64 rounds by up to 512.
const huge = 1 << 62

func TestSummary(t *testing.T) {
	pod := func(containers string) string {
		return `{"pods":[{"podRef":{"name":"p","namespace":"n"},"containers":[` + containers + `]}]}`
	}
	for _, test := range []struct {
		name, body, want string
	}{
		{"nothing", `{}`, "node 0, [0 0], 0 taken of 0"},
		{"nulls", `{"node":null,"pods":null}`, "node 0, [0 0], 0 taken of 0"},
		{"nulls within", `{"node":{"cpu":null},"pods":[null,{"podRef":null,"containers":null},{"containers":[null,{"name":null,"cpu":{"usageNanoCores":null}}]}]}`, "node 0, [0 0], 0 taken of 2"},
		{"the node", `{"node":{"cpu":{"usageCoreNanoSeconds":5000,"usageNanoCores":7}}}`, "node 7, [0 0], 1 taken of 0"},
		{"the node at another moment", `{"node":{"cpu":{"usageCoreNanoSeconds":5002,"usageNanoCores":7}}}`, "node 0, [0 0], 0 taken of 0, 1 moved"},
		{"a container", pod(`{"name":"a","cpu":{"usageCoreNanoSeconds":100,"usageNanoCores":7}}`), "node 0, [7 0], 1 taken of 1"},
		{"in another order", `{"pods":[{"containers":[{"cpu":{"usageNanoCores":7,"x":[{}],"usageCoreNanoSeconds":100},"name":"a"}],"podRef":{"namespace":"n","name":"p"}}],"node":{}}`, "node 0, [7 0], 1 taken of 1"},
		{"0 is unknown", pod(`{"name":"a","cpu":{"usageCoreNanoSeconds":100,"usageNanoCores":0}}`), "node 0, [0 0], 0 taken of 1"},
		{"0 at another moment", pod(`{"name":"a","cpu":{"usageCoreNanoSeconds":98,"usageNanoCores":0}}`), "node 0, [0 0], 0 taken of 1"},
		{"no cumulative value", pod(`{"name":"a","cpu":{"usageNanoCores":7}}`), "node 0, [0 0], 0 taken of 1"},
		{"rounded", pod(`{"name":"a","cpu":{"usageCoreNanoSeconds":99,"usageNanoCores":7}}`), "node 0, [7 0], 1 taken of 1"},
		{"another moment", pod(`{"name":"a","cpu":{"usageCoreNanoSeconds":98,"usageNanoCores":7}}`), "node 0, [0 0], 0 taken of 1, 1 moved"},
		{"rounded by float64", pod(fmt.Sprintf(`{"name":"b","cpu":{"usageCoreNanoSeconds":%d,"usageNanoCores":7}}`, huge+1024)), "node 0, [0 7], 1 taken of 1"},
		{"not rounded that far", pod(fmt.Sprintf(`{"name":"b","cpu":{"usageCoreNanoSeconds":%d,"usageNanoCores":7}}`, huge+1025)), "node 0, [0 0], 0 taken of 1, 1 moved"},
		{"an unknown container", pod(`{"name":"c","cpu":{"usageCoreNanoSeconds":100,"usageNanoCores":7}}`), "node 0, [0 0], 0 taken of 1"},
		{"an unknown pod", `{"pods":[{"podRef":{"name":"p","namespace":"m"},"containers":[{"name":"a","cpu":{"usageCoreNanoSeconds":100,"usageNanoCores":7}}]}]}`, "node 0, [0 0], 0 taken of 1"},
		{"escapes", pod(`{"n\u0061me":"\u0061","cpu":{"usageCoreNanoSeconds":100,"usageNanoCores":7}}`), "node 0, [7 0], 1 taken of 1"},
		{"the first of two", pod(`{"name":"a","cpu":{"usageCoreNanoSeconds":100,"usageNanoCores":7}},{"name":"a","cpu":{"usageCoreNanoSeconds":100,"usageNanoCores":8}}`), "node 0, [7 0], 1 taken of 2"},
		{"negative and too big", pod(`{"name":"a","cpu":{"usageCoreNanoSeconds":-100,"usageNanoCores":18446744073709551615}}`), "node 0, [0 0], 0 taken of 1, refused negative=1 overflow=1"},

		{"empty", ``, "malformed summary at 0"},
		{"a page", `<html>`, "malformed summary at 0"},
		{"null", `null`, "malformed summary at 0"},
		{"an array", `[]`, "malformed summary at 0"},
		{"two values", `{}{}`, "malformed summary at 2"},
		{"cut short", `{"pods":[`, "malformed summary at 9"},
		{"pods of another kind", `{"pods":{}}`, "malformed summary at 8"},
		{"a name of another kind", pod(`{"name":1}`), "malformed summary at 70"},
		{"a number of another kind", pod(`{"cpu":{"usageNanoCores":"1"}}`), "malformed summary at 87"},
		{"estimates before a fault", strings.TrimSuffix(pod(`{"name":"a","cpu":{"usageCoreNanoSeconds":100,"usageNanoCores":7}}`), "}"), "malformed summary at 131"},
		{"too deep", `{"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "malformed summary at 37"},
		{"too many containers", pod(`{},{},{},{},{}`), "too many containers at 74"},
		{"too many pods", `{"pods":[{},{},{},{},{}]}`, "too many containers at 21"},
	} {
		t.Run(test.name, func(t *testing.T) {
			batch := sampled()
			batch.Estimates, batch.UsageEstimate = []uint64{9, 9}, 9
			stats, err := NewDecoder(Options{MaxContainers: 4}).Summary([]byte(test.body), &batch)
			got := describeSummary(&batch, &stats, err)
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if err != nil && (batch.Estimates != nil || batch.UsageEstimate != 0) {
				t.Errorf("there are estimates %v, %d after an error", batch.Estimates, batch.UsageEstimate)
			}
		})
	}
}

func describeSummary(batch *storage.Batch, stats *Stats, err error) string {
	if err != nil {
		var at int
		if _, scanErr := fmt.Sscanf(err.Error(), "read summary: byte %d:", &at); scanErr != nil {
			return err.Error()
		}
		for _, sentinel := range []error{ErrMalformed, ErrTooManyContainers} {
			if errors.Is(err, sentinel) {
				return fmt.Sprintf("%v at %d", sentinel, at)
			}
		}
		return err.Error()
	}
	s := fmt.Sprintf("node %d, %d, %d taken of %d", batch.UsageEstimate, batch.Estimates, stats.Series, stats.Containers)
	if stats.Moved > 0 {
		s += fmt.Sprintf(", %d moved", stats.Moved)
	}
	if stats.RefusedTotal() > 0 {
		s += ", refused"
		for reason := range Reasons {
			if n := stats.Refused[reason]; n > 0 {
				s += fmt.Sprintf(" %s=%d", reason, n)
			}
		}
	}
	return s
}

func TestSummaryWithoutContainers(t *testing.T) {
	batch := storage.Batch{Usage: storage.Sample{CPU: 5000, Has: storage.HasCPU}}
	if _, err := NewDecoder(Options{}).Summary(recorded(t, 1, "stats-summary.json"), &batch); err != nil || batch.Estimates != nil {
		t.Errorf("got %v, %v", batch.Estimates, err)
	}
}

// member is one member of an object. encoding/json's own decoding to structs
// is no reference: it takes keys in any case and mixes doubled ones.
type member struct {
	key   string
	value any
}

// referenceJSON is the value that decoder comes to next, objects as []member.
func referenceJSON(decoder *json.Decoder) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		members := []member{}
		for decoder.More() {
			key, err := decoder.Token()
			if err != nil {
				return nil, err
			}
			value, err := referenceJSON(decoder)
			if err != nil {
				return nil, err
			}
			members = append(members, member{key.(string), value})
		}
		_, err = decoder.Token()
		return members, err
	case json.Delim('['):
		elements := []any{}
		for decoder.More() {
			element, err := referenceJSON(decoder)
			if err != nil {
				return nil, err
			}
			elements = append(elements, element)
		}
		_, err = decoder.Token()
		return elements, err
	}
	return token, nil
}

// referenceSummary is what describeSummary says of a summary by encoding/json;
// ok is false where the summary is refused.
func referenceSummary(body string, batch storage.Batch, maxContainers int) (description string, ok bool) {
	if !json.Valid([]byte(body)) || !utf8.ValidString(body) || jsonDepth(body) > maxDepth {
		return "", false
	}
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.UseNumber()
	root, err := referenceJSON(decoder)
	if err != nil {
		return "", false
	}
	type badForm struct{}
	defer func() {
		if r := recover(); r != nil {
			if r != any(badForm{}) {
				panic(r)
			}
			description, ok = "", false
		}
	}()
	object := func(value any) []member {
		members, ok := value.([]member)
		if !ok && value != nil {
			panic(badForm{})
		}
		return members
	}
	array := func(value any) []any {
		elements, ok := value.([]any)
		if !ok && value != nil {
			panic(badForm{})
		}
		return elements
	}
	text := func(value any) string {
		s, ok := value.(string)
		if !ok && value != nil {
			panic(badForm{})
		}
		return s
	}
	var stats Stats
	number := func(value any) (uint64, bool) {
		n, ok := value.(json.Number)
		if !ok && value != nil {
			panic(badForm{})
		}
		if value == nil {
			return 0, false
		}
		u, err := exposition.ParseUint([]byte(n), 0)
		if err != nil {
			stats.refuse(Refusal{Reason: numberReason(err)})
		}
		return u, err == nil
	}
	readCPU := func(value any) (total, rate uint64, known bool) {
		for _, m := range object(value) {
			switch m.key {
			case "usageCoreNanoSeconds":
				total, known = number(m.value)
			case "usageNanoCores":
				rate, _ = number(m.value)
			}
		}
		return total, rate, known
	}
	same := func(total uint64, sample storage.Sample) bool {
		return sample.Has&storage.HasCPU != 0 && math.Abs(float64(int64(total)-int64(sample.CPU))) <= max(1, math.Ldexp(float64(total), -52))
	}
	// take sets the estimate where it is missing, if it is of the sample's moment.
	take := func(estimate *uint64, total, rate uint64, known bool, sample storage.Sample) {
		switch {
		case *estimate != 0 || rate == 0 || !known:
		case same(total, sample):
			*estimate = rate
			stats.Series++
		default:
			stats.Moved++
		}
	}

	batch.Estimates = make([]uint64, len(batch.Samples))
	pods := 0
	readContainers := func(namespace, pod string, value any) {
		for _, container := range array(value) {
			var name string
			var total, rate uint64
			var known bool
			if stats.Containers++; stats.Containers > maxContainers {
				panic(badForm{})
			}
			for _, m := range object(container) {
				switch m.key {
				case "name":
					name = text(m.value)
				case "cpu":
					total, rate, known = readCPU(m.value)
				}
			}
			for row, candidate := range []string{"a", "b"} {
				if namespace == "n" && pod == "p" && name == candidate {
					take(&batch.Estimates[row], total, rate, known, batch.Samples[row])
				}
			}
		}
	}
	if root == nil {
		return "", false
	}
	for _, top := range object(root) {
		switch top.key {
		case "node":
			var total, rate uint64
			var known bool
			for _, m := range object(top.value) {
				if m.key == "cpu" {
					total, rate, known = readCPU(m.value)
				}
			}
			take(&batch.UsageEstimate, total, rate, known, batch.Usage)
		case "pods":
			for _, pod := range array(top.value) {
				if pods++; pods > maxContainers {
					panic(badForm{})
				}
				var namespace, name string
				var named bool
				var later any
				for _, m := range object(pod) {
					switch m.key {
					case "podRef":
						namespace, name, named = "", "", false
						for _, ref := range object(m.value) {
							switch ref.key {
							case "namespace":
								namespace = text(ref.value)
							case "name":
								name = text(ref.value)
								named = ref.value != nil
							}
						}
					case "containers":
						if named {
							readContainers(namespace, name, m.value)
						} else {
							later = m.value
						}
					}
				}
				readContainers(namespace, name, later)
			}
		}
	}
	return describeSummary(&batch, &stats, nil), true
}

// jsonDepth is how deep a valid JSON text is nested.
func jsonDepth(body string) (deepest int) {
	decoder := json.NewDecoder(strings.NewReader(body))
	depth := 0
	for {
		token, err := decoder.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		deepest = max(deepest, depth)
	}
}

// FuzzSummary compares with encoding/json.
func FuzzSummary(f *testing.F) {
	for _, body := range []string{
		`{"node":{"cpu":{"usageCoreNanoSeconds":5000,"usageNanoCores":7}},"pods":[{"podRef":{"name":"p","namespace":"n"},"containers":[{"name":"a","cpu":{"usageCoreNanoSeconds":100,"usageNanoCores":7}},{"name":"b","cpu":{"usageCoreNanoSeconds":4611686018427387904,"usageNanoCores":1e3}}]}]}`,
		`{"node":{"cpu":{"usageCoreNanoSeconds":5,"usageNanoCores":7}},"pods":[{"podRef":{"name":"p","namespace":"n"},"containers":[{"name":"a","cpu":{"usageCoreNanoSeconds":10,"usageNanoCores":7}}]}]}`,
		`{"pods":[{"containers":[{"cpu":{"usageNanoCores":7,"usageCoreNanoSeconds":100},"name":"a"}],"podRef":{"namespace":"n","name":"p"}}],"node":{}}`,
		`{"node":null,"pods":[null,{"podRef":null,"containers":[null]}]}`, `{"pods":[{},{},{},{},{}]}`, `{"n\u006fde":{"cpu":{"usageNanoCores":-1}}}`, `null`, `{"x":[[[[true,false,null,"\ud800",-0.1e+5]]]]}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		want, ok := referenceSummary(body, sampled(), 4)
		batch := sampled()
		owned := []byte(body)
		stats, err := NewDecoder(Options{MaxContainers: 4}).Summary(owned, &batch)
		if !bytes.Equal(owned, []byte(body)) {
			t.Fatal("the body was written to")
		}
		if (err == nil) != ok {
			t.Fatalf("%q: got error %v, want %q, %v", body, err, want, ok)
		}
		if got := describeSummary(&batch, &stats, err); ok && got != want {
			t.Fatalf("%q:\n got %s\nwant %s", body, got, want)
		}
	})
}

// FuzzJSON compares what is well formed with what encoding/json says of it.
func FuzzJSON(f *testing.F) {
	for _, body := range []string{`{}`, `[1,-0,0.5e-3,"a\u00e9\n",true,null,{"a":[]}]`, `01`, `"\x"`, "\"\t\"", `[1,]`, `{"a"}`, strings.Repeat("[", 40), "1\x00", `"\`, ` "" `} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		want := json.Valid([]byte(body)) && utf8.ValidString(body) && jsonDepth(body) <= maxDepth
		reader := jsonReader{body: []byte(body)}
		if got := reader.document(reader.skip); got != want || reader.at > len(body) {
			t.Fatalf("%q is well formed: %v, want %v (at %d)", body, got, want, reader.at)
		}
	})
}

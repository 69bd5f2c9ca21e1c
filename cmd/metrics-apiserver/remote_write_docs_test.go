// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/configfile"
)

// TestReceiversInDocs reads each configuration of docs/remote-write-receivers.md as
// the server does, and looks for the receivers that are promised.
func TestReceiversInDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/remote-write-receivers.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	for _, block := range blocks {
		config, err := configfile.Parse("remote-write-receivers.md", []byte(block[1]))
		if err != nil {
			t.Errorf("%v\n%s", err, block[1])
			continue
		}
		if err := checkSinks(config); err != nil {
			t.Errorf("%v\n%s", err, block[1])
		}
		for _, sink := range config.RemoteWrite {
			for i := 0; i+1 < len(sink.Content); i += 2 {
				if sink.Content[i].Value == "name" {
					names[sink.Content[i+1].Value] = true
				}
			}
		}
		if len(config.RemoteWrite) == 0 {
			t.Errorf("nothing is shipped:\n%s", block[1])
		}
	}
	for name := range strings.FieldsSeq("prometheus victoria-metrics mimir thanos influxdb grafana-cloud amazon azure google new-relic elastic") {
		if !names[name] {
			t.Errorf("there is no configuration for %s", name)
		}
	}
	if blocks := strings.Count(string(page), "```yaml"); blocks != 13 {
		t.Errorf("there are %d configurations, want 13", blocks)
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/component-base/version"
)

// TestFlags holds that every flag of metrics-server v0.9.0 is here, with its
// shorthand and its default. testdata/metrics-server-flags.txt was read off its
// --help.
func TestFlags(t *testing.T) {
	want, err := os.ReadFile("testdata/metrics-server-flags.txt")
	if err != nil {
		t.Fatal(err)
	}
	// What differs on purpose; DECISIONS.md says why.
	differ := map[string]string{
		"authorization-webhook-cache-authorized-ttl": "1m0s",
		"profiling": "false",
	}
	// What is ours alone.
	added := map[string]bool{
		"kubelet-summary": true, "kubelet-gzip": true, "serving-ca-secret": true, "remote-write-lease": true,
		"custom-metrics": true, "custom-metrics-always": true, "external-metrics": true, "config": true, "history-max-bytes": true,
	}
	for _, bound := range []string{"body-bytes", "compressed-bytes", "in-flight-bytes", "line-bytes", "series", "containers"} {
		added["kubelet-max-"+bound] = true
	}

	flags := newCommand().Flags()
	theirs := map[string]bool{}
	for line := range strings.Lines(string(want)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		theirs[name] = true
		flag := flags.Lookup(name)
		if flag == nil {
			t.Errorf("--%s is missing", name)
			continue
		}
		if d, ok := differ[name]; ok {
			value = d
		}
		if flag.DefValue != value {
			t.Errorf("--%s is %q by default, want %q", name, flag.DefValue, value)
		}
	}
	flags.VisitAll(func(flag *pflag.Flag) {
		if !theirs[flag.Name] && !added[flag.Name] {
			t.Errorf("--%s is not metrics-server's, and not in the list of what we add", flag.Name)
		}
	})
	if flags.ShorthandLookup("l") == nil || flags.ShorthandLookup("l").Name != "node-selector" {
		t.Error("-l is not --node-selector")
	}
}

// TestValidate holds what is refused, and that the text names the flag and what
// to do.
func TestValidate(t *testing.T) {
	for _, test := range []struct {
		args string
		want []string // parts of the error; none: no error
	}{
		{"", nil},
		{"--metric-resolution=15s", nil},
		{"--metric-resolution=15s --kubelet-insecure-tls --node-selector=a=b,c!=d,!e", nil},
		{"--metric-resolution=9s", []string{"--metric-resolution is 9s: must be at least 10s"}},
		{"--metric-resolution=10s", []string{"--kubelet-request-timeout is 10s", "nine tenths"}},
		{"--kubelet-request-timeout=0s", []string{"--kubelet-request-timeout is 0s: must be more than 0"}},
		{"--kubelet-certificate-authority=a --kubelet-insecure-tls", []string{"--kubelet-certificate-authority", "--kubelet-insecure-tls", "exclude each other"}},
		{"--kubelet-certificate-authority=a --deprecated-kubelet-completely-insecure", []string{"exclude each other"}},
		{"--kubelet-insecure-tls --deprecated-kubelet-completely-insecure", []string{"exclude each other"}},
		{"--kubelet-client-key=a", []string{"go together"}},
		{"--kubelet-client-certificate=a", []string{"go together"}},
		{"--kubelet-client-certificate=a --kubelet-client-key=b --deprecated-kubelet-completely-insecure", []string{"exclude each other"}},
		{"--kubelet-port=0", []string{"--kubelet-port is 0: must be from 1 to 65535"}},
		{"--kubelet-preferred-address-types=InternalIP,Carrier", []string{`has "Carrier"`, "the types are Hostname"}},
		{"--node-selector=a=b=c", []string{`--node-selector "a=b=c"`}},
		{"--kubelet-max-series=0", []string{"--kubelet-max-series is 0: must be at least 1"}},
		{"--kubelet-max-body-bytes=33554432", []string{"--kubelet-max-in-flight-bytes", "at least twice"}},
		{"--kubelet-max-line-bytes=65536", []string{"at most 65535"}},
		{"--custom-metrics", nil},
		{"--custom-metrics --custom-metrics-always=threads,cpu_usage_cores", nil},
		{"--custom-metrics --custom-metrics-always=*", nil},
		{"--external-metrics --config=/config.yaml", nil},
		{"--external-metrics", []string{"--external-metrics is of no use without --config"}},
		{"--custom-metrics-always=threads", []string{"--custom-metrics-always is of no use without --custom-metrics"}},
		{"--custom-metrics --custom-metrics-always=threads,http_requests", []string{`--custom-metrics-always: there is no metric "http_requests"`, "network_receive_bytes_per_second"}},
		{"--secure-port=70000", []string{"--secure-port 70000"}},
		{"--metric-resolution=1s --kubelet-port=99999", []string{"--metric-resolution", "--kubelet-port"}},
	} {
		t.Run(test.args, func(t *testing.T) {
			o := newOptions()
			set := pflag.NewFlagSet("", pflag.ContinueOnError)
			sections := o.flags()
			for _, section := range sections.FlagSets {
				set.AddFlagSet(section)
			}
			if err := set.Parse(strings.Fields(test.args)); err != nil {
				t.Fatal(err)
			}
			err := o.validate()
			if (err != nil) != (test.want != nil) {
				t.Fatalf("got %v", err)
			}
			for _, part := range test.want {
				if !strings.Contains(fmt.Sprint(err), part) {
					t.Errorf("%q is not in %q", part, err)
				}
			}
		})
	}
}

// TestComplete holds where the delegation kubeconfigs come from.
func TestComplete(t *testing.T) {
	for _, test := range []struct {
		inCluster                 bool
		kubeconfig, given, wanted string
	}{
		{false, "", "", ""},
		{false, "a", "", "a"},
		{false, "a", "b", "b"},
		{true, "a", "", ""},
		{true, "a", "b", "b"},
	} {
		o := newOptions()
		o.kubeconfig = test.kubeconfig
		o.authentication.RemoteKubeConfigFile, o.authorization.RemoteKubeConfigFile = test.given, test.given
		o.complete(test.inCluster)
		if got := o.authentication.RemoteKubeConfigFile; got != test.wanted {
			t.Errorf("%+v: authentication with %q", test, got)
		}
		if got := o.authorization.RemoteKubeConfigFile; got != test.wanted {
			t.Errorf("%+v: authorization with %q", test, got)
		}
	}
}

// TestCommand runs what needs no cluster.
func TestCommand(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	for _, test := range []struct{ args, out, err string }{
		{"--version", "v", ""},
		{"--help", "metric-resolution", ""},
		{"--nonsense", "", "unknown flag: --nonsense"},
		{"argument", "", "unknown command"},
		{"--metric-resolution=1s", "", "--metric-resolution"},
		{"--kubeconfig=/does/not/exist", "", "read --kubeconfig /does/not/exist"},
		{"", "", "give --kubeconfig"},
	} {
		t.Run(test.args, func(t *testing.T) {
			var out bytes.Buffer
			// Logging can be set up once a process.
			if err := logsapi.ResetForTest(nil); err != nil {
				t.Fatal(err)
			}
			command := newCommand()
			command.SilenceErrors = true
			command.SetOut(&out)
			command.SetErr(&out)
			command.SetArgs(strings.Fields(test.args))
			err := command.Execute()
			if (err != nil) != (test.err != "") || !strings.Contains(fmt.Sprint(err), test.err) {
				t.Errorf("error %v, want %q", err, test.err)
			}
			if !strings.Contains(out.String(), test.out) {
				t.Errorf("printed %q, want %q", out.String(), test.out)
			}
		})
	}
}

// TestServerConfigOfAnyVersion holds that the server starts whatever its build
// calls it: a checkout without a tag is called by its commit.
func TestServerConfigOfAnyVersion(t *testing.T) {
	for _, name := range []string{"v0.0.0-fbc7b3b-dirty", "v0.1.0"} {
		if err := version.SetDynamicVersion(name); err != nil {
			t.Logf("%s: %v", name, err)
		}
		o := newOptions()
		o.serving.ServerCert.CertDirectory = t.TempDir()
		var err error
		if o.serving.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { o.serving.Listener.Close() })
		o.authentication.RemoteKubeConfigFileOptional, o.authorization.RemoteKubeConfigFileOptional = true, true
		config, err := o.serverConfig()
		if err != nil {
			t.Fatal(err)
		}
		if got := config.EffectiveVersion.BinaryVersion().String(); got != version.DefaultKubeBinaryVersion {
			t.Errorf("%s: features of Kubernetes %s, want %s", name, got, version.DefaultKubeBinaryVersion)
		}
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

func TestServingCAFlag(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string // Empty: no error.
	}{
		{nil, ""},
		{[]string{"--serving-ca-secret=kube-system/metrics-server-ca", "--cert-dir=/tmp"}, ""},
		{[]string{"--serving-ca-secret=metrics-server-ca"}, `--serving-ca-secret is "metrics-server-ca": must be NAMESPACE/NAME`},
		{[]string{"--serving-ca-secret=/ca"}, `"" is no name of a namespace`},
		{[]string{"--serving-ca-secret=kube-system/"}, `"" is no name of a Secret`},
		{[]string{"--serving-ca-secret=a/b/c"}, `"b/c" is no name of a Secret`},
		{[]string{"--serving-ca-secret=a/b", "--tls-cert-file=x", "--tls-private-key-file=y"}, "exclude each other"},
		{[]string{"--serving-ca-secret=a/b", "--secure-port=0"}, "--secure-port=0"},
	} {
		o := newOptions()
		command := newCommand()
		command.ResetFlags()
		for _, set := range o.flags().FlagSets {
			command.Flags().AddFlagSet(set)
		}
		if err := command.ParseFlags(test.args); err != nil {
			t.Errorf("%q: %v", test.args, err)
			continue
		}
		err := o.validate()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%q: %v, want %q", test.args, err, test.want)
		}
	}
}

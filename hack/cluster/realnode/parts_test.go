// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package realnode

import (
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestOptions(t *testing.T) {
	for name, tc := range map[string]struct {
		opts Options
		want string
	}{
		"no directory":  {Options{}, "Dir is empty"},
		"capitals":      {Options{Dir: "x", Name: "Real"}, "is not up to 20"},
		"a path":        {Options{Dir: "x", Name: "../x"}, "is not up to 20"},
		"too long":      {Options{Dir: "x", Name: strings.Repeat("a", 21)}, "is not up to 20"},
		"a wrong minor": {Options{Dir: "x", Minor: "1.0"}, `"1.0" is not supported`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := tc.opts.withDefaults(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error is %v, want one with %q", err, tc.want)
			}
		})
	}
	o, err := Options{Dir: "x"}.withDefaults()
	if err != nil || !filepath.IsAbs(o.Dir) || o.Name != "real" || o.NodeName != "node-1" || o.Minor == "" || o.ReadyTimeout == 0 {
		t.Errorf("defaults are %+v, error %v", o, err)
	}
}

func TestPlanNetwork(t *testing.T) {
	n, err := planNetwork("test")
	if err != nil {
		t.Fatal(err)
	}
	again, err := planNetwork("test")
	if err != nil || again != n {
		t.Errorf("the second plan is %+v (%v), want the first, %+v", again, err, n)
	}
	if len(n.Link) > 15 {
		t.Errorf("%s is too long for an interface", n.Link)
	}
	if !n.Services.Contains(n.APIAddress) || n.Services.Overlaps(n.Pods) || n.Pods.Contains(n.NodeAddress) {
		t.Errorf("the ranges do not fit together: %+v", n)
	}
	other, err := planNetwork("other")
	if err != nil || other.Namespace == n.Namespace || other.Link == n.Link {
		t.Errorf("another name has the network %+v (%v), the same as %+v", other, err, n)
	}
}

func TestOverlapsAny(t *testing.T) {
	whole := netip.MustParsePrefix("10.200.0.0/16")
	if overlapsAny(whole, []netip.Prefix{netip.MustParsePrefix("10.201.0.0/16"), netip.MustParsePrefix("fe80::/64")}) {
		t.Error("networks beside it are taken for it")
	}
	for _, taken := range []string{"10.200.7.1/24", "10.0.0.1/8"} {
		if !overlapsAny(whole, []netip.Prefix{netip.MustParsePrefix(taken)}) {
			t.Errorf("%s is not seen to be in it", taken)
		}
	}
}

func TestNodeProblem(t *testing.T) {
	node := func(taint corev1.TaintEffect, ready corev1.ConditionStatus) *corev1.Node {
		n := new(corev1.Node)
		if taint != "" {
			n.Spec.Taints = []corev1.Taint{{Key: "some/taint", Effect: taint}}
		}
		if ready != "" {
			n.Status.Conditions = []corev1.NodeCondition{
				{Type: corev1.NodeDiskPressure, Status: corev1.ConditionFalse},
				{Type: corev1.NodeReady, Status: ready, Reason: "Because"},
			}
		}
		return n
	}
	for name, tc := range map[string]struct {
		node *corev1.Node
		want string
	}{
		"ready":          {node("", corev1.ConditionTrue), ""},
		"discouraged":    {node(corev1.TaintEffectPreferNoSchedule, corev1.ConditionTrue), ""},
		"silent":         {node("", ""), "has not said"},
		"not ready":      {node("", corev1.ConditionFalse), "Because"},
		"ready, tainted": {node(corev1.TaintEffectNoSchedule, corev1.ConditionTrue), "some/taint"},
	} {
		t.Run(name, func(t *testing.T) {
			err := nodeProblem(tc.node)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("problem is %v, want %q", err, tc.want)
			}
		})
	}
}

func TestLogLinksOfOtherNodesStay(t *testing.T) {
	s := state{Dir: t.TempDir()}
	links, err := s.logLinks()
	if err != nil {
		t.Fatal(err)
	}
	if len(links) != 0 {
		t.Errorf("links %v are taken for ours", links)
	}
}

func TestClearWithoutNode(t *testing.T) {
	if _, err := os.Stat(stateFile); err == nil {
		t.Skip("this machine runs a real node")
	}
	if err := Clear(t.Context(), t.TempDir()); err != nil {
		t.Errorf("clear where there is nothing: %v", err)
	}
	if _, err := Open(t.TempDir(), nil); err == nil {
		t.Error("a node was opened that does not exist")
	}
}

func TestMountPoints(t *testing.T) {
	if _, err := os.Stat("/proc/self/mountinfo"); err != nil {
		t.Skip("this system has no mountinfo")
	}
	all, err := mountPoints("/")
	if err != nil || len(all) == 0 {
		t.Errorf("mounts are %v, error %v", all, err)
	}
	none, err := mountPoints(filepath.Join(t.TempDir(), "none"))
	if err != nil || len(none) != 0 {
		t.Errorf("mounts of an empty directory are %v, error %v", none, err)
	}
}

func TestConfigsHoldNoFormatErrors(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("this system has no /proc")
	}
	network, err := planNetwork("test")
	if err != nil {
		t.Fatal(err)
	}
	s := state{Dir: t.TempDir(), Network: network}
	if _, err := s.writeContainerdConfig("/plugins"); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(s.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), "%!") {
			t.Errorf("%s is badly formatted:\n%s", path, b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

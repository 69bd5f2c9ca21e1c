// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/metrics-apiserver/metrics-apiserver/hack/process"
)

func TestPortsAreDistinctAndFree(t *testing.T) {
	p := newPorts("127.0.0.1")
	defer p.release()
	seen := map[int]bool{}
	for range 50 {
		port, err := p.take()
		if err != nil {
			t.Fatal(err)
		}
		if seen[port] {
			t.Fatalf("port %d was chosen twice", port)
		}
		seen[port] = true
		if port < firstPort || port > lastPort {
			t.Errorf("port %d is out of range", port)
		}
	}
	p.release()
	for port := range seen {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			t.Errorf("a released port cannot be used: %v", err)
			continue
		}
		l.Close()
	}
}

func TestPortClashIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	p := &plan{opts: Options{SecurePort: port, BindAddress: "127.0.0.1"}}
	ports := newPorts("127.0.0.1")
	defer ports.release()
	err = p.takePorts(ports)
	if err == nil {
		t.Fatal("a port in use was taken")
	}
	for _, want := range []string{APIServer, strconv.Itoa(port), "address already in use"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
}

func TestPortsOfAForeignNamespaceAreOurs(t *testing.T) {
	// An address of TEST-NET-1, which this machine does not have.
	p := newPorts("192.0.2.1")
	defer p.release()
	if err := p.takeThis(443); err != nil {
		t.Error(err)
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		name string
		opts Options
		want string // part of the error
	}{
		{"no directory", Options{}, "Dir is empty"},
		{"bad address", Options{Dir: "x", BindAddress: "localhost"}, "BindAddress"},
		{"bad range", Options{Dir: "x", ServiceClusterIPRange: "10.0.0.0"}, "ServiceClusterIPRange"},
		{"unknown component", Options{Dir: "x", ExtraArgs: map[string][]string{"apiserver": nil}}, `ExtraArgs: there is no component "apiserver"`},
		{"unknown component's environment", Options{Dir: "x", ExtraEnv: map[string][]string{"apiserver": nil}}, `ExtraEnv: there is no component "apiserver"`},
	} {
		if _, err := c.opts.withDefaults(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v lacks %q", c.name, err, c.want)
		}
	}
	o, err := Options{Dir: "x"}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if !filepath.IsAbs(o.Dir) || o.Minor != Minors[0] || o.BindAddress != "127.0.0.1" {
		t.Errorf("defaults = %+v", o)
	}
}

func TestFirstServiceIP(t *testing.T) {
	for cidr, want := range map[string]string{"10.96.0.0/16": "10.96.0.1", "10.1.2.3/24": "10.1.2.1", "fd00::/108": "fd00::1"} {
		if got, err := firstServiceIP(cidr); err != nil || got != want {
			t.Errorf("firstServiceIP(%s) = %q, %v, want %q", cidr, got, err, want)
		}
	}
}

func TestExtrasWin(t *testing.T) {
	p := &plan{tools: map[string]string{Scheduler: "/bin/kube-scheduler"}, opts: Options{
		BindAddress: "127.0.0.1",
		ExtraArgs:   map[string][]string{Scheduler: {"--leader-elect=true"}},
		ExtraEnv:    map[string][]string{Scheduler: {"GOGC=50"}},
	}}
	scheduler := p.scheduler()
	if argv := scheduler.Argv; argv[0] != "/bin/kube-scheduler" || argv[len(argv)-1] != "--leader-elect=true" {
		t.Errorf("argv = %q", argv)
	}
	if env := scheduler.Env; env[len(env)-1] != "GOGC=50" {
		t.Errorf("environment = %q", env)
	}
}

// sample returns a cluster without a control plane, to which components can be
// added.
func sample(t *testing.T, dir string) *Cluster {
	t.Helper()
	opts, err := Options{Dir: dir, Detach: true}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	p := &plan{opts: opts, pki: pkiDir(dir), apiPort: 1}
	for _, d := range []string{p.pki, logDir(dir)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.writeCredentials(); err != nil {
		t.Fatal(err)
	}
	c, err := load(opts, p.url(p.apiPort), "/no/kubectl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop(t.Context()) })
	return c
}

func sleeper(name string) Component {
	return Component{Name: name, Argv: []string{"/bin/sh", "-c", "exec sleep 1000"}}
}

func TestOpenTakesOver(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir, io.Discard); !errors.Is(err, ErrNoCluster) {
		t.Errorf("open an empty directory: error %v, want %v", err, ErrNoCluster)
	}
	first := sample(t, dir)
	for _, name := range []string{"a", "b", "c"} {
		if err := first.Add(t.Context(), sleeper(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.StopComponent(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}

	second, err := Open(dir, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := second.Pid("a"), first.Pid("a"); got != want || got == 0 {
		t.Errorf("process of a = %d, want %d", got, want)
	}
	if second.Running("b") {
		t.Error("a stopped component is running")
	}
	if err := second.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	if err := second.StartComponent(t.Context(), "b"); err != nil {
		t.Errorf("start what another program has stopped: %v", err)
	}
	ids := map[string]process.ID{}
	for _, m := range second.members() {
		ids[m.Name] = m.running().ID()
	}
	if err := second.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, id := range ids {
		if id.Running() {
			t.Errorf("%s runs after Stop", name)
		}
	}
	if _, err := os.Stat(stateFile(dir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory still holds a cluster: %v", err)
	}
}

func TestCheckReportsACrash(t *testing.T) {
	c := sample(t, t.TempDir())
	if err := c.Add(t.Context(), Component{Name: "fragile", Argv: []string{"/bin/sh", "-c", "echo out of luck; read x </dev/null; exec sleep 1000"}}); err != nil {
		t.Fatal(err)
	}
	m, err := c.member("fragile")
	if err != nil {
		t.Fatal(err)
	}
	p, ok := process.Adopt(m.spec, m.running().ID())
	if !ok {
		t.Fatal("it is not running")
	}
	if err := p.Kill(); err != nil { // behind the cluster's back
		t.Fatal(err)
	}
	// The cluster's own run ends when the process has been reaped.
	for tick := time.Tick(time.Millisecond); m.running().Running(); <-tick {
	}
	err = c.Check(t.Context())
	if err == nil || !strings.Contains(err.Error(), "fragile: signal: killed") {
		t.Errorf("check: error %v does not name the crash", err)
	}
	if names, err := c.StartEnded(t.Context()); err != nil || len(names) != 1 || names[0] != "fragile" {
		t.Errorf("start after a crash: %q, %v", names, err)
	}
	if err := c.Check(t.Context()); err != nil {
		t.Errorf("check after a new start: %v", err)
	}
}

func TestAddShowsWhyAComponentFailed(t *testing.T) {
	c := sample(t, t.TempDir())
	err := c.Add(t.Context(), Component{
		Name:   "broken",
		Argv:   []string{"/bin/sh", "-c", "echo no such flag: --x; exit 1"},
		Health: "https://127.0.0.1:1/healthz",
	})
	if err == nil {
		t.Fatal("a component that ends is ready")
	}
	for _, want := range []string{"broken: exit status 1", "command: /bin/sh", "    no such flag: --x"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
}

func TestFailedChecks(t *testing.T) {
	for answer, want := range map[string]string{
		"[+]ping ok\n[-]etcd failed: reason withheld\n[-]log failed\nreadyz check failed\n": "[-]etcd failed: reason withheld, [-]log failed",
		"not found\n": "not found",
		"":            "",
	} {
		if got := failedChecks(answer); got != want {
			t.Errorf("failedChecks(%q) = %q, want %q", answer, got, want)
		}
	}
}

func TestNamesAreUnique(t *testing.T) {
	c := sample(t, t.TempDir())
	if err := c.Add(t.Context(), sleeper("one")); err != nil {
		t.Fatal(err)
	}
	if err := c.Add(t.Context(), sleeper("one")); err == nil {
		t.Error("a second component of the same name was started")
	}
	if err := c.StopComponent(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if err := c.Add(t.Context(), sleeper("one")); err != nil {
		t.Errorf("replace a stopped component: %v", err)
	}
	if got := len(c.members()); got != 1 {
		t.Errorf("%d components, want 1", got)
	}
	if err := c.StopComponent(t.Context(), "two"); err == nil {
		t.Error("an unknown component was stopped")
	}
}

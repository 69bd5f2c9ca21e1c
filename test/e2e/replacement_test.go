// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/metrics-apiserver/metrics-apiserver/hack/image"
	"github.com/metrics-apiserver/metrics-apiserver/hack/toolchain"
)

const (
	// metricsServer is the tool module that pins the real metrics-server.
	metricsServer = toolchain.Module("metrics-server")
	// metricsServerImage is the image it is put into.
	metricsServerImage = "metrics-server:e2e"
	// installDocument tells users how to install, replace and remove.
	installDocument = "manifests/README.md"
	// podRestart bounds how long an API may be away where it has to be: while a
	// pod starts. metrics-server's alone waits 20 s before its first probe.
	podRestart = time.Minute
	// brief bounds how long an API may be away where it need not be: one check
	// of a connection that a pod closed as it went.
	brief = 5 * time.Second
)

// TestReplacement takes the documented ways from metrics-server to us and back
// with pods on a real node, and measures what clients notice.
func TestReplacement(t *testing.T) {
	inLane(t, realLane)
	r := startReplacement(t)
	t.Run("new installation", r.testNewInstallation)
	t.Run("from its manifests and back", r.testManifests)
	t.Run("at once", r.testAtOnce)
	t.Run("from its chart", r.testChart)
}

// replacement is a real node with the images of both servers.
type replacement struct {
	*realSite
	// theirs is a kustomization of metrics-server's own manifests.
	theirs string
}

func startReplacement(t *testing.T) *replacement {
	t.Helper()
	dir := t.TempDir()
	r := &replacement{realSite: startRealSite(t, "replacement", "", nil), theirs: filepath.Join(dir, "metrics-server")}
	archive := filepath.Join(dir, "theirs.tar")
	writeMetricsServer(t, archive)
	if err := r.node.ImportImage(t.Context(), archive); err != nil {
		t.Fatal(err)
	}
	writeMetricsServerManifests(t, r.theirs)
	return r
}

// writeMetricsServer builds the pinned metrics-server into an image.
func writeMetricsServer(t *testing.T, archive string) {
	t.Helper()
	built, err := toolchain.Build(t.Context(), t.Output(), metricsServer)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	err = image.Write(f, image.Image{
		Reference:    metricsServerImage,
		Architecture: runtime.GOARCH,
		Files: []image.File{
			{Path: "/metrics-server", Source: built["metrics-server"], Mode: 0o755},
			{Path: "/tmp", Dir: true, Mode: 0o1777},
		},
		Entrypoint: []string{"/metrics-server"},
		User:       "65534:65534",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// writeMetricsServerManifests writes a kustomization of the manifests in the
// pinned metrics-server's own module, with the image built above.
func writeMetricsServerManifests(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	// This finds the module's directory, also where Go has to fetch it first.
	download := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", "sigs.k8s.io/metrics-server")
	download.Dir = filepath.Join(repository(t), "hack", "tools", string(metricsServer))
	out, err := download.Output()
	if err != nil {
		t.Fatalf("find the manifests of metrics-server: %v: %s", err, out)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	base, err := filepath.Rel(dir, filepath.Join(module.Dir, "manifests", "base"))
	if err != nil {
		t.Fatal(err)
	}
	name, tag, _ := strings.Cut(metricsServerImage, ":")
	kustomization := fmt.Sprintf(`
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [%s]
images: [{name: gcr.io/k8s-staging-metrics-server/metrics-server, newName: %s, newTag: %s}]
`, base, name, tag)
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(kustomization), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (r *replacement) testNewInstallation(t *testing.T) {
	// A new server has answers when its rollout is done; the document says so
	// by its last command, kubectl top. That asks kube-apiserver's discovery, which
	// follows an APIService's condition a moment later: a person is not as quick.
	documented(t, r.Cluster, installDocument, "## A new installation",
		"kubectl top nodes", "timeout 30 sh -c 'until kubectl top nodes; do sleep 1; done'")
	r.checkServed(t, image.ProductReference, "v1", "v1beta1")
	r.remove(t)
}

func (r *replacement) testManifests(t *testing.T) {
	r.kubectl(t, "apply", "-k", r.theirs)
	r.kubectl(t, "-n", "kube-system", "rollout", "status", "deployment/metrics-server", "--timeout=3m")
	r.checkServed(t, metricsServerImage, "v1beta1")

	watched := r.observe(t)
	documented(t, r.Cluster, installDocument, "### Installed from its manifests")
	r.checkServed(t, image.ProductReference, "v1", "v1beta1")
	watched.expect(t, "v1beta1 answers", brief)
	watched.expect(t, "v1beta1 is available", brief)
	watched.expect(t, "v1 is available", brief)

	watched = r.observe(t)
	documented(t, r.Cluster, installDocument, "## Back to metrics-server", "-f METRICS-SERVER-MANIFESTS", "-k "+r.theirs)
	r.checkServed(t, metricsServerImage, "v1beta1")
	watched.expect(t, "v1beta1 answers", brief)
	watched.expect(t, "v1beta1 is available", brief)
	watched.expect(t, "v1 is available", brief)
}

// testAtOnce applies the base over a running metrics-server in one step, which
// the document does not advise and says what it costs.
func (r *replacement) testAtOnce(t *testing.T) {
	watched := r.observe(t)
	r.kubectl(t, "apply", "-k", filepath.Join(repository(t), "manifests", "base"))
	r.kubectl(t, "-n", "kube-system", "rollout", "status", "deployment/metrics-server", "--timeout=3m")
	r.checkServed(t, image.ProductReference, "v1", "v1beta1")
	watched.expect(t, "v1beta1 answers", brief)
	watched.expect(t, "v1beta1 is available", brief)
	watched.expect(t, "v1 is available", podRestart)
	r.remove(t)
}

func (r *replacement) testChart(t *testing.T) {
	objects, err := os.ReadFile(filepath.Join("testdata", "metrics-server-chart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "chart.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(objects), "IMAGE", metricsServerImage)), 0o600); err != nil {
		t.Fatal(err)
	}
	r.kubectl(t, "create", "-f", file)
	r.kubectl(t, "-n", "kube-system", "rollout", "status", "deployment/metrics-server", "--timeout=3m")
	r.checkServed(t, metricsServerImage, "v1beta1")

	watched := r.observe(t)
	documented(t, r.Cluster, installDocument, "### Installed by its Helm chart")
	r.checkServed(t, image.ProductReference, "v1", "v1beta1")
	watched.expect(t, "v1beta1 answers", brief)
	watched.expect(t, "v1beta1 is available", brief)
	watched.expect(t, "v1 is available", brief)
	selector := r.kubectl(t, "-n", "kube-system", "get", "service", "metrics-server", "-o", "jsonpath={.spec.selector}")
	if selector != `{"k8s-app":"metrics-server"}` {
		t.Errorf("the Service selects by %s", selector)
	}
	if left := r.kubectl(t, "-n", "kube-system", "get", "secret", "-o", "name", "-l", "owner=helm"); left != "" {
		t.Errorf("Helm still knows the release by %s", left)
	}
	r.remove(t)
}

// remove removes us as documented and checks that namespaces can be deleted.
func (r *replacement) remove(t *testing.T) {
	t.Helper()
	documented(t, r.Cluster, installDocument, "## Removal")
	r.kubectl(t, "create", "namespace", "after-removal")
	r.kubectl(t, "delete", "namespace", "after-removal", "--timeout=30s")
	for left := range strings.FieldsSeq(r.kubectl(t, "get", "all,clusterroles,clusterrolebindings,apiservices", "-A", "-o", "name", "-l", "k8s-app=metrics-server")) {
		// A pod on its way out takes its grace period.
		if !strings.HasPrefix(left, "pod/") {
			t.Errorf("%s is left after the removal", left)
		}
	}
}

// checkServed waits until the versions and no others are registered and
// available, every pod runs the image, and there is usage.
func (r *replacement) checkServed(t *testing.T, imageName string, versions ...string) {
	t.Helper()
	var want strings.Builder
	for _, version := range versions {
		fmt.Fprintf(&want, "%s.metrics.k8s.io=True\n", version)
	}
	eventually(t, podRestart, fmt.Sprintf("%v served by %s", versions, imageName), func(ctx context.Context) error {
		got, err := r.Kubectl(ctx, "get", "apiservices", "-o",
			`jsonpath={range .items[?(@.spec.group=="metrics.k8s.io")]}{.metadata.name}={.status.conditions[?(@.type=="Available")].status}{"\n"}{end}`)
		if err != nil {
			return err
		}
		if got != want.String() {
			return fmt.Errorf("registered are %q, want %q", got, want.String())
		}
		// No other pods are in the namespace.
		images, err := r.Kubectl(ctx, "-n", "kube-system", "get", "pods", "--field-selector=status.phase=Running", "-o", `jsonpath={.items[*].spec.containers[*].image}`)
		if err != nil {
			return err
		}
		if images != imageName {
			return fmt.Errorf("pods run %q, want %q", images, imageName)
		}
		return r.hasUsage(ctx)
	})
	if out := r.kubectl(t, "top", "nodes", "--no-headers"); len(strings.Fields(out)) != 5 {
		t.Errorf("kubectl top nodes printed %q", out)
	}
}

// hasUsage says whether v1beta1, which both servers have, tells of the node.
func (r *replacement) hasUsage(ctx context.Context) error {
	nodes, err := r.metrics.MetricsV1beta1().NodeMetricses().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if len(nodes.Items) != 1 {
		return fmt.Errorf("%d nodes have usage", len(nodes.Items))
	}
	return nil
}

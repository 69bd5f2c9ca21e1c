// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/metrics-apiserver/metrics-apiserver/hack/cluster"
)

// caSecret is the Secret that components/verified-tls has.
const caSecret = "metrics-server-ca"

// verifiedAPIs are the APIServices whose bundle our server keeps.
var verifiedAPIs = []string{"v1.metrics.k8s.io", "v1beta1.metrics.k8s.io"}

// TestVerifiedTLS turns verification on as the manifests do, and has the real
// aggregation layer verify us while the bundle is broken and the CA is renewed.
func TestVerifiedTLS(t *testing.T) {
	inLane(t, simulatedLane)
	s := prepareSite(t, cluster.Minors[0], 1, "--serving-ca-secret=kube-system/"+caSecret)
	s.applyServingCA(t)
	s.startServer() // Its APIServices do not ask for verification yet.
	s.createWorkload("default", "web", 1, "50m", "64Mi", "0")
	s.waitForPods(t, 1)

	if bundle := s.caBundle(t, verifiedAPIs[0]); bundle != nil {
		t.Fatal("an APIService that does not ask for verification has a bundle")
	}
	for _, name := range verifiedAPIs {
		s.patchAPIService(t, name, `[{"op":"remove","path":"/spec/insecureSkipTLSVerify"}]`)
	}
	s.waitVerified(t, "verified from the first bundle on", 10*time.Second)
	if out, err := s.Kubectl(t.Context(), "top", "pods", "-A"); err != nil || !strings.Contains(out, "web-") {
		t.Errorf("kubectl top: %v\n%s", err, out)
	}

	t.Run("a wrong bundle", func(t *testing.T) { testWrongBundle(t, s) })
	t.Run("renewal under load", func(t *testing.T) { testRenewal(t, s) })
	t.Run("a restart", func(t *testing.T) {
		signer := s.servedBy(t)
		if err := s.KillComponent(serverName); err != nil {
			t.Fatal(err)
		}
		if err := s.StartComponent(t.Context(), serverName); err != nil {
			t.Fatal(err)
		}
		s.waitVerified(t, "verified after a restart", 30*time.Second)
		if now := s.servedBy(t); now != signer {
			t.Errorf("%s signs after a restart, and before it %s", now, signer)
		}
	})
}

// testWrongBundle takes away our server's right to mend the bundle, breaks it,
// sees that the API server refuses us, and gives the right back.
func testWrongBundle(t *testing.T, s *site) {
	foreign, _ := newTestCA(t, "foreign", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	breakIt := func() {
		t.Helper()
		for _, name := range verifiedAPIs {
			s.patchAPIService(t, name, `[{"op":"replace","path":"/spec/caBundle","value":"`+base64.StdEncoding.EncodeToString(foreign)+`"}]`)
		}
	}
	breakIt()
	s.waitVerified(t, "a wrong bundle is mended", 10*time.Second)

	if _, err := s.Kubectl(t.Context(), "delete", "clusterrolebinding", "metrics-server:serving-ca"); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "our server has lost its right", func(ctx context.Context) error {
		out, _ := s.Kubectl(ctx, "auth", "can-i", "patch", "apiservice/"+verifiedAPIs[0], "--as=system:serviceaccount:kube-system:metrics-server")
		if !strings.HasPrefix(out, "no") {
			return errors.New(strings.TrimSpace(out))
		}
		return nil
	})
	breakIt()
	eventually(t, time.Minute, "a wrong bundle makes the API unavailable", func(ctx context.Context) error {
		if _, err := s.metrics.MetricsV1beta1().NodeMetricses().List(ctx, metav1.ListOptions{}); err == nil {
			return errors.New("it answers")
		}
		service, err := s.apiService(ctx, "v1beta1.metrics.k8s.io")
		if err != nil {
			return err
		}
		if err := availableCondition(service); err == nil || !strings.Contains(err.Error(), "x509") {
			return fmt.Errorf("not because of a certificate: %w", err)
		}
		return nil
	})
	// To apply the manifests again leaves the CA alone.
	s.applyServingCA(t)
	s.waitVerified(t, "mended with the right to do so", 2*time.Minute)
}

// testRenewal gives our server a next CA whose time to sign comes in half a
// minute and which is itself old by then, and asks all the while: through the
// API server, and with a handshake of our own that trusts what the API server
// was told to before.
func testRenewal(t *testing.T, s *site) {
	const soon = 30 * time.Second
	// A CA signs a day after the hour that it was made in.
	next, nextKey := newTestCA(t, "next", time.Now().Add(-25*time.Hour+soon), time.Now().Add(10*time.Hour))
	old := s.servedBy(t)
	bundle := append(bytes.Clone(s.caBundle(t, verifiedAPIs[0])), next...)

	var asked, shaken, failed atomic.Int64
	fail := func(what string, err error) {
		if t.Context().Err() == nil && failed.Add(1) <= 5 {
			t.Errorf("%s: %v", what, err)
		}
	}
	loading, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	defer load.Wait()
	defer stop()
	repeat := func(what string, count *atomic.Int64, ask func() error) {
		load.Go(func() {
			for loading.Err() == nil {
				if err := ask(); err != nil {
					fail(what, err)
				}
				count.Add(1)
				select {
				case <-loading.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}
	for range 4 {
		repeat("ask through the API server", &asked, func() error {
			_, err := s.metrics.MetricsV1beta1().PodMetricses("default").List(t.Context(), metav1.ListOptions{})
			return err
		})
	}
	repeat("shake hands", &shaken, func() error {
		_, err := s.handshake(bundle)
		return err
	})

	secret, err := s.client.CoreV1().Secrets("kube-system").Get(t.Context(), caSecret, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	secret.Data["next.crt"], secret.Data["next.key"], secret.Data["bundle.crt"] = next, nextKey, bundle
	if _, err := s.client.CoreV1().Secrets("kube-system").Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, soon/2, "the next CA is in the bundles", func(context.Context) error {
		for _, name := range verifiedAPIs {
			if !bytes.Equal(s.caBundle(t, name), bundle) {
				return fmt.Errorf("not in that of %s", name)
			}
		}
		return nil
	})
	if signer := s.servedBy(t); signer != old {
		t.Errorf("%s signs before its time", signer)
	}
	eventually(t, 2*soon, "the next CA signs", func(context.Context) error {
		if signer := s.servedBy(t); signer != "next" {
			return fmt.Errorf("%s does", signer)
		}
		return nil
	})
	eventually(t, 2*soon, "the one after it has joined the bundle", func(context.Context) error {
		for _, name := range verifiedAPIs {
			if n := bytes.Count(s.caBundle(t, name), []byte("BEGIN CERTIFICATE")); n != 3 {
				return fmt.Errorf("%d certificates are in that of %s", n, name)
			}
		}
		return nil
	})
	// The API server has learned of the bundle; some seconds with it.
	time.Sleep(3 * time.Second)
	stop()
	load.Wait()
	t.Logf("%d requests and %d handshakes, %d of them failed", asked.Load(), shaken.Load(), failed.Load())
	if n := failed.Load(); n > 0 {
		t.Errorf("%d requests and handshakes failed", n)
	}
	if asked.Load() < 100 || shaken.Load() < 100 {
		t.Errorf("%d requests and %d handshakes are too few to say anything", asked.Load(), shaken.Load())
	}
}

// applyServingCA applies what components/verified-tls adds for the server: the
// empty Secret and its rights.
func (s *site) applyServingCA(t *testing.T) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	manifests, err := filepath.Rel(dir, filepath.Join(repository(t), "manifests"))
	if err != nil {
		t.Fatal(err)
	}
	overlay := fmt.Sprintf("resources: [%[1]s/base]\ncomponents: [%[1]s/components/verified-tls]\n", filepath.ToSlash(manifests))
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(overlay), 0o644); err != nil {
		t.Fatal(err)
	}
	rendered, err := s.Kubectl(t.Context(), "kustomize", dir)
	if err != nil {
		t.Fatal(err)
	}
	objects := onlyRBAC(rendered)
	for document := range strings.SplitSeq(rendered, "\n---\n") {
		if strings.Contains(document, "kind: Secret\n") {
			objects += "\n---\n" + document
		}
	}
	if err := s.Apply(t.Context(), []byte(objects)); err != nil {
		t.Fatal(err)
	}
}

// waitVerified waits until both APIs answer and are available, with a bundle
// that verifies our server.
func (s *site) waitVerified(t *testing.T, what string, timeout time.Duration) {
	t.Helper()
	eventually(t, timeout, what, func(ctx context.Context) error {
		if _, err := s.metrics.MetricsV1().NodeMetricses().List(ctx, metav1.ListOptions{}); err != nil {
			return err
		}
		if _, err := s.metrics.MetricsV1beta1().NodeMetricses().List(ctx, metav1.ListOptions{}); err != nil {
			return err
		}
		for _, name := range verifiedAPIs {
			service, err := s.apiService(ctx, name)
			if err != nil {
				return err
			}
			if err := availableCondition(service); err != nil {
				return err
			}
			if _, err := s.handshake(s.caBundle(t, name)); err != nil {
				return err
			}
		}
		return nil
	})
}

// handshake connects to our server as the API server does, which trusts bundle,
// and returns its certificate.
func (s *site) handshake(bundle []byte) (*x509.Certificate, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		return nil, errors.New("no certificate is in the bundle")
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	conn, err := tls.DialWithDialer(dialer, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)),
		&tls.Config{RootCAs: roots, ServerName: "metrics-server.kube-system.svc"})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}

// servedBy is the name of the CA whose certificate our server serves with.
func (s *site) servedBy(t *testing.T) string {
	t.Helper()
	cert, err := s.handshake(s.caBundle(t, verifiedAPIs[0]))
	if err != nil {
		t.Fatal(err)
	}
	return cert.Issuer.CommonName
}

func (s *site) apiService(ctx context.Context, name string) (*unstructured.Unstructured, error) {
	out, err := s.Kubectl(ctx, "get", "apiservice", name, "-o", "json")
	if err != nil {
		return nil, err
	}
	service := &unstructured.Unstructured{}
	return service, json.Unmarshal([]byte(out), &service.Object)
}

// caBundle is what the API server verifies with; nil: nothing.
func (s *site) caBundle(t *testing.T, name string) []byte {
	t.Helper()
	service, err := s.apiService(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	text, _, err := unstructured.NestedString(service.Object, "spec", "caBundle")
	if err != nil || text == "" {
		return nil
	}
	bundle, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

func (s *site) patchAPIService(t *testing.T, name, patch string) {
	t.Helper()
	if _, err := s.Kubectl(t.Context(), "patch", "apiservice", name, "--type=json", "--patch="+patch); err != nil {
		t.Fatal(err)
	}
}

// newTestCA makes a CA of that age, in PEM.
func newTestCA(t *testing.T, name string, notBefore, notAfter time.Time) (certPEM, keyPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: notBefore, NotAfter: notAfter,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

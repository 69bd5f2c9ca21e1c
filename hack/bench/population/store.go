// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package population

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/metrics-apiserver/metrics-apiserver/hack/bench/world"
)

const (
	// batch is how many objects are written in one transaction, of the 128
	// operations that etcd allows; writers is how many go on at once.
	batch   = 100
	writers = 4
)

// Store writes objects where a kube-apiserver keeps them. It is safe for
// concurrent use.
type Store struct {
	world world.World
	port  int
	etcd  *clientv3.Client
	codec runtime.Encoder
}

// Open connects to the etcd at endpoint with the keys in the directory pki:
// etcd-ca.crt, etcd-client.crt and etcd-client.key. The kubelets of the world's
// nodes listen at port.
func Open(w world.World, port int, endpoint, pki string) (*Store, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(pki, "etcd-client.crt"), filepath.Join(pki, "etcd-client.key"))
	if err != nil {
		return nil, fmt.Errorf("open etcd: %w", err)
	}
	authority, err := os.ReadFile(filepath.Join(pki, "etcd-ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("open etcd: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{endpoint},
		TLS:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, Certificates: []tls.Certificate{pair}},
	})
	if err != nil {
		return nil, fmt.Errorf("open etcd: %w", err)
	}
	return &Store{world: w, port: port, etcd: client, codec: protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)}, nil
}

// Close closes the connection.
func (s *Store) Close() error { return s.etcd.Close() }

// Fill writes all objects of the world.
func (s *Store) Fill(ctx context.Context) error {
	if err := s.write(ctx, len(s.world.Namespaces()), func(i int) (string, runtime.Object) {
		name := s.world.Namespaces()[i]
		return "/registry/namespaces/" + name, newNamespace(name, s.world.Epoch)
	}); err != nil {
		return err
	}
	if err := s.write(ctx, s.world.Nodes, func(i int) (string, runtime.Object) {
		return "/registry/minions/" + s.world.Node(i), newNode(s.world, i, s.port)
	}); err != nil {
		return err
	}
	return s.write(ctx, s.world.TotalPods(), func(i int) (string, runtime.Object) {
		pod := s.world.Pod(i, 0)
		return podKey(pod), newPod(s.world, pod)
	})
}

func podKey(pod world.Pod) string { return "/registry/pods/" + pod.Namespace + "/" + pod.Name }

// write writes n objects in transactions.
func (s *Store) write(ctx context.Context, n int, object func(i int) (key string, o runtime.Object)) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for first := 0; first < n; first += batch {
		group.Go(func() error {
			var puts []clientv3.Op
			for i := first; i < min(first+batch, n); i++ {
				key, o := object(i)
				put, err := s.put(key, o)
				if err != nil {
					return err
				}
				puts = append(puts, put)
			}
			if _, err := s.etcd.Txn(ctx).Then(puts...).Commit(); err != nil {
				return fmt.Errorf("write %d objects: %w", len(puts), err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (s *Store) put(key string, o runtime.Object) (clientv3.Op, error) {
	var b bytes.Buffer
	if err := s.codec.Encode(o, &b); err != nil {
		return clientv3.Op{}, fmt.Errorf("encode %s: %w", key, err)
	}
	return clientv3.OpPut(key, b.String()), nil
}

// Replace deletes a pod and creates another.
func (s *Store) Replace(ctx context.Context, old, next world.Pod) error {
	if _, err := s.etcd.Delete(ctx, podKey(old)); err != nil {
		return fmt.Errorf("delete pod %s/%s: %w", old.Namespace, old.Name, err)
	}
	put, err := s.put(podKey(next), newPod(s.world, next))
	if err != nil {
		return err
	}
	if _, err := s.etcd.Do(ctx, put); err != nil {
		return fmt.Errorf("create pod %s/%s: %w", next.Namespace, next.Name, err)
	}
	return nil
}

// Size returns how many bytes a pod takes in etcd.
func Size(w world.World) (int, error) {
	var b bytes.Buffer
	err := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(newPod(w, w.Pod(0, 0)), &b)
	return b.Len(), err
}

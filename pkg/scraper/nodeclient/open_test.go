// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
)

// TestMaxConnections: more nodes than connections are all asked, those that fit over
// kept ones; where all connections wait for nodes, one more is refused and counted, and
// when they have ended all is as before.
func TestMaxConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bound, kept, nodes = 5, 3, 7
		authority, network := kubelettest.NewAuthority(t), kubelettest.NewNetwork()
		server := kubelettest.NewServer(t, kubelettest.Options{Authority: authority, Network: network})
		client := newClient(t, nodeclient.Options{Config: config(authority), Dial: network.Dial, MaxConnections: bound})
		var kubelets []*kubelettest.Kubelet
		var conns []*nodeclient.Conn
		for i := range nodes {
			name := fmt.Sprintf("node-%d", i)
			kubelets = append(kubelets, server.Start(name, name))
			conns = append(conns, connect(t, client, kubelets[i]))
		}
		const rounds = 3
		all := func() {
			t.Helper()
			for range rounds {
				for _, conn := range conns {
					mustGet(t, conn)
				}
			}
			synctest.Wait()
		}
		all()
		for i, k := range kubelets {
			open, opened := k.Connections()
			want, wantOpened := 0, rounds
			if i < kept {
				want, wantOpened = 1, 1
			}
			if open != want || opened != wantOpened {
				t.Errorf("node %d has %d connections of %d, want %d of %d", i, open, opened, want, wantOpened)
			}
		}

		ctx, cancel := context.WithCancel(t.Context())
		var hanging sync.WaitGroup
		const hang = kept + 1 // With one more that is being made, it would be two too many.
		for i := range hang {
			kubelets[i].SetFault(kubelettest.Fault{Hang: true})
			hanging.Go(func() {
				_, err := conns[i].Get(ctx, path, "")
				wantReason(t, err, nodeclient.ReasonCanceled)
			})
		}
		synctest.Wait()
		_, err := get(t, conns[hang])
		wantReason(t, err, nodeclient.ReasonNoConnection)
		if !strings.Contains(err.Error(), "as many connections are open as may be: 5") || client.Counts().NoConnection != 1 {
			t.Errorf("%v, counted %d", err, client.Counts().NoConnection)
		}
		cancel()
		hanging.Wait()
		for i := range hang {
			kubelets[i].SetFault(kubelettest.Fault{})
		}
		all()
		open := 0
		for _, k := range kubelets {
			n, _ := k.Connections()
			open += n
		}
		if open != kept {
			t.Errorf("%d connections are kept at the end, want %d as before", open, kept)
		}
	})
}

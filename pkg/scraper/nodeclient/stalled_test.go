// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/kubelettest"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/scraper/nodeclient"
)

// TestStalledAnswersStayWithinTheBudget has twenty nodes send nearly as much as one
// may, and then stop: together they hold no more than all may, and nothing when
// their time is over.
func TestStalledAnswersStayWithinTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const one, all = 2 << 20, 6 << 20
		network := kubelettest.NewNetwork()
		server := kubelettest.NewServer(t, kubelettest.Options{Network: network})
		client := newClient(t, nodeclient.Options{Config: &rest.Config{}, Dial: network.Dial, MaxBodyBytes: one, MaxInFlightBytes: all})
		var requests sync.WaitGroup
		for i := range 20 {
			name := fmt.Sprintf("node-%d", i)
			server.Start(name, name).SetFault(kubelettest.Fault{Bomb: one - 1, Stall: true})
			conn := client.Conn(nodeclient.Endpoint{Node: name, Scheme: "http", Hosts: []string{name}, Port: 10250})
			requests.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if _, err := conn.Get(ctx, path, ""); err == nil {
					t.Error("an answer without an end was taken")
				}
			})
		}
		synctest.Wait()
		if got := client.Counts().InFlightBytes; got > all || got < one {
			t.Errorf("%d bytes in flight, of %d", got, all)
		}
		requests.Wait()
		if got := client.Counts().InFlightBytes; got != 0 {
			t.Errorf("%d bytes in flight at the end", got)
		}
	})
}

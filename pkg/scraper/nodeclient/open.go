// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"fmt"
	"sync/atomic"
)

// open counts the files that connections take, open ones and those that are being made.
// A process that has as many files open as it may cannot even take a connection any more,
// and so would answer nobody because of nodes that it asks.
type open struct {
	bound int64 // 0: none
	count atomic.Int64
}

// dialing is how many files it takes to connect: a name is asked for over two sockets at
// once, and then two addresses may be tried. What is open afterwards is one.
const dialing = 2

// take makes room for n more; where there is none it is an error, and nothing has to be
// given back.
func (o *open) take(n int64) error {
	for {
		count := o.count.Load()
		if o.bound > 0 && count+n > o.bound {
			return fmt.Errorf("as many connections are open as may be: %d", o.bound)
		}
		if o.count.CompareAndSwap(count, count+n) {
			return nil
		}
	}
}

func (o *open) giveBack(n int64) { o.count.Add(-n) }

// crowded is whether so many are open that none is to be kept until its next request:
// there is always to be room for those who have none.
func (o *open) crowded() bool {
	return o.bound > 0 && o.count.Load() > o.bound-max(dialing, o.bound/8)
}

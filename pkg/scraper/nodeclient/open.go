// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"fmt"
	"sync/atomic"
)

// open counts the connections that are open or being made. A process that has as many
// files open as it may cannot even take a connection any more, and so would answer
// nobody because of nodes that it asks.
type open struct {
	bound int64 // 0: none
	count atomic.Int64
}

// take makes room for one more; where there is none it is an error, and nothing has to
// be given back.
func (o *open) take() error {
	if n := o.count.Add(1); o.bound == 0 || n <= o.bound {
		return nil
	}
	o.count.Add(-1)
	return fmt.Errorf("as many connections are open as may be: %d", o.bound)
}

func (o *open) giveBack() { o.count.Add(-1) }

// crowded is whether so many are open that none is to be kept until its next request.
func (o *open) crowded() bool { return o.bound > 0 && o.count.Load() > o.bound-max(1, o.bound/8) }

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

// A Chooser is a [Receiver] that can say by name alone what it does not want, and
// can change its mind. Who reads a source asks whether a receiver is one; of one
// that is not, all series are opened, once.
type Chooser interface {
	Receiver
	// Generation is asked before each answer. Where it is not what it was before
	// the last answer that was committed, all handles are forgotten, which does
	// not make their series gone, and every series of the answer is opened anew.
	Generation() uint64
	// Wants is false where no series of that name would be given a handle in this
	// generation. Series of such a name are not opened.
	Wants(name string) bool
}

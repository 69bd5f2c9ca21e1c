// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package series

import "fmt"

// RecentOptions are the options of a Recent.
type RecentOptions struct {
	// MaxBytes is how much memory samples and labels may take, about. 0 is 256 MiB.
	MaxBytes int64
	// Instance is the address and port of a node's kubelet, for the label instance;
	// it is called when a source of the node begins to be read, and may say
	// nothing. nil is: there is no such label.
	Instance func(node string) string
}

func (o RecentOptions) withDefaults() RecentOptions {
	if o.MaxBytes == 0 {
		o.MaxBytes = 256 << 20
	}
	if o.Instance == nil {
		o.Instance = func(string) string { return "" }
	}
	return o
}

// Validate says what is wrong with the options.
func (o RecentOptions) Validate() error {
	if o.MaxBytes < 0 {
		return fmt.Errorf("options of recent series: MaxBytes is %d, want 0 or more", o.MaxBytes)
	}
	return nil
}

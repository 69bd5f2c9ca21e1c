// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package exposition

// MaxLineBytes is the longest line that can be parsed: 64 KiB less one.
const MaxLineBytes = 1<<16 - 1

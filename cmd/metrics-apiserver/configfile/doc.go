// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package configfile is the configuration file: its form, how it is read, and how
// changes of it are noticed while the server runs.
//
// Reading is strict. A key that is not known, one that comes twice, a value of the
// wrong kind: each is a [Problem] with its line and what to write instead, because
// a misspelt key that is ignored is found weeks later. [Parse] says all that is
// wrong with a file at once. What is wrong within one rule takes away that rule
// alone; what is wrong elsewhere refuses the file.
//
// Of what a rule's expression means and of what is inside of a remote-write block
// this package knows nothing: their owners check them, when the file is applied.
//
// A [Watcher] reads the file again every few seconds, which needs no notifications
// and works for a mounted ConfigMap, where the file is reached through a symbolic
// link that is swapped. A file that cannot be applied changes nothing: the last
// good one stays in force, the log says so once, and a metric until it is mended.
package configfile

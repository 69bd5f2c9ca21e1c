// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Package queue keeps ready request bodies in order until they are acknowledged:
// on disk, or in memory where there is no directory, or while the disk cannot be
// written.
//
// A [Record] is accepted when [Queue.Append] returns. On disk it then survives the
// end of the process, however sudden, and a second later a loss of power too. What
// is in memory ends with the process. The queue is bounded in both places: beyond
// a bound, the oldest records are dropped and counted. It never refuses and never
// waits for a reader.
//
// One goroutine appends and one reads; any may acknowledge, in any order. A record
// that was read and not acknowledged is read again after a restart.
//
// # On disk
//
// Segments are files of records, named by the number of their first record. A
// record is a header and a body, each with a CRC of its own, so that headers can
// be walked without reading bodies. A process never writes to a segment of another
// one: what a crash cut short stays at the end of a segment, where reading stops.
// A segment is deleted when all of it is acknowledged. The file "acked" says which
// records are: it has two slots that are written by turns, and each says the number
// up to which all are, and the few above it. The file "id" names the queue, so that
// whoever opens the directory later is known to go on with it.
package queue

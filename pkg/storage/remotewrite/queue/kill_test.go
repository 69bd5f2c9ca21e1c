// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// writerDir and writerFirst are environment variables that make the test binary
// the process that is killed, with the number of its first record; killPoints says
// how often, where it is set.
const (
	writerDir   = "REMOTEWRITE_QUEUE_WRITER"
	writerFirst = "REMOTEWRITE_QUEUE_FIRST"
	killPoints  = "REMOTEWRITE_QUEUE_KILLS"
)

// perPoint is more records than a process writes before it is killed.
const perPoint = 10_000

// TestKill kills a process that writes to and reads from a queue, again and again
// on the same directory. It starts each time, and every record that was accepted
// is there, unless it is acknowledged. The long mode sets how often:
//
//	REMOTEWRITE_QUEUE_KILLS=1000 go test -run TestKill
func TestKill(t *testing.T) {
	if dir := os.Getenv(writerDir); dir != "" {
		first, err := strconv.Atoi(os.Getenv(writerFirst))
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, first)
	}
	points := 40
	if text := os.Getenv(killPoints); text != "" {
		var err error
		if points, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	} else if testing.Short() {
		points = 5
	}
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 1))
	accepted, acked := map[int]bool{}, map[int]bool{}
	for point := range points {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), writerDir+"="+dir, writerFirst+"="+strconv.Itoa(point*perPoint))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// It is killed after so many lines, and then a moment later, so that it is
		// anywhere in what it does.
		lines, delay := r.IntN(400), time.Duration(r.IntN(400))*time.Microsecond
		started := false
		for scanner := bufio.NewScanner(out); scanner.Scan(); lines-- {
			started = true
			verb, text, _ := strings.Cut(scanner.Text(), " ")
			n, err := strconv.Atoi(text)
			switch {
			case err != nil:
				// The line that it was writing.
			case verb == "accepted":
				accepted[n] = true
			case verb == "acking":
				acked[n] = true
			}
			if lines == 0 {
				<-time.After(delay)
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait()
		if !started {
			t.Fatalf("point %d: it did not start", point)
		}
	}
	q := Open(Options{Dir: dir})
	defer q.Close()
	there := map[int]bool{}
	last := -1
	for _, record := range drain(t, q) {
		n := numberOf(record)
		if n <= last {
			t.Errorf("record %d comes after %d", n, last)
		}
		there[n], last = true, n
	}
	for n := range accepted {
		if !there[n] && !acked[n] {
			t.Errorf("record %d was accepted and is lost", n)
		}
	}
	if state := q.State(); state.Dropped != [Reasons]int64{} || state.Fault != nil {
		t.Errorf("%+v", state)
	}
	t.Logf("%d kills, %d records accepted, %d acknowledged, %d left", points, len(accepted), len(acked), len(there))
}

// write is the process that is killed. It says what it has done.
func write(t *testing.T, dir string, next int) {
	q := Open(Options{Dir: dir, SegmentBytes: 30_000})
	go func() { _ = q.Run(context.Background()) }()
	if state := q.State(); state.Fault != nil {
		t.Fatal(state.Fault)
	}
	fmt.Println("started 0")
	for first := next; ; next++ {
		q.Append(record(next))
		fmt.Println("accepted", next)
		// Two are read for three that were appended, so that there always is one.
		if (next-first)%3 != 2 {
			continue
		}
		for range 2 {
			r, err := q.Next(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			fmt.Println("acking", numberOf(r))
			q.Ack(r.Seq)
		}
	}
}

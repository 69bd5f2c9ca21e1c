// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package nodeclient

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

const goodHead = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\n"

// commonAnswers are of the form that parseHead is for.
func commonAnswers() []string {
	return []string{
		goodHead + "Content-Length: 4\r\n\r\na 1\nHTTP/1.1 200 OK",
		goodHead + "Content-Length: 0\r\n\r\n",
		goodHead + "Content-Length: 00004\r\n\r\na 1",
		goodHead + "Transfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n0\r\n\r\n",
		goodHead + "Transfer-Encoding: chunked\r\n\r\n4;x=y\r\na 1\n\r\n0\r\nTrailer: 1\r\n\r\nx",
		goodHead + "Content-Encoding: gzip\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n",
		"HTTP/1.1 200 OK\r\nAudit-Id: 1\r\nCache-Control: no-cache, private\r\nConnection: keep-alive\r\nContent-Encoding: identity\r\nContent-Length: 1\r\n\r\nx",
	}
}

// oddAnswers are left to net/http, which takes some of them.
func oddAnswers() map[string]string {
	return map[string]string{
		"nothing":               "",
		"no end":                goodHead + "Content-Length: 4\r\n",
		"no fields":             "HTTP/1.1 200 OK\r\n\r\nx",
		"neither":               goodHead + "\r\nx",
		"both":                  goodHead + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n0\r\n\r\n",
		"length twice":          goodHead + "Content-Length: 4\r\nContent-Length: 4\r\n\r\na 1\n",
		"two lengths":           goodHead + "Content-Length: 4\r\nContent-Length: 5\r\n\r\na 1\n",
		"length in other case":  goodHead + "content-length: 4\r\n\r\na 1\n",
		"second in other case":  goodHead + "Content-Length: 4\r\ncontent-lengtH: 5\r\n\r\na 1\nx",
		"encoding in lower":     goodHead + "Content-Length: 4\r\ntransfer-encoding: chunked\r\n\r\n4\r\na 1\n\r\n0\r\n\r\n",
		"list of lengths":       goodHead + "Content-Length: 4, 4\r\n\r\na 1\n",
		"negative length":       goodHead + "Content-Length: -4\r\n\r\na 1\n",
		"positive length":       goodHead + "Content-Length: +4\r\n\r\na 1\n",
		"huge length":           goodHead + "Content-Length: 9999999999999999999\r\n\r\na 1\n",
		"chunked twice":         goodHead + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked in other case": goodHead + "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
		"two encodings":         goodHead + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"trailer":               goodHead + "Trailer: X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n\r\n",
		"bare LF":               strings.ReplaceAll(goodHead, "\r\n", "\n") + "Content-Length: 4\n\na 1\n",
		"one bare LF":           goodHead + "X: 1\nContent-Length: 4\r\n\r\na 1\n",
		"bare CR":               goodHead + "X: 1\rContent-Length: 4\r\nContent-Length: 4\r\n\r\na 1\n",
		"folded":                goodHead + "X: 1\r\n 2\r\nContent-Length: 4\r\n\r\na 1\n",
		"folded length":         goodHead + "Content-Length: 4\r\n 2\r\n\r\na 1\n",
		"space at the colon":    goodHead + "Content-Length : 4\r\n\r\na 1\n",
		"space before the name": goodHead + " Content-Length: 4\r\n\r\na 1\n",
		"two spaces":            goodHead + "Content-Length:  4\r\n\r\na 1\n",
		"space at the end":      goodHead + "Content-Length: 4 \r\n\r\na 1\n",
		"no space":              goodHead + "Content-Length:4\r\n\r\na 1\n",
		"no value":              goodHead + "X: \r\nContent-Length: 4\r\n\r\na 1\n",
		"no name":               goodHead + ": 1\r\nContent-Length: 4\r\n\r\na 1\n",
		"no colon":              goodHead + "X\r\nContent-Length: 4\r\n\r\na 1\n",
		"NUL":                   goodHead + "X: \x00\r\nContent-Length: 4\r\n\r\na 1\n",
		"tab":                   goodHead + "X: 1\t2\r\nContent-Length: 4\r\n\r\na 1\n",
		"not ASCII":             goodHead + "X: ü\r\nContent-Length: 4\r\n\r\na 1\n",
		"other encoding":        goodHead + "Content-Encoding: br\r\nContent-Length: 4\r\n\r\na 1\n",
		"other connection":      goodHead + "Connection: Close\r\nContent-Length: 4\r\n\r\na 1\n",
		"upgrade":               goodHead + "Connection: keep-alive, upgrade\r\nContent-Length: 4\r\n\r\na 1\n",
		"date in other case":    goodHead + "DATE: Sat, 21 Nov 2026 12:00:01 GMT\r\nContent-Length: 4\r\n\r\na 1\n",
		"interim":               "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + goodHead + "Content-Length: 4\r\n\r\na 1\n",
		"other status":          "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\na 1\n",
		"other reason":          "HTTP/1.1 200 Fine\r\nContent-Length: 4\r\n\r\na 1\n",
		"HTTP/1.0":              "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\na 1\n",
	}
}

func TestOddAnswersAreLeftToNetHTTP(t *testing.T) {
	for name, answer := range oddAnswers() {
		if h, _, ok := parseHead([]byte(answer)); ok {
			t.Errorf("%s: parsed as %+v", name, h)
		}
	}
	for _, answer := range commonAnswers() {
		if _, _, ok := parseHead([]byte(answer)); !ok {
			t.Errorf("not parsed: %q", answer)
		}
		checkAnswer(t, []byte(answer))
	}
}

// FuzzHead: what parseHead takes, net/http takes for the same, and the bodies
// are the same to the last byte, the error and what is left behind them.
func FuzzHead(f *testing.F) {
	for _, answer := range commonAnswers() {
		f.Add([]byte(answer))
	}
	for _, answer := range oddAnswers() {
		f.Add([]byte(answer))
	}
	f.Fuzz(checkAnswer)
}

// checkAnswer compares how an answer is read with how net/http reads it.
func checkAnswer(t *testing.T, data []byte) {
	const buffer = 4 << 10
	h, size, ok := parseHead(data[:min(len(data), buffer)])
	if !ok {
		return
	}
	// Byte by byte, so that every place in the body where a read may end is met.
	theirs := bufio.NewReaderSize(iotest.OneByteReader(bytes.NewReader(data)), buffer)
	resp, err := http.ReadResponse(theirs, nil)
	if err != nil {
		t.Fatalf("net/http refuses what was read as %+v: %v", h, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if got, want := int64(resp.StatusCode), int64(http.StatusOK); got != want {
		t.Errorf("status: net/http has %d", got)
	}
	if h.length != resp.ContentLength || (h.length < 0) != (len(resp.TransferEncoding) > 0) {
		t.Errorf("length: got %d, net/http has %d and %q", h.length, resp.ContentLength, resp.TransferEncoding)
	}
	if want := resp.Header.Get("Content-Encoding"); h.encoding != want {
		t.Errorf("encoding: got %q, net/http has %q", h.encoding, want)
	}
	if want := resp.Header.Get("Date"); string(h.date) != want {
		t.Errorf("date: got %q, net/http has %q", h.date, want)
	}
	if h.last != resp.Close {
		t.Errorf("last: got %v, net/http has %v", h.last, resp.Close)
	}

	ours := bufio.NewReaderSize(iotest.OneByteReader(bytes.NewReader(data)), buffer)
	if _, err := ours.Discard(size); err != nil {
		t.Fatal(err)
	}
	var body io.Reader = &sizedBody{ours, h.length}
	if h.length < 0 {
		body = new(newChunkedBody(ours))
	}
	got, gotErr := io.ReadAll(body)
	want, wantErr := io.ReadAll(resp.Body)
	if !bytes.Equal(got, want) {
		t.Errorf("body: got %q, net/http has %q", got, want)
	}
	if (gotErr == nil) != (wantErr == nil) {
		t.Errorf("body's error: got %v, net/http has %v", gotErr, wantErr)
	}
	if gotErr != nil {
		return // Then nobody reads on.
	}
	gotRest, _ := io.ReadAll(ours)
	wantRest, _ := io.ReadAll(theirs)
	if !bytes.Equal(gotRest, wantRest) {
		t.Errorf("behind the body: got %q, net/http leaves %q", gotRest, wantRest)
	}
}

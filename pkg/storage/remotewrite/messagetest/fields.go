// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package messagetest

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var errShort = errors.New("a message ends within a field")

// Fields calls take with every field of a message in protobuf, in their order, until
// it returns an error: b is what a field of bytes has, a part of the message, and v
// the bits of any other.
func Fields(message []byte, take func(field int, b []byte, v uint64) error) error {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		if n <= 0 {
			return errShort
		}
		message = message[n:]
		var b []byte
		var v uint64
		switch kind := tag & 7; kind {
		case 0: // A varint.
			if v, n = binary.Uvarint(message); n <= 0 {
				return errShort
			}
		case 1: // Eight bytes.
			if n = 8; len(message) < n {
				return errShort
			}
			v = binary.LittleEndian.Uint64(message)
		case 2: // Bytes, their number first.
			size, m := binary.Uvarint(message)
			if m <= 0 || size > uint64(len(message)-m) {
				return errShort
			}
			n = m + int(size)
			b = message[m:n]
		default:
			return fmt.Errorf("a field of type %d", kind)
		}
		message = message[n:]
		if err := take(int(tag>>3), b, v); err != nil {
			return err
		}
	}
	return nil
}

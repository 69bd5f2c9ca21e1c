// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package counting

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// The fields of both versions: of a request, its series; of a series, its samples.
const (
	seriesV1, seriesV2 protowire.Number = 1, 5
	samples            protowire.Number = 2
)

// samplesOf is how many samples a message has. What is in them is not looked at.
func samplesOf(message []byte, v2 bool) (int, error) {
	series := seriesV1
	if v2 {
		series = seriesV2
	}
	total := 0
	err := each(message, series, func(one []byte) error {
		return each(one, samples, func([]byte) error {
			total++
			return nil
		})
	})
	return total, err
}

// each calls found with each field of the number that has bytes.
func each(message []byte, field protowire.Number, found func([]byte) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return fmt.Errorf("read a message: %w", protowire.ParseError(n))
		}
		message = message[n:]
		if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
			return fmt.Errorf("read a message: %w", protowire.ParseError(n))
		}
		if number == field && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(message)
			if err := found(value); err != nil {
				return err
			}
		}
		message = message[n:]
	}
	return nil
}

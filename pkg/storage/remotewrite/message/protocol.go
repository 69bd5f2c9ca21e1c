// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package message

// A Protocol is a version of remote-write.
type Protocol uint8

// The versions.
const (
	// V1 is remote-write 1.0.
	V1 Protocol = 1
	// V2 is remote-write 2.0.
	V2 Protocol = 2
)

// ContentType is the Content-Type of requests.
func (p Protocol) ContentType() string {
	if p == V2 {
		return "application/x-protobuf;proto=io.prometheus.write.v2.Request"
	}
	return "application/x-protobuf"
}

// Version is the X-Prometheus-Remote-Write-Version of requests.
func (p Protocol) Version() string {
	if p == V2 {
		return "2.0.0"
	}
	return "0.1.0"
}

// String is the version as one writes it.
func (p Protocol) String() string {
	switch p {
	case V1:
		return "1.0"
	case V2:
		return "2.0"
	default:
		return "unknown"
	}
}

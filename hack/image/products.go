// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import "runtime"

// The names of the images that only this repository's clusters use. No
// registry has them; the tag tells the kubelet that it need not look.
const (
	// ProductReference is the default name of the product's image.
	ProductReference = "metrics-apiserver:dev"
	// PauseReference holds a pod's namespaces open.
	PauseReference = "metrics-apiserver-pause:dev"
	// WorkloadReference plays pods of known CPU and memory.
	WorkloadReference = "metrics-apiserver-e2e:dev"
)

// nonRoot is who the containers run as: the user of distroless base images,
// and so the same in the Dockerfile, and as manifests/base says.
const nonRoot = "65532:65532"

// Product is the image that users run: the static binary, a second name for
// it that takes over metrics-server's command line, and a /tmp for whoever
// runs it without a read-only root.
func Product(reference, binary, version string) Image {
	return Image{
		Reference:    reference,
		Architecture: runtime.GOARCH,
		Files: []File{
			{Path: "/metrics-apiserver", Source: binary, Mode: 0o755},
			{Path: "/metrics-server", Link: "metrics-apiserver"},
			{Path: "/tmp", Dir: true, Mode: 0o1777},
		},
		Entrypoint: []string{"/metrics-apiserver"},
		User:       nonRoot,
		Labels: map[string]string{
			"org.opencontainers.image.title":    "metrics-apiserver",
			"org.opencontainers.image.version":  version,
			"org.opencontainers.image.licenses": "Apache-2.0",
			"org.opencontainers.image.source":   "https://github.com/metrics-apiserver/metrics-apiserver",
		},
	}
}

// Pause is the sandbox image of the real node.
func Pause(binary string) Image {
	return Image{
		Reference:    PauseReference,
		Architecture: runtime.GOARCH,
		Files:        []File{{Path: "/pause", Source: binary, Mode: 0o755}},
		Entrypoint:   []string{"/pause"},
		User:         "65535:65535",
	}
}

// Workload is the image of the pods whose CPU and memory the tests know.
func Workload(binary string) Image {
	return Image{
		Reference:    WorkloadReference,
		Architecture: runtime.GOARCH,
		Files: []File{
			{Path: "/tmp", Dir: true, Mode: 0o1777},
			{Path: "/workload", Source: binary, Mode: 0o755},
		},
		Entrypoint: []string{"/workload"},
		User:       nonRoot,
	}
}

// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

// Foreign is bytes that come from elsewhere.
type Foreign struct {
	// What they are, and From whom.
	What, From string
	// Dirs are the packages that read them, or write what is made of them. Each
	// has fuzz targets.
	Dirs []string
}

// ForeignBytes are all bytes that the server reads and did not write. What reads
// them has fuzz targets, each with a corpus in f.Add or in testdata/fuzz; `make
// fuzz` runs all.
func ForeignBytes() []Foreign {
	return []Foreign{
		{"TLS records, as far as we look at them, and HTTP answers", "kubelets", []string{"pkg/scraper/nodeclient"}},
		{"the text format", "kubelets", []string{"pkg/scraper/exposition"}},
		{"/metrics/resource, /metrics/cadvisor, /stats/summary", "kubelets", []string{"pkg/scraper/kubelet"}},
		{"what these say, as a batch", "kubelets", []string{"pkg/storage"}},
		{"the annotation with a node's path", "who may write nodes", []string{"pkg/scraper"}},
		{"objects in protobuf", "kube-apiserver", []string{"pkg/api/objects"}},
		{"the Secret with our CA", "who may write it", []string{"pkg/api/servingca"}},
		{"the configuration file", "who runs us", []string{"cmd/metrics-apiserver/configfile", "cmd/metrics-apiserver/sinks"}},
		{"the queue of remote-write", "who may write its disk", []string{"pkg/storage/remotewrite/queue", "pkg/storage/remotewrite/message"}},
		{"the mark of the replica that ships, an annotation of a Lease", "who may write it", []string{"cmd/metrics-apiserver/sinks"}},
		{"blocks of history", "a cache that may lose them", []string{"pkg/storage/history"}},
		{"paths and parameters of custom and external metrics", "clients", []string{"pkg/api/custommetrics"}},
		{"label selectors", "clients", []string{"pkg/api/objects"}},
		{"names and numbers that answers are written from", "kubelets, and who may write pods", []string{"pkg/api/wire", "pkg/api/catalogue", "pkg/api/custommetrics"}},
	}
}

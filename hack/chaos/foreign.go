// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

// Foreign is bytes that come from elsewhere, and the fuzz targets for what reads
// them.
type Foreign struct {
	// What they are, and From whom.
	What, From string
	Targets    []Test
}

// ForeignBytes are all bytes that the server reads and did not write. What reads
// them has a fuzz target with a corpus, in f.Add or in testdata/fuzz; `make fuzz`
// runs all.
func ForeignBytes() []Foreign {
	const (
		api        = "pkg/api"
		client     = "pkg/scraper/nodeclient"
		custom     = "pkg/api/custommetrics"
		decoder    = "pkg/scraper/kubelet"
		exposition = "pkg/scraper/exposition"
		objects    = "pkg/api/objects"
		scraper    = "pkg/scraper"
		serving    = "pkg/api/servingca"
		storage    = "pkg/storage"
		wire       = api + "/wire"
		catalogue  = api + "/catalogue"
	)
	return []Foreign{
		{"TLS records, as far as we look at them", "kubelets", []Test{{client, "FuzzRecords"}}},
		{"HTTP answers", "kubelets", []Test{{client, "FuzzAnswer"}, {client, "FuzzHead"}}},
		{"the text format", "kubelets", []Test{{exposition, "FuzzLines"}, {exposition, "FuzzSeries"}, {exposition, "FuzzParseUint"}}},
		{"/metrics/resource", "kubelets", []Test{{decoder, "FuzzResource"}, {decoder, "FuzzResourceEdits"}}},
		{"/metrics/cadvisor", "kubelets", []Test{{decoder, "FuzzCadvisor"}}},
		{"/stats/summary", "kubelets", []Test{{decoder, "FuzzSummary"}, {decoder, "FuzzInputSummary"}, {decoder, "FuzzJSON"}, {decoder, "FuzzMoment"}}},
		{"what all of these say, as a batch", "kubelets", []Test{{storage, "FuzzCommit"}}},
		{"the annotation with a node's path", "who may write nodes", []Test{{scraper, "FuzzCleanResourcePath"}}},
		{"objects in protobuf", "kube-apiserver", []Test{{objects, "FuzzPrune"}}},
		{"the Secret with our CA", "who may write it", []Test{{serving, "FuzzParseState"}}},
		{"the configuration file", "who runs us", []Test{{"cmd/metrics-apiserver/configfile", "FuzzParse"}}},
		{"bodies in the queue of remote-write", "who may write its disk", []Test{{storage + "/remotewrite/message", "FuzzDowngrade"}}},
		{"paths and parameters of custom and external metrics", "clients", []Test{{custom, "FuzzPath"}}},
		{"label selectors", "clients", []Test{{objects, "FuzzMatch"}}},
		{"names and numbers that answers are written from", "kubelets, who may write pods", []Test{
			{wire, "FuzzQuantity"}, {wire, "FuzzMilli"}, {wire, "FuzzString"}, {wire, "FuzzTimes"}, {wire, "FuzzLabels"},
			{custom, "FuzzCustomList"}, {custom, "FuzzExternalList"}, {custom, "FuzzResourceList"}, {catalogue, "FuzzMilli"},
		}},
	}
}

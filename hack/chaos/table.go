// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

// Test names a test.
type Test struct {
	// Dir is the folder of its package, from the root of the checkout, and Name
	// that of its function.
	Dir, Name string
}

// Row is one failure or threat.
type Row struct {
	// ID is F and a number, or T and a number for a threat.
	ID string
	// What happens.
	What string
	// Passes is what must hold when it does.
	Passes string
	// Short are its tests in `make test`.
	Short []Test
	// Long says whether `make chaos` tries it.
	Long bool
	// Open says what is not shown yet, and why; empty where all is.
	Open string
}

// Rows are all rows, in the order of their IDs.
func Rows() []Row {
	const (
		api         = "pkg/api"
		client      = "pkg/scraper/nodeclient"
		command     = "cmd/metrics-apiserver"
		custom      = "pkg/api/custommetrics"
		decoder     = "pkg/scraper/kubelet"
		e2e         = "test/e2e"
		election    = "cmd/metrics-apiserver/election"
		exposition  = "pkg/scraper/exposition"
		manifests   = "hack/manifests"
		objects     = "pkg/api/objects"
		queue       = "pkg/storage/remotewrite/queue"
		receivers   = "hack/receivers"
		remoteWrite = "pkg/storage/remotewrite"
		rules       = "pkg/api/rules"
		scraper     = "pkg/scraper"
		sending     = "pkg/storage/remotewrite/sender"
		serving     = "pkg/api/servingca"
		storage     = "pkg/storage"
		here        = "hack/chaos"
	)
	return []Row{
		{
			ID: "F1", What: "one kubelet is dead, one drips a byte a second",
			Passes: "500 kubelets: the others' delay from answer to API, p99, at most 50 ms above a clean run; sockets and goroutines at most nodes + 64",
			Short:  []Test{{scraper, "TestDeadAndDrippingNodesDelayNoOther"}, {client, "TestSilentNodesDoNotTakeAllHandshakes"}, {client, "TestTimeoutCoversEveryPart"}},
			Long:   true,
		},
		{
			ID: "F2", What: "one scrape of each node is lost at random, 100 times",
			Passes: "no object is ever missing; every timestamp is one that a kubelet gave; gone at the staleness bound",
			Short:  []Test{{scraper, "TestLostScrapesAreNotSeen"}, {storage, "TestTruth"}},
			Long:   true,
		},
		{
			ID: "F3", What: "half of the nodes are cut off for ten minutes, then healed",
			Passes: "500 nodes: the healthy half wholly fresh, no restart, /readyz ok, recovered within two resolutions, at most one log line a node a minute",
			Short:  []Test{{scraper, "TestHalfTheNodesAreCutOff"}, {scraper, "TestAFlappingNodeGetsALineAMinute"}, {api, "TestReadinessLatches"}},
			Long:   true,
		},
		{
			ID: "F4", What: "10,000 nodes are added and deleted at 50 a second",
			Passes: "a new node is served within two resolutions and a second, a deleted one gone within a second, memory, goroutines and series back at the baseline",
			Short:  []Test{{scraper, "TestChurn"}, {scraper, "TestDeleteCancelsAndForgetsWithinASecond"}, {scraper, "TestDeleteAndSetAgainAtOnce"}},
			Long:   true,
		},
		{
			ID: "F5", What: "nodes' clocks are an hour off, and one steps back by 30 s",
			Passes: "values within 1 %, no timestamp in the future, the skew exposed",
			Short:  []Test{{storage, "TestClock"}, {storage, "TestTimesOutOfThisWorld"}, {scraper, "TestClockOffsetIsInTheBatchAndShown"}, {scraper, "TestOffset"}},
			Long:   true,
		},
		{
			ID: "F6", What: "containers restart every 45 s, and their counters begin anew",
			Passes: "never negative, never above 1.05 × what is used; a pod once answered stays answered",
			Short:  []Test{{storage, "TestTruth"}, {storage, "TestRun"}, {storage, "TestPod"}},
			Long:   true,
		},
		{
			ID: "F7", What: "a node reports pods of other nodes",
			Passes: "the right node's value in 10,000 of 10,000 answers",
			Short:  []Test{{here, "TestForeignPods"}, {storage, "TestJoin"}, {storage, "TestModel"}},
			Long:   true,
		},
		{
			ID: "F8", What: "kubelets answer nonsense: no labels, NaN, infinities, negative, huge, far future, truncated, 4 MiB of line feeds, a line of 1 MiB",
			Passes: "no panic, no bad value served, each refusal counted by its reason",
			Short:  []Test{{decoder, "TestResource"}, {decoder, "TestResourceRefused"}, {decoder, "FuzzResource"}, {decoder, "FuzzSummary"}, {exposition, "FuzzSeries"}, {scraper, "TestRefusals"}, {scraper, "TestAPanicOfTheDecoderCostsOneScrape"}},
			Long:   true,
		},
		{
			ID: "F9", What: "namespaces are deleted while kubelets are down, or while replicas roll",
			Passes: "with two replicas the APIService is never unavailable, and every namespace is gone in 10 s",
			Short:  []Test{{api, "TestReadinessLatches"}, {e2e, "TestSimulated"}},
			Long:   true,
		},
		{
			ID: "F10", What: "discovery with 100,000 metrics",
			Passes: "the aggregated document is at most 64 KiB, and there in at most 10 ms, p99",
			Short:  []Test{{custom, "TestDiscoveryBounds"}, {custom, "TestDiscoveryChanges"}},
			Long:   true,
		},
		{
			ID: "F11", What: "the front proxy's CA is rotated",
			Passes: "no 401 with overlap, at most 60 s of them on a hard swap, no restart",
			Short:  []Test{{e2e, "TestSimulated"}},
			Long:   true,
		},
		{
			ID: "F12", What: "the serving certificate is rotated, or about to expire",
			Passes: "the new certificate within 70 s, no failed request",
			Short:  []Test{{serving, "TestRotation"}, {serving, "TestDecade"}, {e2e, "TestVerifiedTLS"}},
			Long:   true,
		},
		{
			ID: "F13", What: "kube-apiserver is away for five minutes",
			Passes: "scraping goes on, no restart, the first authorized 200 within 5 s of its return",
			Short:  []Test{{objects, "TestWatchRelists"}, {serving, "TestAPIServerAway"}, {e2e, "TestSimulated"}},
			Long:   true,
		},
		{
			ID: "F14", What: "100 kubelets answer with 256 MiB each, plain and compressed",
			Passes: "memory grows by at most 64 MiB; the scrapes are failures with their reason; the others do not notice",
			Short:  []Test{{client, "TestManyBombsStayWithinTheBudgetAndSpareOthers"}, {client, "TestStalledAnswersStayWithinTheBudget"}, {client, "TestBounds"}, {client, "TestCompressedBound"}, {client, "TestBudgetIsNeverStuck"}},
			Long:   true,
		},
		{
			ID: "F16", What: "a receiver of remote-write hangs for four minutes, then fails half of all requests",
			Passes: "scrapes and answers p99 within 5 % (and 5 ms, by which servers without sinks differ), memory flat, the distinct samples received are all that were accepted less the counted drops",
			Short:  []Test{{remoteWrite, "TestOutage"}, {remoteWrite, "TestEnd"}, {sending, "TestOrder"}, {sending, "TestRefused"}, {receivers, "TestDelivery"}},
			Long:   true,
		},
		{
			ID: "F17", What: "the queue's disk is full or read-only",
			Passes: "the API keeps serving, the oldest is dropped and counted, recovered within 10 s of space",
			Short:  []Test{{queue, "TestFullFileSystem"}, {queue, "TestReadOnlyFileSystem"}, {queue, "TestDiskFull"}, {queue, "TestDiskStaysFull"}, {queue, "TestUnusable"}, {queue, "TestBoundOnDisk"}, {queue, "TestCorrupt"}},
			Long:   true,
		},
		{
			ID: "F18", What: "the server is killed while it writes the queue",
			Passes: "it starts 1,000 times of 1,000, and nothing accepted is lost; where power is lost, what was accepted in the last second",
			Short:  []Test{{queue, "TestKill"}, {receivers, "TestKill"}, {queue, "TestModel"}, {queue, "TestPower"}},
			Long:   true,
		},
		{
			ID: "F19", What: "there is little memory",
			Passes: "144 MiB, GOMEMLIMIT at nine tenths: history is given up before memory ends, in the log and in a metric, current values never; nothing is missing meanwhile, and the process is the same",
			Short:  []Test{{command, "TestPressure"}, {command, "TestPressureRun"}, {command, "TestInUse"}, {command, "TestContainerLimit"}},
			Long:   true,
		},
		{
			ID: "F20", What: "30 % of the kubelets are frozen for ten minutes under an HPA",
			Passes: "no change of replicas because of staleness, no zero made up",
			Short:  []Test{{storage, "TestPod"}, {storage, "TestTruth"}, {api, "TestAbsenceIsExplained"}, {api, "TestZeroIsData"}},
			Long:   true,
		},
		{
			ID: "F21", What: "20 rolling updates under 200 requests a second",
			Passes: "no 5xx, no missing pod",
			Short:  []Test{{e2e, "TestRealNode"}},
			Long:   true,
		},
		{
			ID: "F23", What: "two replicas are asked in turn, 500 times",
			Passes: "what they say of one pod differs by at most one sample",
			Short:  []Test{{here, "TestTwoReplicas"}},
			Long:   true,
		},
		{
			ID: "F24", What: "the replica that ships by remote-write ends, is killed, or cannot reach kube-apiserver",
			Passes: "ends: every sample, in order; killed: nothing missing where the receiver takes any order, elsewhere at most Lease and batch deadline; what is missing or twice is counted; no kube-apiserver: nothing lost, nothing twice",
			Short:  []Test{{remoteWrite, "TestHandover"}, {remoteWrite, "TestKilled"}, {remoteWrite, "TestKilledAnywhere"}, {remoteWrite, "TestGap"}, {remoteWrite, "TestHeld"}, {remoteWrite, "TestBacklog"}, {election, "TestReleased"}, {election, "TestGone"}, {election, "TestAPIServerAway"}, {e2e, "TestHandover"}},
			Long:   true,
		},
		{
			ID: "F25", What: "of two replicas, one is killed, and one hangs without ending",
			Passes: "killed: not answered for at most 3 s; hangs: for at most the 50 s in which kube-apiserver gives a silent connection up; when it goes on, complete within a resolution; nothing missing in an answer, nothing beyond the staleness bound",
			Short:  []Test{{e2e, "TestReplicas"}},
			Long:   true,
		},
		{
			ID: "F26", What: "there are more nodes than files that the process may have open",
			Passes: "our API answers as ever; every node is asked, those for whom no connection can be kept over a new one each time; what is refused is counted",
			Short:  []Test{{client, "TestMaxConnections"}, {command, "TestMaxConnections"}},
		},
		{
			ID: "T1", What: "a kubelet, or who plays one, reports foreign pods",
			Passes: "a pod is accepted only from the node that its object names",
			Short:  []Test{{here, "TestForeignPods"}, {storage, "TestModel"}},
		},
		{
			ID: "T2", What: "a kubelet redirects us, to get our credentials",
			Passes: "no redirect is followed; whom it leads to sees no request",
			Short:  []Test{{client, "TestRedirectIsAFailureAndGetsNoCredentials"}},
		},
		{
			ID: "T3", What: "a node replays the token that we showed it",
			Passes: "a token never goes over plain HTTP; what one may do is listed and held, and it is no more than to read metrics and what these are joined to",
			Short:  []Test{{client, "TestNoCredentialsOverPlainHTTP"}, {client, "TestTokenIsSentAndRotated"}, {client, "TestClientCertificateIsUsedAndRotated"}, {e2e, "TestWhoMayWhat"}, {manifests, "TestRights"}, {manifests, "TestLeastPrivilege"}},
		},
		{
			ID: "T4", What: "somebody impersonates a kubelet",
			Passes: "the chain and the address are verified; --kubelet-insecure-tls is logged, counted and shown",
			Short:  []Test{{client, "TestTLSVerification"}, {client, "TestAuthorityIsReloaded"}, {scraper, "TestInsecureTLSIsLoggedAndShown"}},
		},
		{
			ID: "T5", What: "bombs: long answers, compressed ones, many samples, labels, long lines",
			Passes: "each is bounded, and counted when it bites",
			Short:  []Test{{client, "TestBounds"}, {client, "TestCompressedBound"}, {decoder, "TestResourceRefused"}, {decoder, "TestOptions"}},
		},
		{
			ID: "T6", What: "forged identity headers, and readers without a name",
			Passes: "who is nobody reads nothing but the health paths; headers count with the front proxy's certificate alone",
			Short:  []Test{{e2e, "TestWhoMayWhat"}},
		},
		{
			ID: "T7", What: "a tenant reads another's metrics",
			Passes: "the namespace is that of the path, and is authorized; a rule reads no other's series, whatever it says; an external metric does not exist where it is not visible",
			Short:  []Test{{custom, "TestForbidden"}, {custom, "TestPaths"}, {custom, "TestRefused"}, {api, "TestSelection"}, {rules, "TestNamespaceIsEnforced"}, {rules, "TestTenants"}, {rules, "TestExternal"}, {e2e, "TestWhoMayWhat"}, {e2e, "TestRules"}},
		},
		{
			ID: "T8", What: "the container is a stepping stone",
			Passes: "not root, a read-only root, no capabilities, seccomp RuntimeDefault, Pod Security restricted, in every rendered manifest",
			Short:  []Test{{manifests, "TestPodSecurityRestricted"}, {manifests, "TestContainer"}, {manifests, "TestNoWildcards"}},
		},
	}
}

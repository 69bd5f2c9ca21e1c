# Copyright The metrics-apiserver Authors.
# SPDX-License-Identifier: Apache-2.0

# Everything needs only Go and make. Tools are compiled from pinned versions, the
# first time for minutes, into ~/.cache/metrics-apiserver.

# The Kubernetes minor version and the kind of nodes of `make up`.
KUBERNETES ?= 1.37
NODE ?= simulated
# Where `make up` has the server ship samples to: prometheus starts one beside the
# cluster, none ends it. Empty is as it was.
SINK ?=
# How long `make fuzz` tries each target.
FUZZTIME ?= 20s
# What `make bench-micro` runs, and the flags of `make bench`, such as -nodes=100;
# `go -C hack/bench run ./cmd/bench -help` says which there are.
BENCH ?= .
BENCH_FLAGS ?=
# What `make image` calls the image, and the file that it writes.
IMAGE ?= metrics-apiserver:dev
IMAGE_FILE ?= _output/metrics-apiserver.tar
# Where `make chaos` writes its report, and its flags: -rows=F1,F3 tries these
# only, -pace=0.1 takes a tenth of the time, -soak=1h soaks for so long.
CHAOS_OUT ?= _output/chaos
CHAOS_FLAGS ?=
# How long `make soak` lasts.
SOAK ?= 1h
# A release is a tag like v1.2.3; anything else is named by its commit.
VERSION ?= $(shell git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null || echo v0.0.0-$$(git rev-parse --short HEAD 2>/dev/null || echo dev))

export GOWORK := off

# The race detector needs cgo, hence a C compiler.
cc := $(shell command -v "$$(go env CC 2>/dev/null)" 2>/dev/null)
race := $(if $(cc),CGO_ENABLED=1 go test -race,go test)

# Where hack/toolchain keeps what it has built.
cache := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/metrics-apiserver

# Built as the server is, so that the two share what the compiler has cached.
dev := CGO_ENABLED=0 go run -trimpath ./hack/dev

# Modules with tests of ours that need more than the product does.
test_modules := $(filter-out hack/tools/%,$(patsubst ./%/go.mod,%,$(shell find ./hack -name go.mod)))

.DEFAULT_GOAL := help

.PHONY: help
help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: up
up: go-version ## Bring the project up on a real cluster here: KUBERNETES=1.37|1.36, NODE=simulated|real, SINK=none|prometheus
	@[ -d "$(cache)/tools" ] || echo "The first time, about ten minutes of compiling lie ahead. First hack/dev:"
	@$(dev) up --kubernetes=$(KUBERNETES) --node=$(NODE) --sink=$(SINK)

.PHONY: down
down: go-version ## End the cluster of `make up`, and remove its files
	@$(dev) down

.PHONY: status
status: go-version ## Say what of the cluster runs, and how to use it
	@$(dev) status

.PHONY: build
build: go-version ## Compile the server to bin/metrics-apiserver
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X k8s.io/component-base/version.gitVersion=$(VERSION)' \
		-o bin/metrics-apiserver ./cmd/metrics-apiserver

.PHONY: image
image: go-version ## Write the container image to IMAGE_FILE=_output/metrics-apiserver.tar, without Docker
	@go run ./hack/image/cmd -reference='$(IMAGE)' -version='$(VERSION)' -o '$(IMAGE_FILE)'

.PHONY: test
test: unit e2e ## Run all tests

.PHONY: unit
unit: go-version ## Run the tests that need no cluster, with the race detector where there is a C compiler
	@$(if $(cc),,echo "There is no C compiler ($$(go env CC)), so tests run without the race detector.")
	$(race) $$(go list ./... | grep -v /test/e2e)
	@for module in $(test_modules); do \
		echo "go -C $$module test ./..."; go -C $$module test ./... || exit 1; \
	done

.PHONY: e2e
e2e: go-version ## Run the tests on real control planes, which they start, and on a real node where root allows
	go test -count=1 -timeout=60m -parallel=32 -v ./test/e2e/...

.PHONY: race
race: go-version ## Run the tests that need no cluster ten times, with the race detector
	@$(if $(cc),,echo "There is no C compiler ($$(go env CC)), which the race detector needs."; exit 1)
	CGO_ENABLED=1 go test -race -count=10 $$(go list ./... | grep -v /test/e2e)

# A package's targets share a binary, so that it is linked once.
.PHONY: fuzz
fuzz: go-version ## Fuzz each target for FUZZTIME=20s, or 5000x; docs/failures.md lists whose bytes they read
	@bin=$$(mktemp -d); trap 'rm -rf "$$bin"' EXIT; \
	go list -f '{{$$p := .}}{{range .TestGoFiles}}{{$$p.ImportPath}} {{$$p.Dir}}/{{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$$p.ImportPath}} {{$$p.Dir}}/{{.}}{{"\n"}}{{end}}' ./... \
		| while read -r package file; do \
		for target in $$(sed -n 's/^func \(Fuzz[^(]*\)(.*/\1/p' "$$file"); do \
			echo "$$target in $$package"; \
			program=$$bin/$$(echo "$$package" | tr / _); \
			[ -x "$$program" ] || go test -c -fuzz=. -o "$$program" "$$package" || exit 1; \
			(cd "$$(dirname "$$file")" && "$$program" -test.run='^$$' -test.fuzz="^$$target\$$" -test.fuzztime=$(FUZZTIME) \
				-test.fuzzminimizetime=100x -test.fuzzcachedir="$$(go env GOCACHE)/fuzz/$$package") </dev/null || exit 1; \
		done || exit 1; \
	done

# It measures delays and memory, so nothing else should run meanwhile.
.PHONY: chaos
chaos: go-version ## Try the failures of docs/failures.md at full size for an hour, and write a report to CHAOS_OUT=_output/chaos
	go test -count=1 -timeout=90m -parallel=32 -v ./hack/chaos -run='^TestChaos$$' -chaos -out='$(abspath $(CHAOS_OUT))' $(CHAOS_FLAGS)

.PHONY: soak
soak: go-version ## Churn everything for SOAK=1h, and draw what the server holds meanwhile, in CHAOS_OUT
	go test -count=1 -timeout=0 -v ./hack/chaos -run='^TestChaos$$' -chaos -rows=soak -soak='$(SOAK)' -out='$(abspath $(CHAOS_OUT))'

# It compares CPU times and memory, so nothing else should run meanwhile.
.PHONY: bench
bench: go-version ## Measure against metrics-server and the floors, some 40 minutes: BENCH_FLAGS='-nodes=1000 -steady=5m', or -quick
	cd hack/bench && go run ./cmd/bench -out=../../docs/benchmarks $(BENCH_FLAGS)

.PHONY: bench-micro
bench-micro: go-version ## Run the micro-benchmarks that match BENCH=.
	go test -run='^$$' -bench='$(BENCH)' -benchmem ./pkg/...

.PHONY: lint
lint: go-version ## Check the code as .golangci.yml says
	go run ./hack/golangci

.PHONY: vulncheck
vulncheck: go-version ## Look for known vulnerabilities in what the server calls; says so where the database cannot be had
	go run ./hack/vulncheck

.PHONY: update
update: go-version ## Write the generated files anew
	go run ./hack/generate

.PHONY: verify
verify: go-version ## Check that the generated files are up to date
	go run ./hack/generate --verify

# Since 1.21, the go command fetches the version that go.mod asks for, or says
# why it does not. Older ones fail with an error that does not name it.
.PHONY: go-version
go-version:
	@want=$$(awk '$$1 == "go" { print $$2 }' go.mod); \
	if have=$$(go env GOVERSION 2>&1); then \
		minor=$${have#go1.}; [ "$${minor%%[!0-9]*}" -lt 21 ] 2>/dev/null || exit 0; \
	fi; \
	echo "error: Go $$want or newer is needed. This machine has: $$have" >&2; exit 1

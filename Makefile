# Set-up, tests and builds. Everything but `make test` needs only Go.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)

.PHONY: build test rig services chaos upgrade fuzz demo fmt packages clean

build: ## dist/binnacle and dist/navcloud, static and stripped
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o dist/ ./cmd/binnacle ./cmd/navcloud

test: ## everything that must hold, real RabbitMQ and a real browser included
	.ci/parts
	BINNACLE_REAL=1 BINNACLE_BROWSER=1 BINNACLE_CHAOS=short .ci/test

chaos: ## breaks a running agent: 200 kills, every way of damage, full disks; about half an hour, root for all of it
	BINNACLE_CHAOS=long go test -count=1 -timeout=90m -v ./cmd/binnacle/chaos

rig: ## all situations of a real RabbitMQ cluster in network namespaces: about two hours, root; make rig ROWS=cut,frozen plays those
	.ci/parts
	BINNACLE_REAL=1 BINNACLE_RIG=$(or $(ROWS),1) go test -count=1 -timeout=200m -v -run '^TestRealSituations$$' ./agent

services: ## real HAProxy, Redis, MariaDB and the like, killed, frozen, filled and cut: about half an hour
	BINNACLE_SERVICES=1 .ci/parts
	BINNACLE_REAL=1 BINNACLE_SERVICES=1 go test -count=1 -timeout=90m -v -run '^TestReal(StackIsOnePage|SentinelFailsOver|PrimaryWithoutSentinels.*|Ensemble.*|Redis|HAProxy|Nginx|Apache|Memcached|Varnish|ZooKeeper|Tomcat|ActiveMQ|Journal)$$' ./agent ./collectors/services ./collectors/logs

upgrade: ## replaces a released program by this one, router by router, and back: make upgrade OLD=/path/to/binnacle; a few minutes
	BINNACLE_OLD="$(abspath $(OLD))" go test -count=1 -timeout=30m -v -run UpgradeOfReleased ./cmd/binnacle/chaos

fuzz: ## every fuzz target for FUZZTIME each (1m); what it finds becomes a seed under testdata
	.ci/fuzz $(or $(FUZZTIME),1m)

packages: ## deb, rpm and tarball of both architectures, with checksums, in dist/packages; make packages VERSION=0.1.0
	packaging/build $(VERSION) amd64 arm64

demo: ## an incident from first packet to last page
	go run ./cmd/binnacle demo

screens: ## pictures of every page in every state, on a phone and a desk, light and dark, into dist/screens
	mkdir -p dist/screens
	BINNACLE_BROWSER=1 BINNACLE_SCREENS=$(CURDIR)/dist/screens go test ./dashboards -run 'TestScreens' -count=1 -timeout 20m

fmt:
	go tool -modfile=.ci/dev.mod gofumpt -w .

clean:
	rm -rf dist

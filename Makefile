# Thin: every target is one script or one CMake preset.
JOBS ?= $(shell nproc)
PRESET ?= release
SECONDS ?= 3600
ARCH ?= $(shell dpkg --print-architecture)

.DEFAULT_GOAL := help
.PHONY: help setup build demo test test-budget test-matrix test-receivers test-chart test-cluster test-image image deb fuzz bench fmt lint coverage

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## install the packages for building and testing (Debian, Ubuntu)
	@.ci/setup.sh test

build: ## build into build/release (PRESET=debug, asan, ... for another)
	@.ci/setup.sh build
	@.ci/build.sh $(PRESET)

demo: ## a small shop, load, and vethscope watching it (DEMO_SECONDS=30 stops by itself)
	@.ci/setup.sh demo
	@.ci/build.sh release vethscope
	@deploy/demo/demo.sh

test: ## everything that must be green; about eight minutes on two cores
	@.ci/setup.sh test
	@.ci/test.sh

test-budget: ## instructions of a packet, a head, an exchange against the committed ones
	@.ci/setup.sh test
	@.ci/build.sh budget vethscope bench_events bench_http_parser bench_otlp bench_scrape
	@ctest --test-dir build/budget -L '^budget$$' --verbose --no-tests=error

test-matrix: ## real servers and clients against each other, exact counts; about two minutes
	@.ci/setup.sh matrix
	@.ci/build.sh release vethscope matrix_programs
	@ctest --test-dir build/release -L '^matrix$$' --verbose --no-tests=error

test-cluster: ## a real Kubernetes node, and a real API server; needs Go 1.25, which builds them once
	@.ci/setup.sh cluster
	@tests/kube/build.py
	@tests/cluster/images.py
	@.ci/build.sh release kube_dump vethscope
	@.ci/build.sh asan kube_dump
	@.ci/image.sh build/vethscope-image.tar
	@ctest --test-dir build/release -L '^cluster$$' -E faults --verbose --no-tests=error
	@ctest --test-dir build/asan -R '^cluster_faults$$' --verbose --no-tests=error

test-chart: ## the chart, the plain manifests, dashboards, alerts; with an API server, without a node
	@.ci/setup.sh chart
	@tests/kube/build.py helm kubectl etcd kube-apiserver >/dev/null
	@.ci/build.sh release vethscope
	@ctest --test-dir build/release -L '^chart$$' --verbose --no-tests=error

test-receivers: ## real receivers of what vethscope sends: Prometheus, a Collector, Kafka, files, HTTP
	@.ci/setup.sh receivers
	@.ci/build.sh release vethscope
	@ctest --test-dir build/release -L '^receivers$$' --verbose --no-tests=error

test-image: ## the container image and the Debian package: contents, start, both architectures
	@.ci/setup.sh image
	@.ci/build.sh release vethscope
	@ctest --test-dir build/release -L '^image$$' --verbose --no-tests=error

image: ## the container image, as build/vethscope-ARCH.tar (ARCH=amd64 or arm64)
	@.ci/setup.sh image
	@.ci/image.sh build/vethscope-$(ARCH).tar $(ARCH)

deb: ## the Debian package, into build/deb
	@.ci/setup.sh image
	@.ci/deb.sh

fuzz: ## every fuzzer for SECONDS (an hour), and what each executed and reached
	@.ci/setup.sh test
	@.ci/build.sh fuzz
	@.ci/fuzz.sh $(SECONDS)

bench: ## measure everything, against the programs that do alike (.ci/bench.sh NAME: one)
	@.ci/setup.sh bench
	@.ci/build.sh release
	@.ci/bench.sh

fmt: ## format the C files in place
	@.ci/lint.sh format

lint: ## formatting, clang-tidy, shellcheck, and the rules of the house
	@.ci/lint.sh

coverage: ## coverage of the unit and golden tests, by room; fails below the bounds
	@.ci/setup.sh test
	@.ci/coverage.sh

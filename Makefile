# Thin: every target is one script or one CMake preset.
JOBS ?= $(shell nproc)
PRESET ?= release

.DEFAULT_GOAL := help
.PHONY: help setup build demo test test-matrix bench fmt lint coverage

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## install the packages for building and testing (Debian, Ubuntu)
	@scripts/setup.sh test

build: ## build into build/release (PRESET=debug, asan, ... for another)
	@scripts/setup.sh build
	@scripts/build.sh $(PRESET)

demo: ## a small shop, load, and vethscope watching it (DEMO_SECONDS=30 stops by itself)
	@scripts/setup.sh demo
	@scripts/build.sh release vethscope
	@scripts/demo.sh

test: ## everything that must be green; about eight minutes on two cores
	@scripts/setup.sh test
	@scripts/test.sh

test-matrix: ## real servers and clients against each other, exact counts; about two minutes
	@scripts/setup.sh matrix
	@scripts/build.sh release vethscope matrix_programs
	@ctest --test-dir build/release -L '^matrix$$' --verbose --no-tests=error

bench: ## how long reading a capture takes, against tcpdump and tshark
	@scripts/setup.sh test
	@scripts/build.sh release
	@scripts/bench.sh

fmt: ## format the C files in place
	@scripts/lint.sh format

lint: ## formatting, clang-tidy, shellcheck, and the rules of the house
	@scripts/lint.sh

coverage: ## line coverage of the unit and golden tests
	@scripts/setup.sh test
	@scripts/coverage.sh

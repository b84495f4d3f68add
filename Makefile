# The entry points. Each installs what it needs by package name first.
SHELL := /bin/bash
RUN_DIR ?= $(CURDIR)/run
JOBS ?= $(shell nproc)
# What was compiled in one checkout serves in every other.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1

.PHONY: setup setup-test build run check test drill bench growth soak tidy clean
setup:
	@scripts/setup.sh build
setup-test:
	@scripts/setup.sh build test

# Without what only the tests need.
build: setup
	cmake --preset release -DHOLDFAST_TESTS=OFF
	cmake --build --preset release -j $(JOBS) --target holdfastd holdfast

# Serves an embedded file pool in RUN_DIR; a second start finds the data again.
run: build
	@scripts/run.sh build/release $(RUN_DIR)

# The inner loop: unit, model, crash and tidy tests, without other programs.
check: setup-test
	cmake --preset release
	cmake --build --preset release -j $(JOBS)
	ctest --test-dir build/release -L check --output-on-failure -j $(JOBS)

# Everything: sanitizers, fuzz targets and real clients.
test: setup-test
	@scripts/test.sh

# A site is destroyed and comes back from another one; the last line is the recovery time.
drill: setup-test
	cmake --preset release
	cmake --build --preset release -j $(JOBS)
	HOLDFAST_BUILD=build/release build/venv/bin/python tests/e2e/drill.py

soak: setup-test
	cmake --preset release
	cmake --build --preset release -j $(JOBS)
	HOLDFAST_SOAK=10 HOLDFAST_YEARS=10 HOLDFAST_YEAR_SEEDS=1000 HOLDFAST_COPY_SEEDS=1000 HOLDFAST_KILL_ROUNDS=200 HOLDFAST_TARGET_ROUNDS=50 \
	  ctest --test-dir build/release --output-on-failure -E 'e2e_(velero|versitygw)'
	HOLDFAST_BUILD=build/release HOLDFAST_BENCH_OBJECTS=100000 HOLDFAST_BENCH_VELERO=0 build/venv/bin/python tests/bench/kube.py

# How the figures grow with objects and connections, with pictures; a quarter of an hour, and 24 GiB of disk.
growth: setup-test
	@scripts/setup.sh bench
	cmake --preset release
	cmake --build --preset release -j $(JOBS)
	HOLDFAST_BUILD=build/release /usr/bin/python3 tests/bench/growth.py

bench: setup-test
	cmake --preset release
	cmake --build --preset release -j $(JOBS)
	@tests/bench/run.sh build/release

tidy: setup-test
	cmake --preset release
	ctest --test-dir build/release -L tidy --output-on-failure

clean:
	rm -rf build

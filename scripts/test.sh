#!/usr/bin/env bash
# Every test: release build with real clients, ASan and UBSan, TSan for the concurrent parts, fuzz targets.
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=$(nproc)
# What was compiled in one checkout serves in every other.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

echo "== release"
cmake --preset release >/dev/null
cmake --build --preset release -j "$jobs" -- --quiet

# The end-to-end tests wait most of the time: the other builds, and the fuzz targets, get what they leave.
build_others() {
  cmake --preset asan >/dev/null
  cmake --build --preset asan -j "$jobs" --target sanitized_tests holdfastd holdfast -- --quiet
  cmake --preset tsan >/dev/null
  cmake --build --preset tsan -j "$jobs" --target concurrent_tests -- --quiet
  tests/fuzz/run.sh "${HOLDFAST_FUZZ_SECONDS:-60}"
}
export -f build_others
export jobs
nice -n 15 bash -euo pipefail -c build_others >build/others.log 2>&1 &
others=$!
trap 'kill "$others" 2>/dev/null || true' EXIT

ctest --test-dir build/release --output-on-failure -j "$jobs" -LE e2e
ctest --test-dir build/release --output-on-failure -L e2e

echo "== sanitizer builds and fuzz targets"
wait "$others" || { cat build/others.log; exit 1; }
grep -E '_fuzz: ' build/others.log

echo "== rates beside versitygw"
HOLDFAST_BUILD=build/release /usr/bin/python3 tests/bench/smoke.py

echo "== address and undefined behaviour sanitizers"
ctest --test-dir build/asan --output-on-failure -L sanitize
HOLDFAST_YEAR_SEEDS=5 build/asan/tests/policies_year_test
HOLDFAST_COPY_SEEDS=5 build/asan/tests/copies_year_test
HOLDFAST_BUILD=build/asan HOLDFAST_KILL_ROUNDS=2 HOLDFAST_TARGET_ROUNDS=1 build/venv/bin/python tests/e2e/kill_test.py
HOLDFAST_BUILD=build/asan build/venv/bin/python tests/e2e/kube_test.py KubeTest
HOLDFAST_BUILD=build/asan build/venv/bin/python tests/e2e/kube_restore_test.py
HOLDFAST_BUILD=build/asan build/venv/bin/python tests/e2e/velero_cli_test.py
HOLDFAST_BUILD=build/asan build/venv/bin/python tests/e2e/hooks_test.py
HOLDFAST_BUILD=build/asan build/venv/bin/python tests/e2e/recovery_test.py
HOLDFAST_BUILD=build/asan build/venv/bin/python tests/e2e/verify_test.py VerifyTest.test_test_restore_with_clean_up VerifyTest.test_damage_that_is_found_by_reading VerifyTest.test_killed_in_the_middle_nothing_is_left

echo "== thread sanitizer"
ctest --test-dir build/tsan --output-on-failure -L concurrent

# The summary that is read by programs comes last.
ctest --test-dir build/release -LE e2e -L tidy

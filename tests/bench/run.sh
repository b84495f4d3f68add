#!/usr/bin/env bash
# run.sh BUILD_DIR: Holdfast beside versitygw. See tests/bench/run.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
HOLDFAST_BUILD=$1 exec /usr/bin/python3 tests/bench/run.py

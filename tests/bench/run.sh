#!/usr/bin/env bash
# run.sh BUILD_DIR: Holdfast beside versitygw. See tests/bench/run.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${VERSITYGW:-}" ] && ! command -v versitygw >/dev/null && [ ! -x "$HOME/go/bin/versitygw" ]; then
  command -v go >/dev/null || { echo "bench: versitygw is built with Go; install golang, or set VERSITYGW" >&2; exit 1; }
  go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
fi
HOLDFAST_BUILD=$1 exec /usr/bin/python3 tests/bench/run.py

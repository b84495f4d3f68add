#!/usr/bin/env bash
# run.sh BUILD_DIR [s3|kube]: Holdfast beside versitygw, and beside Velero. See tests/bench/run.py, variants.py, iscsi.py, tests/bench/kube.py, tests/bench/kube_restore.py, tests/bench/site_copy.py, site_nothing.py and slow_link.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
export HOLDFAST_BUILD=$1
[ "${2:-s3}" = kube ] || { /usr/bin/python3 tests/bench/run.py; /usr/bin/python3 tests/bench/variants.py; /usr/bin/python3 tests/bench/iscsi.py; }
[ "${2:-kube}" = s3 ] || { build/venv/bin/python tests/bench/kube.py; build/venv/bin/python tests/bench/kube_restore.py; build/venv/bin/python tests/bench/site_copy.py; build/venv/bin/python tests/bench/site_nothing.py; build/venv/bin/python tests/bench/slow_link.py; }

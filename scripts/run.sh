#!/usr/bin/env bash
# run.sh BUILD_DIR RUN_DIR: makes an embedded pool in RUN_DIR unless there is one, and serves it.
set -euo pipefail
build=$1
run=$2

if [ ! -e "$run/holdfastd.yaml" ]; then
  mkdir -p "$run"
  chmod 700 "$run"
  "$build/daemon/holdfast" init --dir "$run" --size "${HOLDFAST_POOL_SIZE:-20G}" \
    --listen "${HOLDFAST_LISTEN:-127.0.0.1:9000}" --plain-http
fi
address=$(sed -n 's/^ *- address: "\(.*\)"/\1/p' "$run/holdfastd.yaml" | head -1)
cat <<EOF

endpoint:      http://$address   (region us-east-1, plain HTTP)
credentials:   $run/admin-credentials
administration: $build/daemon/holdfast --admin $run/admin.sock status
EOF
exec "$build/daemon/holdfastd" --config "$run/holdfastd.yaml"

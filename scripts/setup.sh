#!/usr/bin/env bash
# Installs what the named steps need: build, test, bench. Does nothing, quickly, when all of it is there.
set -euo pipefail
cd "$(dirname "$0")/.."

build=(g++ cmake ninja-build ccache pkg-config libboost1.81-dev libboost-json1.81-dev libssl-dev libsqlite3-dev
       libspdlog-dev libfmt-dev libyaml-cpp-dev libcli11-dev libpugixml-dev libisal-dev libiscsi-dev libzstd-dev libxxhash-dev libgoogle-perftools-dev
       libsystemd-dev libcurl4-openssl-dev libarchive-dev libre2-dev libhowardhinnant-date-dev tzdata)
test=(libgtest-dev python3 python3-venv clang-16 libclang-rt-16-dev tgt rclone restic s3cmd curl openssl
      etcd-server containerd runc containernetworking-plugins iproute2 iptables nftables socat conntrack busybox-static
      ca-certificates procps bc gcc libc6-dev faketime)
bench=(python3-matplotlib)

if [ "$(dpkg --print-architecture)" = amd64 ]; then build+=(libipsec-mb-dev); fi

wanted=()
for step in "$@"; do
  case $step in
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    bench) wanted+=("${bench[@]}") ;;
    *) echo "setup.sh: unknown step $step" >&2; exit 2 ;;
  esac
done

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }
install_missing() {
  [ ${#missing[@]} -eq 0 ] && return
  echo "installing: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The Python environment of the end-to-end tests.
install_venv() {
  local wanted=tests/e2e/requirements.txt
  cmp -s "$wanted" build/venv/requirements.txt && return
  rm -rf build/venv
  /usr/bin/python3 -m venv build/venv
  build/venv/bin/pip install --quiet --disable-pip-version-check -r "$wanted"
  cp "$wanted" build/venv/requirements.txt
}

install_missing
for step in "$@"; do
  if [ "$step" = test ]; then install_venv; fi
done

#!/usr/bin/env bash
# run.sh SECONDS: builds the fuzz targets with libFuzzer and runs each for that long.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=$1
out=build/fuzz
mkdir -p "$out/corpus"

# libstdc++ offers std::expected to compilers with C++20's last concepts paper; clang 16 has what it needs of it.
flags=(-std=c++2b -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -D__cpp_concepts=202002L
       -Wno-macro-redefined -I. -DUSE_OS_TZDB=1 -DHAS_STRING_VIEW=1 -include ostream)
libraries=(-lisal -lcrypto -lpugixml -lboost_json -lyaml-cpp -lcurl -larchive -lre2 -ldate-tz)
if [ "$(dpkg --print-architecture)" = amd64 ]; then flags+=(-DHOLDFAST_IPSEC_MB) libraries+=(-lIPSec_MB); fi
base=(storage/base/status.cc storage/base/bytes.cc storage/base/body_ref.cc storage/base/checksum.cc storage/base/cpu.cc storage/base/crc64nvme.cc storage/base/digest.cc
      storage/base/random.cc storage/base/times.cc storage/base/names.cc storage/base/text.cc)
protocol=(s3gw/protocol/s3_error.cc s3gw/protocol/xml.cc s3gw/protocol/operation.cc
          storage/net/http_types.cc storage/net/transfer_coding.cc storage/net/sigv4.cc)
auth=(s3gw/auth/sigv4_check.cc s3gw/auth/sigv4_claim.cc s3gw/auth/chunked_body.cc)
kube=(k8s/client/json_access.cc k8s/client/cluster_access.cc k8s/client/kubeconfig.cc k8s/client/credentials.cc k8s/client/exec_plugin.cc
      k8s/client/list_splitter.cc k8s/client/api_resource.cc k8s/client/api_client.cc k8s/client/pod_exec.cc k8s/client/api_error.cc k8s/client/event_lines.cc k8s/client/discovery.cc k8s/spec/label_selector.cc k8s/spec/go_duration.cc
      k8s/spec/hooks.cc k8s/spec/quantity.cc k8s/spec/resource_policies.cc k8s/spec/yaml_json.cc k8s/spec/backup_spec.cc k8s/spec/time_zone.cc k8s/spec/cron.cc k8s/spec/credentials_file.cc k8s/spec/labels.cc k8s/spec/name_lists.cc k8s/spec/resource_names.cc k8s/backup/resource_filter.cc k8s/backup/related_items.cc k8s/bucket/gunzip_stream.cc k8s/bucket/gzip_writer.cc
      storage/net/curl_handle.cc storage/net/http_client.cc storage/net/web_socket.cc storage/net/http_types.cc)
restore=(k8s/bucket/archive_reader.cc k8s/spec/restore_spec.cc k8s/restore/item_path.cc k8s/restore/item_transforms.cc
         k8s/restore/service_transform.cc k8s/restore/left_out.cc k8s/restore/merge_patch.cc k8s/restore/json_patch.cc k8s/restore/strategic_patch.cc
         k8s/restore/resource_modifiers.cc k8s/trial/comparison.cc k8s/trial/harmless.cc k8s/trial/readiness.cc)
policy=(daemon/scheduler/policy.cc daemon/policy_fields.cc daemon/verification_fields.cc daemon/scheduler/document_lines.cc daemon/duration.cc)
site=(storage/remote/s3_answers.cc storage/net/http_types.cc daemon/replicator/site_unit.cc daemon/replicator/repository_list.cc)
recovery=(daemon/recovery/bundle.cc daemon/recovery/sealed_bundle.cc daemon/recovery/claim.cc storage/crypto/aead.cc storage/crypto/gcm_wide.cc)
log=(storage/log/record.cc storage/log/segment_header.cc storage/log/superblock.cc storage/crypto/aead.cc storage/crypto/gcm_wide.cc storage/index/facts.cc)

declare -A sources_of=(
  [records_fuzz]="${base[*]} ${log[*]}"
  [sigv4_fuzz]="${base[*]} ${protocol[*]} ${auth[*]}"
  [chunked_fuzz]="${base[*]} ${protocol[*]} ${auth[*]}"
  [xml_fuzz]="${base[*]} ${protocol[*]}"
  [http_fuzz]="${base[*]} ${protocol[*]}"
  [kube_fuzz]="${base[*]} ${kube[*]}"
  [restore_fuzz]="${base[*]} ${kube[*]} ${restore[*]}"
  [policy_fuzz]="${base[*]} ${kube[*]} ${policy[*]}"
  [site_fuzz]="${base[*]} ${site[*]}"
  [recovery_fuzz]="${base[*]} ${recovery[*]}"
)

# Each source once, whatever how many targets need it; ccache knows which have changed.
compile() { # SOURCE
  mkdir -p "$(dirname "$out/$1.o")"
  ccache clang++-16 "${flags[@]}" -c "$1" -o "$out/$1.o"
}
running=0
for source in $( (for target in "${!sources_of[@]}"; do printf '%s\n' ${sources_of[$target]} "tests/fuzz/$target.cc"; done) | sort -u); do
  compile "$source" &
  running=$((running + 1))
  if [ "$running" -ge "$(nproc)" ]; then
    wait -n
    running=$((running - 1))
  fi
done
while [ "$running" -gt 0 ]; do
  wait -n
  running=$((running - 1))
done
for target in "${!sources_of[@]}"; do
  objects=()
  for source in $(printf '%s\n' ${sources_of[$target]} | sort -u) "tests/fuzz/$target.cc"; do objects+=("$out/$source.o"); done
  clang++-16 -fsanitize=fuzzer,address,undefined "${objects[@]}" -o "$out/$target" "${libraries[@]}"
done

failed=0
for target in "${!sources_of[@]}"; do
  mkdir -p "$out/corpus/$target"
  seeds=()
  [ -d "tests/fuzz/seeds/$target" ] && seeds=("tests/fuzz/seeds/$target")
  dictionary=()
  [ -f "tests/fuzz/$target.dict" ] && dictionary=(-dict="tests/fuzz/$target.dict")
  if "$out/$target" -max_total_time="$seconds" -max_len=70000 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 "${dictionary[@]}" \
      -artifact_prefix="$out/$target-" "$out/corpus/$target" "${seeds[@]}" >"$out/$target.log" 2>&1; then
    echo "$target: $(grep -o 'number_of_executed_units: [0-9]*' "$out/$target.log"), no finding"
  else
    echo "$target: FOUND"; tail -40 "$out/$target.log"; failed=1
  fi
done
exit $failed

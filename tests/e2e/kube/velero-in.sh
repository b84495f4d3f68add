#!/bin/bash
# velero-in.sh [NAME=a]: Velero v1.18.3 inside cluster NAME, as its users run it: Deployment + node-agent DaemonSet + aws plugin,
# a BackupStorageLocation on $S3, CSI feature on.  Waits until the location is Available.
set -eu
. "$(dirname "$0")/env.sh"; N=${1:-a} R=$B/run/${1:-a}; IDX=$(cat $R/idx)
S3=${S3:-http://172.31.$IDX.1:9200} BUCKET=${BUCKET:-velero}
unset AWS_CA_BUNDLE; export KUBECONFIG=$R/pki/admin.conf; K=$B/bin/kubectl
printf '[default]\naws_access_key_id=%s\naws_secret_access_key=%s\n' "${AK:-velero}" "${SK:-velero-secret-1}" > $R/cloud
$B/bin/velero install --use-node-agent --features=EnableCSI --provider aws --plugins localhost/velero-plugin-for-aws:v1.14.3 \
  --image localhost/velero:v1.18.3 --bucket $BUCKET ${PREFIX:+--prefix $PREFIX} ${CACERT:+--cacert $CACERT} --secret-file $R/cloud --use-volume-snapshots=false \
  --backup-location-config region=us-east-1,s3ForcePathStyle=true,s3Url=$S3${BSLCONF:+,$BSLCONF} \
  --velero-pod-cpu-request 50m --velero-pod-mem-request 64Mi > $R/log/velero-install.log 2>&1
$K -n velero rollout status deploy/velero --timeout=60s >/dev/null; $K -n velero rollout status ds/node-agent --timeout=60s >/dev/null
for i in $(seq 600); do [ "$($K -n velero get bsl default -o jsonpath='{.status.phase}' 2>/dev/null)" = Available ] && break; sleep 0.1; done
$K -n velero get bsl default --no-headers

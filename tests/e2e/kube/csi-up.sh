#!/bin/bash
# csi-up.sh [NAME=a]: the directory CSI driver (dynamic provisioning, clones, snapshots) in cluster NAME: CRDs, snapshot-controller,
# csi-provisioner, csi-snapshotter and the driver, all as plain processes inside the cluster's namespaces.
set -eu
. "$(dirname "$0")/env.sh"; N=${1:-a} R=$B/run/${1:-a}; H=$(cat $R/holder.pid); NODE=node-$N
export KUBECONFIG=$R/pki/admin.conf; K=$B/bin/kubectl
CRD=$B/crd
$K apply -f $CRD/snapshot.storage.k8s.io_volumesnapshotclasses.yaml -f $CRD/snapshot.storage.k8s.io_volumesnapshotcontents.yaml -f $CRD/snapshot.storage.k8s.io_volumesnapshots.yaml >/dev/null
cat <<Y | $K apply -f - >/dev/null
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: {name: dir.csi.test}
spec: {attachRequired: false, podInfoOnMount: false, volumeLifecycleModes: [Persistent]}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: dir}
provisioner: dir.csi.test
reclaimPolicy: Delete
volumeBindingMode: Immediate
Y
mkdir -p $R/csi
bg() { local n=$1; shift; nsenter -t $H -m -n -p -u -i -- setsid "$@" >>$R/log/$n.log 2>&1 & echo $! > $R/$n.nsenter.pid; }
S=/var/lib/kubelet/plugins/dir.csi.test/csi.sock
bg csi-dir $B/bin/csi-dir -node $NODE -data $R/csi
bg csi-provisioner $B/bin/csi-provisioner --kubeconfig=$R/pki/admin.conf --csi-address=$S --leader-election=false --extra-create-metadata=true --default-fstype=ext4
$K wait --for=condition=Established crd/volumesnapshots.snapshot.storage.k8s.io crd/volumesnapshotcontents.snapshot.storage.k8s.io crd/volumesnapshotclasses.snapshot.storage.k8s.io --timeout=20s >/dev/null
bg snapshot-controller $B/bin/snapshot-controller --kubeconfig=$R/pki/admin.conf --leader-election=false
bg csi-snapshotter $B/bin/csi-snapshotter --kubeconfig=$R/pki/admin.conf --csi-address=$S --leader-election=false
cat <<Y | $K apply -f - >/dev/null
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotClass
metadata: {name: dir, labels: {velero.io/csi-volumesnapshot-class: "true"}}
driver: dir.csi.test
deletionPolicy: Delete
Y
for i in $(seq 100); do $K get csinode $NODE -o jsonpath='{.spec.drivers[*].name}' 2>/dev/null | grep -q dir.csi.test && break; sleep 0.1; done
$K get csinode $NODE -o jsonpath='{.spec.drivers[*].name}'; echo

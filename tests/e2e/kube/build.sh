#!/bin/bash
# build.sh [kube] [velero] [csi]: builds the programs as ordinary Go modules (mod/*/go.mod); what is there already is kept.
# Cold on two cores 18 min in all; with a warm Go build cache seconds.
set -eu
. "$(dirname "$0")/env.sh"
go_build() { # MODULE-FOLDER PACKAGE LDFLAGS
  local out=$B/bin/$(basename $2); [ -e $out ] && [ ! $HERE/mod/$1/$(basename $2)/main.go -nt $out ] && return
  (cd $HERE/mod/$1 && CGO_ENABLED=0 "$GO" build -mod=mod -trimpath -ldflags "-s -w ${3:-}" -o $out $2); }
V=v1.36.3; KV=; for p in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  KV+=" -X $p.gitVersion=$V -X $p.gitMajor=1 -X $p.gitMinor=36 -X $p.gitTreeState=clean"; done
for what in ${*:-kube velero csi}; do case $what in
  kube) for c in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do go_build k8s k8s.io/kubernetes/cmd/$c "$KV"; done;;
  velero) P=github.com/vmware-tanzu/velero
    go_build velero $P/cmd/velero "-X $P/pkg/buildinfo.Version=v1.18.3 -X $P/pkg/buildinfo.GitTreeState=clean"
    go_build velero $P/cmd/velero-restore-helper; go_build velero $P/cmd/velero-helper
    go_build velero kubeenv/velero/kopia-maintain
    go_build velero-aws github.com/vmware-tanzu/velero-plugin-for-aws/velero-plugin-for-aws;;
  csi) go_build csi github.com/kubernetes-csi/external-snapshotter/v8/cmd/snapshot-controller
    go_build csi github.com/kubernetes-csi/external-snapshotter/v8/cmd/csi-snapshotter
    go_build csi github.com/kubernetes-csi/external-provisioner/v6/cmd/csi-provisioner; go_build csi kubeenv/csi/csi-dir
    [ -d $B/crd ] || (cd $HERE/mod/csi; M=github.com/kubernetes-csi/external-snapshotter/client/v8; "$GO" mod download $M
      cp -r "$("$GO" list -mod=mod -m -f '{{.Dir}}' $M)/config/crd" $B/crd; chmod -R u+w $B/crd);;
esac; done

# Sourced by every script here. Programs, images and clusters live below $KUBE_HOME; what was built for other module
# versions lies beside it.
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
STAMP=$(cat "$HERE"/mod/*/go.mod "$HERE"/mod/csi/csi-dir/main.go | sha256sum | cut -c1-12)
B=${KUBE_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/holdfast-kube}/$STAMP
mkdir -p "$B/bin" "$B/images" "$B/run"
unset AWS_CA_BUNDLE
GO=${GO:-$("$HERE/../../../scripts/go.sh")}

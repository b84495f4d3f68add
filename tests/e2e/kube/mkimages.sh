#!/bin/bash
# mkimages.sh: the local OCI images that up.sh imports, packed from local files (no registry): pause, busybox, Velero, its AWS plugin.
set -eu
. "$(dirname "$0")/env.sh"; I=$B/images; W=$B/images/src; mkdir -p $W; cd $W
gcc -Os -static -s -o pause $HERE/images/pause.c
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' > passwd; printf 'root:x:0:\nnogroup:x:65534:\n' > group
printf 'root:x:0:0:root:/root:/bin/sh\ncnb:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' > vpasswd
mk() { /usr/bin/python3 $HERE/images/mkimage.py "$@"; }
mk $I/pause.tar localhost/pause:3.10 --entrypoint /pause --file pause=/pause
L=""; for x in $(/bin/busybox --list); do [ $x = busybox ] || L="$L /bin/$x=/bin/busybox"; done     # Debian's busybox-static
mk $I/busybox.tar localhost/busybox:1.35 --cmd sh --dir tmp:1777 root etc var/www --link $L --file $(which busybox)=/bin/busybox passwd=/etc/passwd group=/etc/group
[ -e $B/bin/velero ] || exit 0
mk $I/velero.tar localhost/velero:v1.18.3 --entrypoint /velero --dir tmp:1777 root home/nonroot plugins scratch:1777 \
  --file $B/bin/velero=/velero $B/bin/velero-restore-helper=/velero-restore-helper $B/bin/velero-helper=/velero-helper vpasswd=/etc/passwd group=/etc/group /etc/ssl/certs/ca-certificates.crt=/etc/ssl/certs/ca-certificates.crt
mk $I/velero-aws.tar localhost/velero-plugin-for-aws:v1.14.3 --entrypoint /bin/busybox cp /plugins/velero-plugin-for-aws /target/velero-plugin-for-aws --dir target \
  --file $(which busybox)=/bin/busybox $B/bin/velero-plugin-for-aws=/plugins/velero-plugin-for-aws

#!/bin/bash
# down.sh [NAME=a] [keep]   Ends what up.sh started: one kill of the recorded holder (PID 1 of the
# cluster's PID namespace) ends every process in it, and with them the namespaces, mounts, bridge and veth.
# Without "keep" the state under $KUBE_HOME/run/NAME is removed too.
. "$(dirname "$0")/env.sh"; NAME=${1:-a} R=$B/run/${1:-a}
[ -d $R ] || { echo "no cluster $NAME below $B/run (is KUBE_HOME set as it was for up.sh?)" >&2; exit 1; }
H=$(cat $R/holder.pid 2>/dev/null)
if [ -n "$H" ] && [ -e /proc/$H ] && grep -q 'sleep 86400' /proc/$H/cmdline; then
  kill -9 $H
  for i in $(seq 100); do [ -e /proc/$H ] || break; sleep 0.05; done
fi
for i in $(seq 50); do ip link show kv$(cat $R/idx)h >/dev/null 2>&1 || break; sleep 0.05; done
ip link del kv$(cat $R/idx)h 2>/dev/null
# cgroups: deepest first
for c in cpu cpuacct cpuset memory devices freezer blkio pids systemd; do
  [ -d /sys/fs/cgroup/$c/kube-$NAME ] && find /sys/fs/cgroup/$c/kube-$NAME -depth -type d -exec rmdir {} \; 2>/dev/null
done
[ -d /sys/fs/cgroup/unified/kube-$NAME ] && find /sys/fs/cgroup/unified/kube-$NAME -depth -type d -exec rmdir {} \; 2>/dev/null
rm -f $R/holder.pid $R/*.nsenter.pid
[ "${2:-}" = keep ] || rm -rf $R

#!/bin/bash
# up.sh [NAME=a] [INDEX=1] [control|node]
# Brings up one single-node Kubernetes cluster in its own mount, network, PID and UTS namespaces.
#
#   host 172.31.INDEX.1  <- veth ->  172.31.INDEX.2 (API server :6443, kubelet, containerd, pods 10.(200+INDEX).0.0/24)
#
# Everything it starts lives in the PID namespace of one "holder" process; killing the holder ends
# the whole cluster, and the namespaces, mounts and the veth pair go with it (see down.sh).
# Private bind mounts give each cluster its own /var/lib/kubelet, /run/containerd, ... so several can run.
# Needs: build.sh and mkimages.sh; Debian's containerd, runc, containernetworking-plugins, etcd-server, iproute2, nftables.
set -eu
NAME=${1:-a} IDX=${2:-1} UPTO=${3:-node}
. "$(dirname "$0")/env.sh"; R=$B/run/$NAME
HOSTIP=172.31.$IDX.1 NODEIP=172.31.$IDX.2 PODNET=10.$((200+IDX)).0.0/24 SVCNET=10.96.0.0/16 NODE=node-$NAME
T0=$(date +%s.%N); say() { printf '%7.2fs %s\n' "$(echo "$(date +%s.%N)-$T0" | bc)" "$*"; }

[ -e $R/holder.pid ] && kill -0 "$(cat $R/holder.pid)" 2>/dev/null && { echo "cluster $NAME is already up"; exit 1; }
mkdir -p $R/{log,pki,etcd,mnt/{kubelet,containerd,run-containerd,cni,netns,cni-conf,logpods,logcontainers},hostpath}

# 1. the namespaces. The holder is PID 1 in there, it reaps what is orphaned.
setsid unshare --mount --net --pid --uts --ipc --fork --propagation private \
  bash -c 'trap : TERM; while :; do sleep 86400 & wait $!; done' >/dev/null 2>&1 &
UNSH=$!
for i in $(seq 50); do H=$(cat /proc/$UNSH/task/$UNSH/children 2>/dev/null | tr -d ' ') && [ -n "$H" ] && break; sleep 0.02; done
echo $H > $R/holder.pid; echo $IDX > $R/idx
IN() { nsenter -t $H -m -n -p -u -i -- "$@"; }        # run something inside

# 2. mounts: a proc for the PID namespace, private state directories at the usual paths, then make
#    everything shared (kubelet's mount propagation needs it).
mkdir -p /var/lib/kubelet /var/lib/containerd /run/containerd /var/lib/cni /etc/cni/net.d /run/netns /var/log/pods /var/log/containers /opt/cni
[ -e /opt/cni/bin ] || ln -s /usr/lib/cni /opt/cni/bin
IN bash -c "
  mount -t proc proc /proc
  hostname $NODE
  mount --bind $R/mnt/kubelet /var/lib/kubelet;         mount --bind $R/mnt/containerd /var/lib/containerd
  mount --bind $R/mnt/run-containerd /run/containerd;   mount --bind $R/mnt/cni /var/lib/cni
  mount --bind $R/mnt/cni-conf /etc/cni/net.d;          mount --bind $R/mnt/netns /run/netns
  mount --bind $R/mnt/logpods /var/log/pods;            mount --bind $R/mnt/logcontainers /var/log/containers
  mount --make-rshared /"
# 3. network
ip link add kv${IDX}h type veth peer name eth0 netns $H
ip addr add $HOSTIP/24 dev kv${IDX}h; ip link set kv${IDX}h up
IN bash -c "
  ip link set lo up; ip addr add $NODEIP/24 dev eth0; ip link set eth0 up; ip route add default via $HOSTIP
  sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1 net.ipv4.conf.all.route_localnet=1"
say "namespaces ready"

# 4. certificates and kubeconfigs
[ -e $R/pki/admin.conf ] || $HERE/gencerts.sh $R/pki $NODEIP $NODE $NODEIP
P=$R/pki; say "certificates ready"
bg() { local n=$1; shift; IN setsid "$@" >>$R/log/$n.log 2>&1 & echo $! > $R/$n.nsenter.pid; }

# 5. control plane
bg etcd ${ETCD:-etcd} --name e --data-dir $R/etcd --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
   --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster e=http://127.0.0.1:2380 \
   --quota-backend-bytes 4294967296 --auto-compaction-retention 5m ${ETCD_OPTS:-}
bg kube-apiserver $B/bin/kube-apiserver --etcd-servers=http://127.0.0.1:2379 --bind-address=0.0.0.0 --secure-port=6443 --advertise-address=$NODEIP \
   --service-cluster-ip-range=$SVCNET --allow-privileged=true --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
   --client-ca-file=$P/ca.crt --tls-cert-file=$P/apiserver.crt --tls-private-key-file=$P/apiserver.key \
   --kubelet-client-certificate=$P/apiserver-kubelet-client.crt --kubelet-client-key=$P/apiserver-kubelet-client.key --kubelet-certificate-authority=$P/ca.crt \
   --kubelet-preferred-address-types=InternalIP \
   --service-account-issuer=https://kubernetes.default.svc.cluster.local --service-account-key-file=$P/sa.pub --service-account-signing-key-file=$P/sa.key \
   --requestheader-client-ca-file=$P/front-proxy-ca.crt --requestheader-allowed-names=front-proxy-client --requestheader-username-headers=X-Remote-User \
   --requestheader-group-headers=X-Remote-Group --requestheader-extra-headers-prefix=X-Remote-Extra- \
   --proxy-client-cert-file=$P/front-proxy-client.crt --proxy-client-key-file=$P/front-proxy-client.key ${APISERVER_OPTS:-}
if [ $UPTO = node ]; then
# 5a. node, first part (runs while the API server starts): CNI configuration, containerd, images
cat > $R/mnt/cni-conf/10-bridge.conflist <<Y
{"cniVersion": "0.4.0", "name": "kube", "plugins": [
 {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "$PODNET"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
 {"type": "portmap", "capabilities": {"portMappings": true}}]}
Y
cat > $R/containerd.toml <<Y
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:3.10"
  stream_server_address = "127.0.0.1"
  restrict_oom_score_adj = true   # a negative oom_score_adj needs CAP_SYS_RESOURCE, which a container lacks
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
Y
bg containerd ${CONTAINERD:-containerd} -c $R/containerd.toml
for i in $(seq 200); do IN ctr version >/dev/null 2>&1 && break; sleep 0.1; done
( for t in $B/images/*.tar; do IN ctr -n k8s.io images import $t; done ) >>$R/log/images.log 2>&1 & IMPORT=$!
fi
for i in $(seq 600); do
  [ "$(curl -s -m 2 --cacert $P/ca.crt --cert $P/admin.crt --key $P/admin.key https://$NODEIP:6443/readyz)" = ok ] && break; sleep 0.1
done
[ $i -lt 600 ] || { say "API server is not ready; see $R/log/kube-apiserver.log"; exit 1; }
say "API server /readyz ok"
bg kube-controller-manager $B/bin/kube-controller-manager --kubeconfig=$P/controller-manager.conf --leader-elect=false --use-service-account-credentials=true \
   --service-account-private-key-file=$P/sa.key --root-ca-file=$P/ca.crt --cluster-signing-cert-file=$P/ca.crt --cluster-signing-key-file=$P/ca.key \
   --bind-address=127.0.0.1 --controllers='*' --kube-api-qps=300 --kube-api-burst=600
bg kube-scheduler $B/bin/kube-scheduler --kubeconfig=$P/scheduler.conf --leader-elect=false --bind-address=127.0.0.1 --kube-api-qps=300 --kube-api-burst=600
export KUBECONFIG=$P/admin.conf; K="$B/bin/kubectl"
waitsa() {
  for i in $(seq 300); do $K -n default get sa default >/dev/null 2>&1 && break; sleep 0.1; done
  say "controller manager works (default service account exists)"
}
[ $UPTO = control ] && { waitsa; echo "export KUBECONFIG=$P/admin.conf"; exit 0; }

# 6. node: kubelet and kube-proxy
cat > $R/kubelet.yaml <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $P/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $P/kubelet.crt
tlsPrivateKeyFile: $P/kubelet.key
cgroupDriver: cgroupfs
cgroupRoot: /kube-$NAME
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
clusterDNS: []
clusterDomain: cluster.local
resolvConf: ""
podCIDR: $PODNET
evictionHard: {memory.available: "100Mi", nodefs.available: "1%", imagefs.available: "1%", nodefs.inodesFree: "1%"}
imageGCHighThresholdPercent: 100
fileCheckFrequency: 20s
syncFrequency: 10s
Y
for c in cpu cpuacct cpuset memory devices freezer blkio pids systemd; do mkdir -p /sys/fs/cgroup/$c/kube-$NAME; done
for f in cpus mems; do cat /sys/fs/cgroup/cpuset/cpuset.$f > /sys/fs/cgroup/cpuset/kube-$NAME/cpuset.$f; done
bg kubelet $B/bin/kubelet --config=$R/kubelet.yaml --kubeconfig=$P/kubelet.conf --hostname-override=$NODE --node-ip=$NODEIP --root-dir=/var/lib/kubelet -v=2
bg kube-proxy $B/bin/kube-proxy --kubeconfig=$P/proxy.conf --hostname-override=$NODE --proxy-mode=nftables --cluster-cidr=$PODNET --bind-address=$NODEIP \
   --metrics-bind-address=127.0.0.1:10249 --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0
$K create clusterrolebinding kube-proxy --clusterrole=system:node-proxier --user=system:kube-proxy --dry-run=client -o yaml | $K apply -f - >/dev/null
for i in $(seq 600); do $K get node $NODE 2>/dev/null | grep -qw Ready && break; sleep 0.1; done
[ $i -lt 600 ] || { say "the node is not Ready; see $R/log/kubelet.log"; exit 1; }
say "node Ready"
wait $IMPORT; say "images imported"
waitsa
echo "export KUBECONFIG=$P/admin.conf PATH=$B/bin:\$PATH"

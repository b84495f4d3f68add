"""Backups of a cluster with many small objects: Holdfast, real Velero as installed by default, and a plain paged list.

HOLDFAST_BENCH_OBJECTS: how many objects of about 2 KB, in 200 namespaces; default "5000 20000". Velero runs as a process
beside the API server and stores its backups in the same Holdfast; HOLDFAST_BENCH_VELERO=0 leaves it out.
"""

import json
import os

from kube_parts import Api, Velero, timed

from harness import Stage  # noqa: E402
from kube_cluster import KubeCluster  # noqa: E402


def holdfast_back_up(daemon, name):
    return json.loads(daemon.cli("--output", "json", "backup", "create", name, "--wait").stdout)["items"]


def main():
    counts = [int(n) for n in os.environ.get("HOLDFAST_BENCH_OBJECTS", "5000 20000").split()]
    cluster = KubeCluster("kube-bench", 12)
    stage = Stage(iscsi=False)
    velero = None
    try:
        api, daemon = Api(cluster), stage.daemon
        daemon.cli("cluster", "add", "bench", "--kubeconfig", str(cluster.kubeconfig))
        daemon.cli("bucket", "create", "velero")
        api.make_namespaces()
        if os.environ.get("HOLDFAST_BENCH_VELERO", "1") != "0":
            velero = Velero(cluster, daemon)
        print("| objects | plain list s | Holdfast s | CPU s | peak RSS MiB | Velero s | CPU s | peak RSS MiB | Velero / Holdfast | Holdfast / list |")
        print("|---|---|---|---|---|---|---|---|---|---|")
        done = 0
        for count in counts:
            api.fill(done, count)
            done = count
            floor = min(api.plain_list() for _ in range(3))
            ours = min((timed(daemon.process.pid, lambda: holdfast_back_up(daemon, f"h{count}-{i}")) for i in range(3)), key=lambda r: r["seconds"])
            columns = "– | – | – | –"
            if velero:
                theirs = timed(velero.process.pid, lambda: velero.back_up(f"v{count}"))
                columns = f"{theirs['seconds']:.1f} | {theirs['cpu_s']:.1f} | {theirs['peak_rss_mib']:.0f} | {theirs['seconds'] / ours['seconds']:.1f}"
            print(f"| {ours['items']} | {floor:.2f} | {ours['seconds']:.2f} | {ours['cpu_s']:.2f} | {ours['peak_rss_mib']:.0f} | {columns} | "
                  f"{ours['seconds'] / floor:.1f} |", flush=True)
    finally:
        if velero:
            velero.close()
        stage.close()
        cluster.close()


if __name__ == "__main__":
    main()

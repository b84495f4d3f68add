"""Restores of many small objects into a blank cluster: plain creates, Holdfast, real Velero as installed by default.

HOLDFAST_BENCH_OBJECTS: how many objects of about 2 KB, in 200 namespaces; default "5000 20000". All restore the same restore
point, each into a cluster of its own. HOLDFAST_BENCH_VELERO=0 leaves Velero out.
"""

import json
import os
import time

from kube_parts import Api, Velero, timed

from harness import Stage
from kube_cluster import KubeCluster


class Blank:
    """A fresh cluster for the time of one measurement."""

    def __enter__(self):
        self.cluster = KubeCluster("kube-bench-to", 16)
        return self.cluster

    def __exit__(self, *_):
        self.cluster.close()


def floor_of(count):
    with Blank() as cluster:
        api = Api(cluster)
        began = time.monotonic()
        api.make_namespaces()
        api.fill(0, count)
        return time.monotonic() - began


def holdfast(daemon, backup):
    with Blank() as cluster:
        daemon.cli("cluster", "add", f"to-{backup}", "--kubeconfig", str(cluster.kubeconfig))
        return timed(daemon.process.pid, lambda: json.loads(daemon.cli(
            "--output", "json", "restore", "create", "r", "--cluster", f"to-{backup}", "--from-cluster", "bench", "--backup", backup, "--wait").stdout)["items"])


def velero(daemon, backup):
    with Blank() as cluster:
        server = Velero(cluster, daemon, "holdfast", "clusters/bench")
        try:
            return timed(server.process.pid, server.restore("r", backup))
        finally:
            server.close()


def main():
    counts = [int(n) for n in os.environ.get("HOLDFAST_BENCH_OBJECTS", "5000 20000").split()]
    source = KubeCluster("kube-bench", 12)
    stage = Stage(iscsi=False)
    try:
        daemon = stage.daemon
        daemon.cli("cluster", "add", "bench", "--kubeconfig", str(source.kubeconfig))
        api = Api(source)
        api.make_namespaces()
        print("| objects | plain creates s | Holdfast s | CPU s | peak RSS MiB | Velero s | CPU s | peak RSS MiB | Velero / Holdfast | Holdfast / creates |")
        print("|---|---|---|---|---|---|---|---|---|---|")
        for count in counts:
            api.fill(0, count)
            backup = f"b{count}"
            daemon.cli("backup", "create", backup, "--cluster", "bench", "--wait")
            floor = floor_of(count)
            ours = holdfast(daemon, backup)
            columns = "– | – | – | –"
            if os.environ.get("HOLDFAST_BENCH_VELERO", "1") != "0":
                theirs = velero(daemon, backup)
                columns = f"{theirs['seconds']:.1f} | {theirs['cpu_s']:.1f} | {theirs['peak_rss_mib']:.0f} | {theirs['seconds'] / ours['seconds']:.1f}"
            print(f"| {ours['items']} | {floor:.2f} | {ours['seconds']:.2f} | {ours['cpu_s']:.2f} | {ours['peak_rss_mib']:.0f} | {columns} | "
                  f"{ours['seconds'] / floor:.1f} |", flush=True)
    finally:
        stage.close()
        source.close()


if __name__ == "__main__":
    main()

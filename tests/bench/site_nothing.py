"""A look at a site that has everything: HOLDFAST_BENCH_POINTS restore points here (default 10000), a marker of each there."""

import concurrent.futures
import json
import os
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from harness import Stage, wait_until  # noqa: E402
from kube_cluster import KubeCluster  # noqa: E402


def requests(daemon):
    return sum(int(n) for n in re.findall(r"holdfast_s3_requests_total\{[^}]*\} (\d+)", daemon.metrics()))


def main():
    count = int(os.environ.get("HOLDFAST_BENCH_POINTS", "10000"))
    cluster = KubeCluster("copy-bench", 12)
    here, there = Stage(iscsi=False), Stage(iscsi=False)
    try:
        here.daemon.cli("cluster", "add", "bench", "--kubeconfig", str(cluster.kubeconfig))
        there.daemon.s3().create_bucket(Bucket="copies")
        secret = here.directory / "secret"
        secret.write_text(there.daemon.secret_key)
        here.daemon.cli("site", "add", "dr", "--endpoint", there.daemon.endpoint, "--bucket", "copies", "--access-key", there.daemon.access_key, "--secret-file", str(secret))
        source = here.daemon.ask("/v1/recovery")["appliance"]
        local, remote = here.daemon.s3(), there.daemon.s3()

        def put(n):
            name, day = f"point-{n:05}", f"2026-01-{n % 28 + 1:02}"
            document = {"metadata": {"name": name, "annotations": {"holdfast.io/policy": "p", "holdfast.io/tier": "t"}},
                        "status": {"phase": "Completed", "startTimestamp": f"{day}T00:00:00Z", "completionTimestamp": f"{day}T00:01:00Z"}}
            local.put_object(Bucket="holdfast", Key=f"clusters/bench/backups/{name}/velero-backup.json", Body=json.dumps(document))
            remote.put_object(Bucket="copies", Key=f"holdfast/units/bench/{name},{day.replace('-', '')}T000000Z,never,{source},p,t", Body=b"{}")

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(put, range(count)))
        policy = here.directory / "policy.json"
        policy.write_text(json.dumps({"name": "p", "cluster": "bench", "tiers": [{"name": "t", "schedule": "@yearly", "retention": "forever", "copies": [{"site": "dr", "retention": "forever"}]}]}))
        before, began = requests(there.daemon), time.monotonic()
        here.daemon.cli("policy", "apply", str(policy))
        order = lambda: here.daemon.ask("/v1/sites/orders")["orders"][0]
        wait_until("the look", lambda: order()["looked_at"], 60)
        took = time.monotonic() - began
        assert (order()["there"], order()["due"]) == (count, 0), order()
        print("| restore points | seconds, with `policy apply` | requests to the site |\n|---|---|---|")
        print(f"| {count} | {took:.2f} | {requests(there.daemon) - before} |")
    finally:
        here.close()
        there.close()
        cluster.close()


if __name__ == "__main__":
    main()

"""A restore point copied to a second Holdfast over TLS, beside rclone from the same place to the same place.

HOLDFAST_BENCH_COPY_MIB: how much of it is large objects (default 2048, of 24 MiB); HOLDFAST_BENCH_COPY_OBJECTS: how many small ones of 4 KiB
(default 20000).
"""

import concurrent.futures
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from harness import Stage  # noqa: E402
from kube_cluster import KubeCluster  # noqa: E402
from measures import cpu_seconds, peak_mib  # noqa: E402


def fill(daemon, prefix, mib, count):
    s3 = daemon.s3()
    body = os.urandom(24 << 20)
    for i in range(mib // 24):
        s3.put_object(Bucket="holdfast", Key=f"{prefix}pack-{i}", Body=body[i:] + body[:i])
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: s3.put_object(Bucket="holdfast", Key=f"{prefix}small-{i}", Body=body[i:i + 4096]), range(count)))


def rclone(here, there, prefix, authorities):
    environment = dict(os.environ, RCLONE_CONFIG="/dev/null", RCLONE_CA_CERT=str(authorities))
    for name, daemon in (("HERE", here), ("THERE", there)):
        for key, value in (("TYPE", "s3"), ("PROVIDER", "Other"), ("ENDPOINT", daemon.endpoint), ("ACCESS_KEY_ID", daemon.access_key),
                           ("SECRET_ACCESS_KEY", daemon.secret_key), ("REGION", "us-east-1"), ("FORCE_PATH_STYLE", "true")):
            environment[f"RCLONE_CONFIG_{name}_{key}"] = value
    began = time.monotonic()
    subprocess.run(["rclone", "sync", "--transfers", "16", "--checkers", "16", f"here:holdfast/{prefix}", f"there:rclone/{prefix}"], env=environment, check=True)
    return time.monotonic() - began


def main():
    mib, count = (int(os.environ.get(f"HOLDFAST_BENCH_COPY_{n}", d)) for n, d in (("MIB", "2048"), ("OBJECTS", "20000")))
    cluster = KubeCluster("copy-bench", 12)
    here, there = Stage(iscsi=False, tls=True), Stage(iscsi=False, tls=True)
    try:
        authorities = here.directory / "authorities.pem"
        authorities.write_text("".join(stage.certificate.certificate.read_text() for stage in (here, there)))
        here.daemon.cli("cluster", "add", "bench", "--kubeconfig", str(cluster.kubeconfig))
        here.daemon.cli("backup", "create", "b", "--wait")
        prefix = "clusters/bench/backups/b/"
        fill(here.daemon, prefix, mib, count)
        for bucket in ("copies", "rclone"):
            there.daemon.s3().create_bucket(Bucket=bucket)
        secret = here.directory / "secret"
        secret.write_text(there.daemon.secret_key)
        here.daemon.cli("site", "add", "dr", "--endpoint", there.daemon.endpoint, "--bucket", "copies", "--access-key", there.daemon.access_key, "--secret-file", str(secret),
                        "--ca-file", str(authorities))
        theirs = rclone(here.daemon, there.daemon, prefix, authorities)
        pid = here.daemon.process.pid
        cpu, began = cpu_seconds(pid), time.monotonic()
        here.daemon.cli("copy", "run", "b", "--site", "dr", "--wait")
        ours = time.monotonic() - began
        print("| MiB in packs | small objects | Holdfast s | MiB/s | CPU s | peak RSS MiB | rclone s | rclone / Holdfast |\n|---|---|---|---|---|---|---|---|")
        total = mib + count * 4 / 1024
        print(f"| {mib} | {count} | {ours:.1f} | {total / ours:.0f} | {cpu_seconds(pid) - cpu:.1f} | {peak_mib(pid):.0f} | {theirs:.1f} | {theirs / ours:.2f} |")
    finally:
        here.close()
        there.close()
        cluster.close()


if __name__ == "__main__":
    main()

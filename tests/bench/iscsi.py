"""Uploads to a pool on a LUN beside what libiscsi alone writes to such a LUN, with the same size and depth of commands; and reads of what
the pool's own cache holds beside those of what it does not. Target, daemon and load generator share the machine."""

import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness  # noqa: E402

from run import MIB, faultless, load  # noqa: E402

ROUNDS = 3
SECONDS = float(os.environ.get("HOLDFAST_BENCH_SECONDS", "4"))
COMMAND_KIB, DEPTH = 512, 16  # as storage/device/iscsi_commands.cc has it for tgt
LUN_MIB = 48 << 10


def raw(target, turn):
    """What libiscsi alone writes, in each turn where nothing was written before, as a log does."""
    done = subprocess.run([str(harness.BUILD / "tests" / "raw_iscsi"), "--portal", f"{target.address}:{target.port}", "--target", target.name,
                           "--user", target.user, "--secret-file", str(target.secret_file), "--command-kib", str(COMMAND_KIB),
                           "--depth", str(DEPTH), "--seconds", str(SECONDS), "--header-digest",
                           "--from-mib", str(turn * LUN_MIB // ROUNDS)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def put(daemon, turn, connections):
    return faultless(daemon, operation="put", size=64 * MIB, connections=connections, seconds=SECONDS, prefix=f"t{turn}c{connections}")["mib_s"]


def get(daemon, size, keys, prefix):
    return faultless(daemon, operation="get", size=size, keys=keys, connections=8, seconds=SECONDS, prefix=prefix)


def main():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-iscsi-", dir=os.environ.get("HOLDFAST_BENCH_DIR")))
    (directory / "raw").mkdir()
    (directory / "pool").mkdir()
    targets = [harness.Target(directory / "raw", size_bytes=LUN_MIB * MIB), harness.Target(directory / "pool", size_bytes=LUN_MIB * MIB)]
    daemon = None
    try:
        daemon = harness.Daemon(directory / "pool", target=targets[1])
        load(daemon, operation="bucket")
        rates = {"libiscsi alone": [], "8 connections": [], "1 connection": []}
        for turn in range(ROUNDS):
            rates["libiscsi alone"].append(raw(targets[0], turn))
            rates["8 connections"].append(put(daemon, turn, 8))
            rates["1 connection"].append(put(daemon, turn, 1))
        alone = statistics.median(rates["libiscsi alone"])
        print("| writes of 64 MiB to a LUN | MiB/s | of libiscsi alone |\n|---|---|---|")
        for name, found in rates.items():
            print(f"| {name} | {statistics.median(found):,.0f} | {statistics.median(found) / alone:.2f} |")
        print("\n| reads, 8 connections | /s | p50/p99 ms |\n|---|---|---|")
        for label, size, few, many in (("4 KiB", 4096, 2000, 150_000), ("1 MiB", MIB, 64, 2000)):
            load(daemon, operation="fill", size=size, keys=many, prefix=f"g{size}", connections=16)
            get(daemon, size, few, f"g{size}")  # into the cache
            for name, keys in (("held in the cache", few), ("not held", many)):
                r = get(daemon, size, keys, f"g{size}")
                print(f"| {label}, {name} | {r['operations_s']:,.0f} | {r['p50_ms']:.2f}/{r['p99_ms']:.2f} |", flush=True)
        pool = daemon.ask("/v1/pools")["pools"][0]
        print(f"\ncache: {pool['cache_bytes'] / MIB:.0f} MiB, {pool['cache_hits']:,} hits, {pool['cache_misses']:,} misses")
    finally:
        if daemon:
            daemon.process.kill()
        for target in targets:
            target.kill()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()

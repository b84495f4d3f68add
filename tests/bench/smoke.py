"""Fails when Holdfast has become slower beside versitygw than it was: when the ratio of their rates has fallen by more than 30 %.

Both take turns, and each ratio is that of the medians of their rates, so that what the machine does beside counts for both. Ratios depend on
the number of cores and on their instructions, and are kept by both, in smoke.json; `smoke.py --record` writes those of this machine. Where none are kept, none can fall.
"""

import json
import os
import pathlib
import re
import shutil
import statistics
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness  # noqa: E402

import run  # noqa: E402

KEPT = pathlib.Path(__file__).with_name("smoke.json")
ROWS = [row for row in run.ROWS if row[0] in ("PUT 1 MiB", "GET 1 MiB", "PUT 4 KiB", "GET 4 KiB", "STAT", "LIST 1,000 keys", "DELETE, batches of 100")]
CONNECTIONS, ROUNDS, SECONDS, FALL = 8, 5, 0.7, 0.30


def ratio_of(servers, row):
    _, operation, size, keys = row
    rates = {server: [] for server in servers}
    for turn in range(ROUNDS):
        for key, server in servers.items():
            prefix = f"{operation}{size}" + (f"t{turn}" if operation in ("put", "delete") else "")
            if keys and (turn == 0 or operation == "delete"):
                run.load(server, operation="fill", size=size, keys=keys, prefix=prefix, connections=CONNECTIONS)
            result = run.faultless(server, operation=operation, size=size, keys=max(keys, 1), prefix=prefix, connections=CONNECTIONS, seconds=SECONDS)
            rates[key].append(run.rate(operation, result)[0])
    return statistics.median(rates["holdfast"]) / statistics.median(rates["versitygw"])


def processor():
    """As smoke.json names it: cores, and whether they have what the widest kernels need."""
    flags = re.search(r"^flags\s*:(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    wide = flags and {"avx512f", "avx512vl", "avx512bw", "vaes", "vpclmulqdq"} <= set(flags[1].split())
    return f"{os.cpu_count()} cores" + (" with AVX-512" if wide else "")


def main():
    recording = sys.argv[1:] == ["--record"]
    here = processor()
    by_processor = json.loads(KEPT.read_text())
    kept = by_processor.get(here, {})
    directory = tempfile.mkdtemp(prefix="holdfast-smoke-")
    servers = {"holdfast": harness.Daemon(directory, size="12G"), "versitygw": run.Versity(directory)}
    found, fallen = {}, []
    try:
        for server in servers.values():
            run.load(server, operation="bucket")
        for row in ROWS:
            bound = kept.get(row[0], 0) * (1 - FALL)
            found[row[0]] = ratio_of(servers, row)
            if found[row[0]] < bound and not recording:
                found[row[0]] = max(found[row[0]], ratio_of(servers, row))  # once more: the machine may have been busy
            print(f"{row[0]:24} {found[row[0]]:6.2f} times versitygw, kept {kept.get(row[0], '-')} for {here}", flush=True)
            if found[row[0]] < bound:
                fallen.append(row[0])
    finally:
        for server in servers.values():
            server.process.kill()
        shutil.rmtree(directory, ignore_errors=True)
    if recording:
        by_processor[here] = {name: round(value, 2) for name, value in found.items()}
        KEPT.write_text(json.dumps(by_processor, indent=1) + "\n")
    elif fallen:
        sys.exit(f"slower by more than {FALL:.0%} beside versitygw: " + "; ".join(fallen))


if __name__ == "__main__":
    main()

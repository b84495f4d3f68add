"""Holdfast beside versitygw (posix backend, same disk) in one run with one load generator; a table of ratios.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness  # noqa: E402

from measures import cpu_seconds, peak_mib  # noqa: E402

MIB = 1 << 20
ROUNDS = int(os.environ.get("HOLDFAST_BENCH_ROUNDS", "3"))
ROWS = [  # name, operation, size, keys
    ("PUT 64 MiB", "put", 64 * MIB, 0), ("multipart 8 x 8 MiB", "multipart", 8 * MIB, 0), ("GET 64 MiB", "get", 64 * MIB, 8),
    ("PUT 1 MiB", "put", MIB, 0), ("GET 1 MiB", "get", MIB, 64), ("mixed, 3 GET 1 MiB to 1 PUT", "mixed", MIB, 64), ("PUT 4 KiB", "put", 4096, 0), ("GET 4 KiB", "get", 4096, 2000),
    ("STAT", "stat", 4096, 2000), ("LIST 1,000 keys", "list", 4096, 20000), ("DELETE, batches of 100", "delete", 4096, 10000)]


HEAD = ("| operation | connections | Holdfast | p50/p99 ms | a CPU s of the server | versitygw | p50/p99 ms | a CPU s of the server | ratio |\n"
        "|---|---|---|---|---|---|---|---|---|")


class Versity:
    def __init__(self, directory, name="versity", certificate=None):
        self.scheme = "https" if certificate else "http"
        security = ["--cert", str(certificate.certificate), "--key", str(certificate.key)] if certificate else []
        self.port = harness.free_port()
        self.access_key, self.secret_key = "benchkey", "benchsecret"
        root = pathlib.Path(directory) / name
        root.mkdir()
        self.process = subprocess.Popen([harness.versitygw(), "--access", self.access_key, "--secret", self.secret_key, "--port",
                                         f"127.0.0.1:{self.port}", "--quiet", "--keep-alive", *security, "posix", str(root)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        harness.wait_until("versitygw", lambda: harness.connects(self.port))


def load(server, **options):
    command = [str(harness.BUILD / "tests" / "load"), "--port", str(server.port)]
    if server.scheme == "https":
        command.append("--tls")
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    environment = dict(os.environ, AWS_ACCESS_KEY_ID=server.access_key, AWS_SECRET_ACCESS_KEY=server.secret_key)
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"{command}: {done.returncode} {done.stderr}"
    if done.stderr:
        print(done.stderr.strip(), file=sys.stderr)
    return json.loads(done.stdout) if done.stdout else None


def faultless(server, **options):
    """As load(), of a measurement: no request may fail."""
    result = load(server, **options)
    assert result["errors"] == 0, f"{options}: {result['errors']} requests failed"
    return result


def measure(server, row, connections, seconds, turn):
    _, operation, size, keys = row
    prefix = f"{operation}{size}c{connections}" + (f"t{turn}" if operation == "delete" else "")  # what is put is put again
    if keys and (turn == 0 or operation == "delete"):
        load(server, operation="fill", size=size, keys=keys, prefix=prefix, connections=8)
    before = cpu_seconds(server.process.pid)
    result = load(server, operation=operation, size=size, keys=max(keys, 1), prefix=prefix, connections=connections, seconds=seconds)
    result["server_cpu_s"] = cpu_seconds(server.process.pid) - before
    result["a_cpu_s"] = rate(operation, result)[0] * result["seconds"] / max(result["server_cpu_s"], 0.01)
    result["peak_rss_mib"] = peak_mib(server.process.pid)
    return result


def rate(operation, r):
    if operation in ("put", "get", "mixed", "multipart") and r["size"] >= MIB:
        return r["mib_s"], "MiB/s"
    return (r["objects_s"], "keys/s") if operation in ("list", "delete") else (r["operations_s"], "/s")


def compare(servers, row, connections, seconds):
    """Measures a row at each server, in turns, and prints the cells of the median run of each and their ratio."""
    runs = {name: [] for name in servers}
    for turn in range(ROUNDS):
        for name, server in servers.items():
            runs[name].append(measure(server, row, connections, seconds, turn))
    results = {name: sorted(of, key=lambda r: rate(row[1], r)[0])[len(of) // 2] for name, of in runs.items()}
    cells = []
    for r in results.values():
        value, unit = rate(row[1], r)
        errors = f" ({r['errors']} errors)" if r["errors"] else ""
        cells.append(f"{value:,.0f} {unit}{errors} | {r['p50_ms']:.2f}/{r['p99_ms']:.2f} | {r['a_cpu_s']:,.0f}")
    rates = [rate(row[1], r)[0] for r in results.values()]
    ratio = f"{rates[0] / max(rates[1], 1e-9):.2f}" if len(rates) > 1 else ""
    print(f"| {row[0]} | {connections} | {' | '.join(cells)} | {ratio} |", flush=True)
    return {"row": row[0], "connections": connections, **results}


def main():
    seconds = float(os.environ.get("HOLDFAST_BENCH_SECONDS", "2"))
    counts = [int(n) for n in os.environ.get("HOLDFAST_BENCH_CONNECTIONS", "8,64").split(",")]
    directory = tempfile.mkdtemp(prefix="holdfast-bench-", dir=os.environ.get("HOLDFAST_BENCH_DIR"))
    servers = {"holdfast": harness.Daemon(directory, size="28G"), "versitygw": Versity(directory)}
    try:
        for server in servers.values():
            load(server, operation="bucket")
        print(HEAD)
        log = [compare(servers, row, connections, seconds) for row in ROWS for connections in counts]
        for name, server in servers.items():
            print(f"\npeak RSS of {name}: {peak_mib(server.process.pid):.0f} MiB")
        pathlib.Path("build/bench.json").write_text(json.dumps(log, indent=1))
    finally:
        for server in servers.values():
            server.process.kill()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()

"""The rows of run.py that matter most in other settings: TLS, no encryption, a block device, other numbers of connections."""

import os
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness  # noqa: E402

import run  # noqa: E402

SECONDS = float(os.environ.get("HOLDFAST_BENCH_SECONDS", "2"))
ROWS = {row[0]: row for row in run.ROWS}
BASIC = ("PUT 64 MiB", "GET 64 MiB", "PUT 4 KiB", "GET 4 KiB")


def compare(title, directory, rows, certificate=None, loop=None, arguments=()):
    """`rows`: names and numbers of connections."""
    directory = pathlib.Path(directory) / title.replace(" ", "-")
    directory.mkdir()
    servers = {"holdfast": harness.Daemon(directory, size="16G", certificate=certificate, device=loop and loop.names[0], arguments=arguments),
               "versitygw": run.Versity(directory, certificate=certificate)}
    print(f"\n{title}:\n\n{run.HEAD}")
    try:
        for server in servers.values():
            run.load(server, operation="bucket")
        for name, connections in rows:
            run.compare(servers, ROWS[name], connections, SECONDS)
    finally:
        for server in servers.values():
            server.process.kill()
            server.process.wait()
        shutil.rmtree(directory, ignore_errors=True)


def main():
    directory = tempfile.mkdtemp(prefix="holdfast-bench-", dir=os.environ.get("HOLDFAST_BENCH_DIR"))
    at_8 = [(name, 8) for name in BASIC]
    try:
        compare("other numbers of connections", directory, [("PUT 64 MiB", 4), ("PUT 4 KiB", 32)])
        compare("TLS", directory, at_8, certificate=harness.Certificate(directory))
        compare("a pool without encryption", directory, at_8, arguments=["--no-encryption"])
        loop = harness.LoopDevices(directory, 1, size_bytes=16 << 30)
        try:
            compare("a block device", directory, at_8, loop=loop)
        finally:
            loop.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()

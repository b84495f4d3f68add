"""How Holdfast's figures grow with the number of objects and of connections: tables, and pictures in docs/pictures.

HOLDFAST_GROWTH_OBJECTS, HOLDFAST_GROWTH_CONNECTIONS and HOLDFAST_BENCH_SECONDS say how far and how long.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness  # noqa: E402

from measures import peak_mib  # noqa: E402
from run import faultless, load  # noqa: E402

SECONDS = float(os.environ.get("HOLDFAST_BENCH_SECONDS", "4"))
OBJECTS = [int(n) for n in os.environ.get("HOLDFAST_GROWTH_OBJECTS", "1000,100000,1000000,10000000").split(",")]
CONNECTIONS = [int(n) for n in os.environ.get("HOLDFAST_GROWTH_CONNECTIONS", "1,2,4,8,16,32,64,128,256").split(",")]
OPERATIONS = [("put", "PUT 100 B"), ("get", "GET 100 B"), ("stat", "STAT"), ("list", "LIST 1,000 keys")]
PICTURES = pathlib.Path(__file__).resolve().parents[2] / "docs" / "pictures"


def row_of(headings, cells):
    return "| " + " | ".join(cells) + " |" if cells else "| " + " | ".join(headings) + " |\n" + "|---" * len(headings) + "|"


def index_mib(daemon):
    return sum(f.stat().st_size for f in (daemon.run / "state" / "index").rglob("*") if f.is_file()) / (1 << 20)


def timed(action):
    began = time.monotonic()
    action()
    return time.monotonic() - began


def rebuild(daemon):
    done = subprocess.run([str(harness.HOLDFAST), "pool", "rebuild-index", "--config", str(daemon.run / "holdfastd.yaml"), "--from-log"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def figures(daemon, **options):
    r = faultless(daemon, seconds=SECONDS, **options)
    return {"rate": r["operations_s"], **{k: r[k] for k in ("p50_ms", "p99_ms", "p999_ms")}}


def with_objects(daemon, count, added, prefix):
    """The figures with `count` objects in the pool, the last `added` of them under `prefix`."""
    load(daemon, operation="fill", size=100, keys=added, prefix=prefix, connections=64)
    found = {"objects": count}
    for operation, _ in OPERATIONS:
        # New keys among those that are there.
        names = {"prefix": f"{prefix}/new"} if operation == "put" else {"prefix": prefix, "keys": added}
        found[operation] = figures(daemon, operation=operation, size=100, connections=8, **names)
    found["peak_rss_mib"] = peak_mib(daemon.process.pid)
    daemon.stop()
    found["start_s"] = timed(daemon.start)
    found["index_mib"] = index_mib(daemon)
    daemon.stop()
    found["rebuild_s"] = timed(lambda: rebuild(daemon))
    daemon.start()
    return found


def with_connections(daemon, count, prefix, keys):
    found = {"connections": count}
    for operation in ("put", "get"):
        names = {"prefix": f"c{count}"} if operation == "put" else {"prefix": prefix, "keys": keys}
        found[operation] = figures(daemon, operation=operation, size=4096 if operation == "put" else 100, connections=count, **names)
    found["peak_rss_mib"] = peak_mib(daemon.process.pid)
    return found


def draw(name, title, rows, key, lines, unit):
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "holdfast", "font.size": 9})
    import matplotlib.pyplot as plot
    figure, axes = plot.subplots(figsize=(5.2, 3.0))
    for label, value in lines:
        axes.plot([r[key] for r in rows], [value(r) for r in rows], marker="o", markersize=3, label=label)
    axes.set(xscale="log", xlabel=key, ylabel=unit, title=title)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.tight_layout()
    PICTURES.mkdir(exist_ok=True)
    figure.savefig(PICTURES / f"{name}.svg", metadata={"Date": None})
    plot.close(figure)


def pictures(by_objects, by_connections):
    draw("growth-rate", "8 connections", by_objects, "objects", [(label, lambda r, o=o: r[o]["rate"]) for o, label in OPERATIONS[:3]], "operations/s")
    draw("growth-p99", "8 connections", by_objects, "objects", [(label, lambda r, o=o: r[o]["p99_ms"]) for o, label in OPERATIONS], "p99, ms")
    draw("growth-start", "an opening, and a rebuild of the index", by_objects, "objects", [("opening", lambda r: r["start_s"]), ("rebuild", lambda r: r["rebuild_s"])], "s")
    draw("connections-rate", "", by_connections, "connections", [("PUT 4 KiB", lambda r: r["put"]["rate"]), ("GET 100 B", lambda r: r["get"]["rate"])], "operations/s")
    draw("connections-p99", "", by_connections, "connections", [("PUT 4 KiB", lambda r: r["put"]["p99_ms"]), ("GET 100 B", lambda r: r["get"]["p99_ms"])], "p99, ms")


def cells_of(r, operation):
    f = r[operation]
    return [f"{f['rate']:,.0f}", f"{f['p50_ms']:.2f} / {f['p99_ms']:.2f} / {f['p999_ms']:.2f}"]


def main():
    directory = tempfile.mkdtemp(prefix="holdfast-growth-", dir=os.environ.get("HOLDFAST_BENCH_DIR"))
    daemon = harness.Daemon(directory, size="24G")
    by_objects, by_connections = [], []
    try:
        load(daemon, operation="bucket")
        headings = ["objects", *(h for _, label in OPERATIONS for h in (f"{label} /s", "p50 / p99 / p99.9 ms")), "peak RSS MiB", "index MiB", "start s", "rebuild s"]
        print(row_of(headings, None))
        there = 0
        for number, count in enumerate(OBJECTS):
            r = with_objects(daemon, count, count - there, f"g{number}")
            by_objects.append(r)
            there = count
            print(row_of(headings, [f"{count:,}", *(c for o, _ in OPERATIONS for c in cells_of(r, o)), f"{r['peak_rss_mib']:.0f}", f"{r['index_mib']:.0f}",
                                    f"{r['start_s']:.2f}", f"{r['rebuild_s']:.1f}"]), flush=True)
        headings = ["connections", "PUT 4 KiB /s", "p50 / p99 / p99.9 ms", "GET 100 B /s", "p50 / p99 / p99.9 ms", "peak RSS MiB"]
        print("\n" + row_of(headings, None))
        last = len(OBJECTS) - 1
        for count in CONNECTIONS:
            r = with_connections(daemon, count, f"g{last}", OBJECTS[last] - (OBJECTS[last - 1] if last else 0))
            by_connections.append(r)
            print(row_of(headings, [f"{count}", *cells_of(r, "put"), *cells_of(r, "get"), f"{r['peak_rss_mib']:.0f}"]), flush=True)
        pathlib.Path("build/growth.json").write_text(json.dumps({"objects": by_objects, "connections": by_connections}, indent=1))
        pictures(by_objects, by_connections)
    finally:
        daemon.process.kill()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()

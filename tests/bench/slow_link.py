"""A link of 100 Mbit/s with a round trip of 50 ms, between an appliance and its site: a copy through it, beside a plain parallel upload."""

import collections
import os
import pathlib
import socket
import sys
import threading
import time

import boto3.s3.transfer

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from harness import Stage  # noqa: E402
from kube_cluster import KubeCluster  # noqa: E402

MIB = 1 << 20


class SlowLink:
    """Passes bytes on after half the round trip; all connections share the rate, each direction its own."""

    def __init__(self, port, bytes_per_second=12_500_000, round_trip_s=0.05):
        self.server, self.target = socket.create_server(("127.0.0.1", 0)), port
        self.port = self.server.getsockname()[1]
        self.delay, self.rate = round_trip_s / 2, bytes_per_second
        self.free_at, self.lock = [0.0, 0.0], threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.server.accept()
            server = socket.create_connection(("127.0.0.1", self.target))
            for direction, (source, sink) in enumerate(((client, server), (server, client))):
                waiting, arrived = collections.deque(), threading.Semaphore(0)
                threading.Thread(target=self.take, args=(source, direction, waiting, arrived), daemon=True).start()
                threading.Thread(target=self.give, args=(sink, waiting, arrived), daemon=True).start()

    def take(self, source, direction, waiting, arrived):
        while True:
            try:
                piece = source.recv(64 << 10)
            except OSError:
                piece = b""
            with self.lock:
                begins = max(self.free_at[direction], time.monotonic())
                self.free_at[direction] = begins + len(piece) / self.rate
            waiting.append((self.free_at[direction] + self.delay, piece))
            arrived.release()
            if not piece:
                return
            # Who sends feels the rate, as over a real link with small buffers.
            time.sleep(max(0, begins - time.monotonic()))

    @staticmethod
    def give(sink, waiting, arrived):
        while True:
            arrived.acquire()
            due, piece = waiting.popleft()
            time.sleep(max(0, due - time.monotonic()))
            try:
                if not piece:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(piece)
            except OSError:
                return


def main():
    cluster = KubeCluster("copy-bench", 12)
    here, there = Stage(iscsi=False), Stage(iscsi=False)
    try:
        link = SlowLink(there.daemon.port)
        there.daemon.s3().create_bucket(Bucket="copies")
        body = os.urandom(64 * MIB)
        settings = boto3.s3.transfer.TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=16)
        here.daemon.cli("cluster", "add", "bench", "--kubeconfig", str(cluster.kubeconfig))
        here.daemon.cli("backup", "create", "b", "--wait")
        source = here.directory / "body"
        source.write_bytes(body)
        here.daemon.s3().upload_file(str(source), "holdfast", "clusters/bench/backups/b/data", Config=settings)
        port, there.daemon.port = there.daemon.port, link.port
        through = there.daemon.s3()
        there.daemon.port = port
        began = time.monotonic()
        through.upload_file(str(source), "copies", "plain", Config=settings)
        theirs = time.monotonic() - began
        secret = here.directory / "secret"
        secret.write_text(there.daemon.secret_key)
        here.daemon.cli("site", "add", "dr", "--endpoint", f"http://127.0.0.1:{link.port}", "--bucket", "copies", "--access-key", there.daemon.access_key, "--secret-file", str(secret))
        began = time.monotonic()
        here.daemon.cli("copy", "run", "b", "--site", "dr", "--wait")
        ours = time.monotonic() - began
        print("| 64 MiB over 100 Mbit/s, 50 ms | s | MiB/s | part of the plain upload's |\n|---|---|---|---|")
        print(f"| plain upload, 16 parts of 8 MiB at a time | {theirs:.1f} | {64 / theirs:.1f} | 1 |")
        print(f"| Holdfast, the whole restore point | {ours:.1f} | {64 / ours:.1f} | {theirs / ours:.2f} |")
    finally:
        here.close()
        there.close()
        cluster.close()


if __name__ == "__main__":
    main()

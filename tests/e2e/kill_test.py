"""kill -9 of the daemon, and of the target, under load: what was acknowledged is there afterwards."""

import hashlib
import os
import random
import threading
import time
import unittest

import boto3
import botocore.config
import botocore.exceptions

from harness import REGION, Stage, wait_until

ROUNDS = int(os.environ.get("HOLDFAST_KILL_ROUNDS", "20"))
TARGET_ROUNDS = int(os.environ.get("HOLDFAST_TARGET_ROUNDS", "5"))
SEED = int(os.environ.get("HOLDFAST_SEED", "1"))
SIZES = (0, 100, 4096, 16385, 100_000, 1_500_000)


def client(daemon):
    config = botocore.config.Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=90,
                                    s3={"addressing_style": "path"})
    return boto3.client("s3", endpoint_url=daemon.endpoint, aws_access_key_id=daemon.access_key,
                        aws_secret_access_key=daemon.secret_key, region_name=REGION, config=config)


class Writer(threading.Thread):
    """Writes and deletes keys of its own, and remembers what each may be."""

    def __init__(self, daemon, number, rounds_seed):
        super().__init__(daemon=True)
        self.s3 = client(daemon)
        self.number = number
        self.random = random.Random(rounds_seed)
        self.possible = {}  # key -> set of digests; None: absent
        self.acknowledged = 0
        self.ending = threading.Event()

    def run(self):
        while not self.ending.is_set():
            key = f"w{self.number}/k{self.random.randrange(12)}"
            before = self.possible.get(key, {None})
            remove = self.random.random() < 0.2
            body = None if remove else self.random.randbytes(self.random.choice(SIZES))
            digest = None if remove else hashlib.sha256(body).hexdigest()
            self.possible[key] = before | {digest}
            try:
                if remove:
                    self.s3.delete_object(Bucket="kill", Key=key)
                else:
                    self.s3.put_object(Bucket="kill", Key=key, Body=body)
            except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
                time.sleep(0.01)  # in doubt; the server is going or gone
                continue
            self.possible[key] = {digest}
            self.acknowledged += 1

    def end(self):
        self.ending.set()
        self.join(120)
        assert not self.is_alive(), "a writer hangs"


def verify(test, s3, possible, where):
    for key, digests in possible.items():
        try:
            body = s3.get_object(Bucket="kill", Key=key)["Body"].read()
            found = hashlib.sha256(body).hexdigest()
        except s3.exceptions.NoSuchKey:
            found = None
        test.assertIn(found, digests, f"{where}: {key}")
        digests.clear()
        digests.add(found)


class KillTest(unittest.TestCase):
    def setUp(self):
        self.stage = Stage(iscsi=True)
        self.daemon = self.stage.daemon
        client(self.daemon).create_bucket(Bucket="kill")
        print(f"seed {SEED}", flush=True)

    def tearDown(self):
        self.stage.close()

    def loop(self, rounds, disturb):
        """Writers work, `disturb` breaks something; then everything acknowledged is looked for."""
        possible = {}
        total = 0
        for n in range(rounds):
            writers = [Writer(self.daemon, i, SEED * 1000 + n * 10 + i) for i in range(4)]
            for w in writers:
                w.possible = {k: set(v) for k, v in possible.items() if k.startswith(f"w{w.number}/")}
                w.start()
            wait_until("some writes", lambda: all(w.acknowledged > 3 for w in writers), 60)
            disturb(n, writers)
            for w in writers:
                possible.update(w.possible)
                total += w.acknowledged
            verify(self, client(self.daemon), possible, f"round {n}")
        print(f"{rounds} rounds, {total} acknowledged writes, {len(possible)} keys", flush=True)
        self.assertNotIn("read-only", self.daemon.cli("status").stdout)
        self.daemon.cli("pool", "scrub")

    def test_daemon(self):
        def disturb(n, writers):
            time.sleep(random.Random(SEED + n).random() * 0.3)  # the moment is part of the test, not a wait
            self.daemon.kill()
            for w in writers:
                w.end()
            if n % 3 == 2:
                self.daemon.drop_index()
            self.daemon.start()
        self.loop(ROUNDS, disturb)

    def test_target(self):
        def disturb(n, writers):
            self.stage.target.kill()
            time.sleep(0.2)
            self.stage.target.start()
            reached = [w.acknowledged for w in writers]
            wait_until("writes to go on", lambda: all(w.acknowledged > r for w, r in zip(writers, reached)), 90)
            for w in writers:
                w.end()
        self.loop(TARGET_ROUNDS, disturb)


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""Two hosts and one LUN: the second is refused by name, a takeover fences the first, and a lost LUN comes back.

The second host is a network namespace with a host name of its own.
"""

import subprocess
import unittest

import boto3
import botocore.config
import botocore.exceptions

from harness import HOLDFASTD, REGION, Stage, connects, free_port, run, wait_until

SPACE = "hf-host-b"
HERE_ADDRESS, THERE_ADDRESS = "172.31.91.1", "172.31.91.2"


def client(daemon, address=None, port=None):
    config = botocore.config.Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=90, s3={"addressing_style": "path"})
    endpoint = f"http://{address}:{port}" if address else daemon.endpoint
    return boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=daemon.access_key,
                        aws_secret_access_key=daemon.secret_key, region_name=REGION, config=config)


def code_of(call):
    try:
        call()
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return "done"


class Link:
    """A network namespace that is another host, and the wire to it."""

    def __init__(self):
        self.close()
        run(["ip", "netns", "add", SPACE])
        run(["ip", "link", "add", "hfb0", "type", "veth", "peer", "name", "eth0", "netns", SPACE])
        run(["ip", "addr", "add", f"{HERE_ADDRESS}/24", "dev", "hfb0"])
        run(["ip", "link", "set", "hfb0", "up"])
        run(["ip", "-n", SPACE, "addr", "add", f"{THERE_ADDRESS}/24", "dev", "eth0"])
        run(["ip", "-n", SPACE, "link", "set", "eth0", "up"])
        run(["ip", "-n", SPACE, "link", "set", "lo", "up"])

    def close(self):
        subprocess.run(["ip", "netns", "del", SPACE], capture_output=True)
        subprocess.run(["ip", "link", "del", "hfb0"], capture_output=True)


class OtherHost:
    """The first host's configuration in the namespace, with a listener, state and machine id of its own."""

    def __init__(self, stage):
        self.stage = stage
        self.port = free_port()
        self.process = None
        self.log_path = stage.directory / "other.log"

    def start(self, *arguments):
        config = self.stage.daemon.second_config("other", f"{THERE_ADDRESS}:{self.port}")
        (self.stage.directory / "machine-id").write_text("b" * 32 + "\n")
        script = ('hostname host-b; touch /etc/machine-id; mount --bind "$0" /etc/machine-id; exec "$@"')
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", SPACE, "unshare", "--mount", "--uts", "sh", "-c", script,
                 str(self.stage.directory / "machine-id"), str(HOLDFASTD), "--config", str(config), *arguments],
                stdout=log, stderr=log)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def serves(self):
        assert self.process.poll() is None, self.log()
        return connects(self.port, THERE_ADDRESS)

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class FencingTest(unittest.TestCase):
    def setUp(self):
        link = Link()
        self.addCleanup(link.close)
        self.stage = Stage(iscsi=True, target_address=HERE_ADDRESS)
        self.addCleanup(self.stage.close)
        self.other = OtherHost(self.stage)
        self.addCleanup(self.other.close)

    def test_second_host_is_refused_and_takeover_fences_the_first(self):
        daemon, other = self.stage.daemon, self.other
        s3 = client(daemon)
        s3.create_bucket(Bucket="fenced")
        s3.put_object(Bucket="fenced", Key="before", Body=b"one")

        other.start()
        self.assertNotEqual(0, other.process.wait(60), other.log())
        self.assertRegex(other.log(), "holds the LUN|is held by|reserv")
        self.assertEqual("done", code_of(lambda: s3.put_object(Bucket="fenced", Key="still", Body=b"two")))

        other.start("--take-over")
        wait_until("the second host to serve", other.serves, 60)
        there = client(daemon, THERE_ADDRESS, other.port)
        self.assertEqual(b"two", there.get_object(Bucket="fenced", Key="still")["Body"].read())
        # The first host: nothing more, neither written nor read.
        wait_until("the first host to be fenced",
                   lambda: code_of(lambda: s3.put_object(Bucket="fenced", Key="late", Body=b"3")) == "SlowDown")
        wait_until("its reads to end", lambda: code_of(lambda: s3.get_object(Bucket="fenced", Key="before")) == "SlowDown")
        self.assertEqual("done", code_of(lambda: there.put_object(Bucket="fenced", Key="late", Body=b"four")))
        self.assertEqual(b"four", there.get_object(Bucket="fenced", Key="late")["Body"].read())
        self.assertEqual(1, daemon.cli("status", check=False).returncode)

    def test_second_process_of_the_same_host_is_refused(self):
        daemon = self.stage.daemon
        config = daemon.second_config("second", f"127.0.0.1:{free_port()}")
        done = subprocess.run([HOLDFASTD, "--config", config], capture_output=True, text=True, timeout=60)
        self.assertNotEqual(0, done.returncode)
        self.assertIn("held by another process of this host", done.stdout + done.stderr)
        self.assertEqual("done", code_of(lambda: client(daemon).create_bucket(Bucket="still-served")))

    def test_requests_wait_for_a_lost_lun_then_say_503_and_it_comes_back(self):
        daemon, target = self.stage.daemon, self.stage.target
        s3 = client(daemon)
        s3.create_bucket(Bucket="lost")
        s3.put_object(Bucket="lost", Key="before", Body=b"x" * 300_000)
        target.kill()
        self.assertEqual("SlowDown", code_of(lambda: s3.put_object(Bucket="lost", Key="unsure", Body=b"y" * 300_000)))
        self.assertEqual("SlowDown", code_of(lambda: s3.get_object(Bucket="lost", Key="before")))
        self.assertEqual(1, daemon.cli("status", check=False).returncode)
        target.start()
        wait_until("writes to go on", lambda: code_of(lambda: s3.put_object(Bucket="lost", Key="after", Body=b"z")) == "done", 90)
        self.assertEqual(b"x" * 300_000, s3.get_object(Bucket="lost", Key="before")["Body"].read())
        self.assertEqual(b"z", s3.get_object(Bucket="lost", Key="after")["Body"].read())
        daemon.alive()


class SharedBlockDeviceTest(unittest.TestCase):
    """Two block devices over one image stand for a LUN that two hosts see without reservations."""

    def test_heartbeat_keeps_the_second_away(self):
        stage = Stage(iscsi=False, block=2)
        self.addCleanup(stage.close)
        daemon = stage.daemon
        s3 = client(daemon)
        s3.create_bucket(Bucket="shared")
        s3.put_object(Bucket="shared", Key="k", Body=b"v")
        port = free_port()
        config = daemon.second_config("b", f"127.0.0.1:{port}", device=stage.loops)
        # In a network namespace of its own the locks among this host's processes do not reach it, as on another host.
        refused = subprocess.run(["unshare", "--net", str(HOLDFASTD), "--config", str(config)], capture_output=True, text=True, timeout=60)
        self.assertNotEqual(0, refused.returncode)
        self.assertIn("its heartbeat moves", refused.stdout + refused.stderr)
        daemon.stop()
        second = subprocess.Popen([str(HOLDFASTD), "--config", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(second.wait)
        self.addCleanup(second.kill)
        wait_until("the second to serve", lambda: connects(port), 60)
        self.assertEqual(b"v", client(daemon, "127.0.0.1", port).get_object(Bucket="shared", Key="k")["Body"].read())


if __name__ == "__main__":
    unittest.main(verbosity=2)

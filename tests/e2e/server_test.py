"""The daemon as its operator and its worst clients see it: TLS renewed, slow and vanishing clients, bad configuration."""

import concurrent.futures
import datetime
import email.utils
import http.client
import io
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import stat
import subprocess
import tempfile
import unittest

import boto3
import botocore.config
import botocore.exceptions

from harness import HOLDFAST, HOLDFASTD, REGION, Stage, run, wait_until


def client(daemon, **options):
    config = botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0})
    return boto3.client("s3", endpoint_url=daemon.endpoint, aws_access_key_id=daemon.access_key,
                        aws_secret_access_key=daemon.secret_key, region_name=REGION, config=config, **options)


def served_certificate(daemon):
    return ssl.get_server_certificate((daemon.address, daemon.port))


class TlsTest(unittest.TestCase):
    def test_certificate_is_renewed_without_a_restart(self):
        stage = Stage(iscsi=False, tls=True)
        self.addCleanup(stage.close)
        daemon, certificate = stage.daemon, stage.certificate
        before = served_certificate(daemon)
        s3 = client(daemon, verify=str(certificate.certificate))
        s3.create_bucket(Bucket="tls")
        s3.put_object(Bucket="tls", Key="k", Body=b"x" * 3_000_000)
        pid = daemon.process.pid
        certificate.make()
        daemon.process.send_signal(signal.SIGHUP)
        wait_until("the new certificate", lambda: served_certificate(daemon) != before)
        self.assertEqual(certificate.certificate.read_text().strip(), served_certificate(daemon).strip())
        self.assertEqual(3_000_000, len(client(daemon, verify=str(certificate.certificate)).get_object(Bucket="tls", Key="k")["Body"].read()))
        self.assertEqual(pid, daemon.process.pid)
        # A broken one is refused: the old goes on.
        good = served_certificate(daemon)
        certificate.certificate.write_text("not a certificate\n")
        daemon.process.send_signal(signal.SIGHUP)
        wait_until("the complaint", lambda: re.search("certificate|reload", daemon.log()))
        self.assertEqual(good, served_certificate(daemon))
        daemon.alive()

    def test_clients_stream_over_tls(self):
        """Over TLS the SDKs send bodies in chunks with their checksum behind them."""
        stage = Stage(iscsi=False, tls=True)
        self.addCleanup(stage.close)
        daemon, authority = stage.daemon, str(stage.certificate.certificate)
        body = os.urandom(23_000_000)
        s3 = client(daemon, verify=authority)
        s3.create_bucket(Bucket="tls")
        s3.upload_fileobj(io.BytesIO(body), "tls", "parts")
        s3.put_object(Bucket="tls", Key="whole", Body=io.BytesIO(body))
        source, back = stage.directory / "source", stage.directory / "back"
        source.write_bytes(body)
        aws = [os.environ.get("HOLDFAST_AWS", "aws"), "--endpoint-url", daemon.endpoint, "--ca-bundle", authority, "s3", "cp", "--no-progress"]
        run([*aws, source, "s3://tls/cli"], daemon.client_environment())
        run([*aws, "s3://tls/cli", back], daemon.client_environment())
        self.assertEqual(body, back.read_bytes())
        for key in ("parts", "whole"):
            self.assertEqual(body, s3.get_object(Bucket="tls", Key=key)["Body"].read())

    def test_plain_http_on_a_tls_port_is_no_answer(self):
        stage = Stage(iscsi=False, tls=True)
        self.addCleanup(stage.close)
        with socket.create_connection((stage.daemon.address, stage.daemon.port), timeout=20) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertNotIn(b"HTTP/1.1 200", s.recv(1000))
        stage.daemon.alive()


class ClientsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage(iscsi=False, size="5G")
        cls.daemon = cls.stage.daemon
        cls.s3 = client(cls.daemon)
        cls.s3.create_bucket(Bucket="worst-clients")

    @classmethod
    def tearDownClass(cls):
        cls.stage.close()

    def presigned_put(self, key):
        s3 = boto3.client("s3", endpoint_url=self.daemon.endpoint, aws_access_key_id=self.daemon.access_key, aws_secret_access_key=self.daemon.secret_key,
                          region_name=REGION, config=botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"}))
        url = s3.generate_presigned_url("put_object", Params={"Bucket": "worst-clients", "Key": key})
        return url[len(self.daemon.endpoint):]

    def raw(self, head, body=b""):
        s = socket.create_connection((self.daemon.address, self.daemon.port), timeout=90)
        s.sendall(head.encode() + body)
        return s

    def live_bytes(self):
        return json.loads(self.daemon.cli("--output", "json", "pool", "status").stdout)["pools"][0]["live_bytes"]

    def test_a_client_that_vanishes_leaves_nothing(self):
        before = self.live_bytes()
        for n in range(8):
            path = self.presigned_put(f"vanished-{n}")
            s = self.raw(f"PUT {path} HTTP/1.1\r\nHost: {self.daemon.address}:{self.daemon.port}\r\nContent-Length: 20000000\r\n\r\n", b"z" * 7_000_000)
            s.close()
        self.s3.put_object(Bucket="worst-clients", Key="here", Body=b"1")
        listed = [o["Key"] for o in self.s3.list_objects_v2(Bucket="worst-clients").get("Contents", [])]
        self.assertNotIn("vanished-0", listed)
        wait_until("its space to come back", lambda: self.live_bytes() - before < 1_000_000)

    def test_more_bodies_than_places_wait_their_turn(self):
        slow = []
        for n in range(130):
            path = self.presigned_put(f"held-{n}")
            slow.append(self.raw(f"PUT {path} HTTP/1.1\r\nHost: {self.daemon.address}:{self.daemon.port}\r\nContent-Length: 500000\r\n\r\n", b"s" * 1000))
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(self.s3.put_object, Bucket="worst-clients", Key="waited", Body=b"w" * 100_000)
            # Small ones need no place.
            self.s3.put_object(Bucket="worst-clients", Key="small", Body=b"s" * 1000)
            self.assertEqual(1000, self.s3.head_object(Bucket="worst-clients", Key="small")["ContentLength"])
            self.assertFalse(waiting.done())
            for s in slow:
                s.close()
            waiting.result(60)
        self.assertEqual(b"w" * 100_000, self.s3.get_object(Bucket="worst-clients", Key="waited")["Body"].read())

    def test_slow_clients_hold_up_nobody(self):
        slow = []
        for n in range(40):
            path = self.presigned_put(f"slow-{n}")
            slow.append(self.raw(f"PUT {path} HTTP/1.1\r\nHost: {self.daemon.address}:{self.daemon.port}\r\nContent-Length: 500000\r\n\r\n", b"s" * 1000))
        for n in range(10):
            slow.append(self.raw("GET / HTTP/1.1\r\nHost:"))
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            done = list(pool.map(lambda n: self.s3.put_object(Bucket="worst-clients", Key=f"quick-{n}", Body=b"q" * 100_000)["ResponseMetadata"]["HTTPStatusCode"], range(40)))
        self.assertEqual([200] * 40, done)
        slow[0].sendall(b"s" * 499_000)
        self.assertIn(b"200 OK", slow[0].recv(1000))
        for s in slow:
            s.close()

    def test_torn_and_hostile_requests(self):
        for request, status in ((b"\r\n\r\n\r\n", b"40"), (b"GET\r\n\r\n", b"400"), (b"GET / HTTP/9.9\r\n\r\n", b"400"),
                                (b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", b"400"),
                                (b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", b"400"),
                                (b"GET /b/%zz HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
                                (b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"4"),
                                (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 50_000 + b"\r\n", b"4")):
            with socket.create_connection((self.daemon.address, self.daemon.port), timeout=30) as s:
                try:
                    s.sendall(request)
                    answer = s.recv(2000)
                except (ConnectionResetError, BrokenPipeError):
                    answer = b"HTTP/1.1 4"  # cut off: as good as refused
                self.assertTrue(answer.startswith(b"HTTP/1.1 " + status) or answer == b"", (request[:60], answer[:200]))
        self.assertEqual(b"1", self.s3.put_object(Bucket="worst-clients", Key="after", Body=b"1") and self.s3.get_object(Bucket="worst-clients", Key="after")["Body"].read())

    def test_secrets_stay_where_they_are(self):
        made = json.loads(self.daemon.cli("--output", "json", "user", "create", "--role", "read-only").stdout)
        log = self.daemon.log()
        for secret in (made["secret_key"], self.daemon.secret_key, self.daemon.recovery_key):
            self.assertNotIn(secret, log)
        processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
        self.assertNotIn(self.daemon.secret_key, processes)
        for path in self.daemon.run.rglob("*"):
            if path.is_file() or path.is_socket():
                self.assertEqual(0, stat.S_IMODE(path.stat().st_mode) & 0o077 if path.parent == self.daemon.run else 0, path)

    def test_unsupported_operations_say_so(self):
        for call in (lambda: self.s3.put_bucket_policy(Bucket="worst-clients", Policy="{}"),
                     lambda: self.s3.put_bucket_cors(Bucket="worst-clients", CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}),
                     lambda: self.s3.put_object(Bucket="worst-clients", Key="k", Body=b"", ServerSideEncryption="aws:kms")):
            with self.assertRaises(botocore.exceptions.ClientError) as refused:
                call()
            self.assertEqual("NotImplemented", refused.exception.response["Error"]["Code"])
            self.assertEqual(501, refused.exception.response["ResponseMetadata"]["HTTPStatusCode"])


class FullPoolTest(unittest.TestCase):
    def test_full_pool_refuses_and_recovers(self):
        stage = Stage(iscsi=False, size="4224M")  # 64 segments and little more
        self.addCleanup(stage.close)
        s3 = client(stage.daemon)
        s3.create_bucket(Bucket="full")
        body, keys = b"f" * (96 << 20), []
        with self.assertRaises(botocore.exceptions.ClientError) as refused:
            for n in range(100):
                s3.put_object(Bucket="full", Key=str(n), Body=body)
                keys.append(str(n))
        self.assertEqual("InsufficientStorage", refused.exception.response["Error"]["Code"])
        self.assertEqual(507, refused.exception.response["ResponseMetadata"]["HTTPStatusCode"])
        self.assertGreater(len(keys), 20)
        self.assertEqual(body, s3.get_object(Bucket="full", Key="0")["Body"].read())
        for key in keys[: len(keys) // 2]:
            s3.delete_object(Bucket="full", Key=key)

        def fits():
            try:
                return s3.put_object(Bucket="full", Key="again", Body=body)
            except botocore.exceptions.ClientError:
                return False
        wait_until("space to come back", fits, 60)
        self.assertEqual(body, s3.get_object(Bucket="full", Key=keys[-1])["Body"].read())


class ConfigurationTest(unittest.TestCase):
    def setUp(self):
        self.stage = Stage(iscsi=False, size="5G")
        self.addCleanup(self.stage.close)

    def refused(self, change):
        daemon = self.stage.daemon
        config = self.stage.directory / "changed.yaml"
        config.write_text(change((daemon.run / "holdfastd.yaml").read_text()))
        done = subprocess.run([str(HOLDFASTD), "--config", str(config)], capture_output=True, text=True, timeout=60)
        self.assertEqual(1, done.returncode)
        return done.stderr

    def test_mistakes_are_named(self):
        self.stage.daemon.stop()
        self.assertRegex(self.refused(lambda t: t + "surprise: 1\n"), r"changed\.yaml.*\d+.*surprise")
        self.assertRegex(self.refused(lambda t: t.replace("pools:", "pools: [")), r"changed\.yaml")
        self.assertRegex(self.refused(lambda t: re.sub(r"device: .*", "device: /no/such/file", t)), "/no/such/file")
        self.assertRegex(self.refused(lambda t: re.sub(r"master_key_file: .*", "", t)), "encrypted and no key")
        self.assertRegex(self.refused(lambda t: t.replace("127.0.0.1:", "127.0.0.1:x")), "127.0.0.1:x")

    def test_init_twice_and_a_second_daemon(self):
        daemon = self.stage.daemon
        again = subprocess.run([str(HOLDFAST), "init", "--dir", str(daemon.run), "--plain-http"], capture_output=True, text=True)
        self.assertEqual(1, again.returncode)
        self.assertIn("exist", again.stderr + again.stdout)
        second = subprocess.run([str(HOLDFASTD), "--config", str(daemon.run / "holdfastd.yaml")], capture_output=True, text=True, timeout=60)
        self.assertEqual(1, second.returncode)
        self.assertIn("held by another process", second.stderr)
        self.assertEqual(0, daemon.cli("status").returncode)

    def test_what_one_processor_wrote_another_reads(self):
        daemon = self.stage.daemon
        s3 = client(daemon)
        s3.create_bucket(Bucket="cpu")
        bodies = {f"k{n}": os.urandom(n) for n in (0, 17, 70_000, 3_000_001)}
        etags = {}
        for level in ("baseline", "avx2", "avx512"):
            daemon.stop()
            daemon.start("--cpu", level)
            for key, body in bodies.items():
                made = s3.put_object(Bucket="cpu", Key=f"{level}-{key}", Body=body)
                self.assertEqual(etags.setdefault(key, made["ETag"]), made["ETag"])
        for level in ("avx512", "baseline"):
            daemon.stop()
            daemon.start("--cpu", level)
            for key, body in bodies.items():
                for writer in ("baseline", "avx2", "avx512"):
                    self.assertEqual(body, s3.get_object(Bucket="cpu", Key=f"{writer}-{key}")["Body"].read(), f"{writer}-{key} by {level}")
        unknown = subprocess.run([str(HOLDFASTD), "--cpu", "fast"], capture_output=True, text=True, timeout=60)
        self.assertEqual((1, 'holdfastd: --cpu: "fast" is no level of processor: baseline, avx2 or avx512\n'), (unknown.returncode, unknown.stderr))

    def test_mistyped_commands_are_named(self):
        for words in (["nosuch"], ["pool", "scrubb"]):
            done = subprocess.run([str(HOLDFAST), *words], capture_output=True, text=True)
            self.assertEqual(1, done.returncode)
            self.assertIn(f'unknown command "{words[-1]}"', done.stderr)

    def test_a_bucket_that_no_client_could_name_is_refused(self):
        for name in ("ab", "With_Capitals", "a/b", "1.2.3.4", "x" * 64):
            done = self.stage.daemon.cli("bucket", "create", name, check=False)
            self.assertEqual(1, done.returncode)
            self.assertIn(f'"{name}" is no name of a bucket', done.stderr)

    def test_a_size_is_understood_whole(self):
        for size in ("20Gx", "20GG", "G", "-1G", "1e300", "20 G"):
            with self.subTest(size=size), tempfile.TemporaryDirectory() as directory:
                said = subprocess.run([str(HOLDFAST), "init", "--dir", f"{directory}/run", "--plain-http", "--listen", "127.0.0.1:1", f"--size={size}"], capture_output=True, text=True)
                self.assertEqual(1, said.returncode)
                self.assertIn("is not a size", said.stderr)
                self.assertFalse(pathlib.Path(directory, "run").exists())

    def test_an_init_that_fails_leaves_nothing_in_the_way(self):
        directory = self.stage.directory / "later"
        command = [HOLDFAST, "init", "--dir", directory, "--plain-http", "--listen", "127.0.0.1:1", "--size"]
        done = subprocess.run([*command, "1G"], capture_output=True, text=True)
        self.assertEqual(1, done.returncode)
        self.assertIn("is too small: a pool needs at least", done.stderr)
        self.assertEqual(["state"], [p.name for p in directory.iterdir()])
        run([*command, "6G"])

    def test_probe_and_rebuild(self):
        daemon = self.stage.daemon
        client(daemon).create_bucket(Bucket="kept")
        pool = str(daemon.run / "main.pool")
        daemon.stop()
        probe = subprocess.run([str(HOLDFAST), "--output", "json", "device", "probe", pool], capture_output=True, text=True)
        self.assertEqual("main", json.loads(probe.stdout)["pool"], probe.stdout + probe.stderr)
        for flags in ([], ["--from-log"]):
            rebuilt = subprocess.run([str(HOLDFAST), "pool", "rebuild-index", "--config", str(daemon.run / "holdfastd.yaml"), *flags], capture_output=True, text=True)
            self.assertEqual(0, rebuilt.returncode, rebuilt.stderr)
        daemon.start()
        self.assertEqual(["kept"], [b["Name"] for b in client(daemon).list_buckets()["Buckets"]])

    def test_every_answer_says_what_time_it_is(self):
        """Clients whose clock is wrong sign again by it."""
        for method, path in (("GET", "/"), ("HEAD", "/nobody/x")):
            connection = http.client.HTTPConnection(self.stage.daemon.address, self.stage.daemon.port)
            connection.request(method, path)
            answer = connection.getresponse()
            answer.read()
            said = email.utils.parsedate_to_datetime(answer.getheader("Date"))
            self.assertLess(abs((datetime.datetime.now(datetime.timezone.utc) - said).total_seconds()), 60)

    def test_health_and_metrics(self):
        daemon = self.stage.daemon
        class UnixConnection(http.client.HTTPConnection):
            def connect(self):
                self.sock = socket.socket(socket.AF_UNIX)
                self.sock.connect(str(daemon.run / "admin.sock"))

        def get(path):
            connection = UnixConnection("localhost")
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

        self.assertEqual(200, get("/healthz")[0])
        self.assertEqual(200, get("/readyz")[0])
        client(daemon).create_bucket(Bucket="counted")
        status, text = get("/metrics")
        self.assertEqual(200, status)
        self.assertRegex(text, r'operation="CreateBucket"[^\n]*\} 1\n')
        self.assertIn("# TYPE", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)

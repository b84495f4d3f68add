"""Starts real parts for the end-to-end tests: a tgt iSCSI target on loopback, and holdfastd on a pool."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BUILD = pathlib.Path(os.environ.get("HOLDFAST_BUILD", "build/release")).resolve()
HOLDFAST = BUILD / "daemon" / "holdfast"
HOLDFASTD = BUILD / "daemon" / "holdfastd"
REGION = "us-east-1"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(what, condition, seconds=90, said=None):
    """Polls until the condition holds; the deadline is generous, since only its absence is a failure. `said` is asked for what to show then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s for {what}" + (f": {said()}" if said else ""))


def connects(port, address="127.0.0.1"):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex((address, port)) == 0


class Certificate:
    """A self-signed certificate for an address, which is its own authority."""

    def __init__(self, directory, address="127.0.0.1", name="tls"):
        self.certificate = pathlib.Path(directory) / f"{name}.crt"
        self.key = pathlib.Path(directory) / f"{name}.key"
        self.make(address)

    def make(self, address="127.0.0.1"):
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
             "-subj", f"/CN={address}", "-addext", f"subjectAltName=IP:{address}", "-keyout", self.key, "-out", self.certificate])
        self.key.chmod(0o600)


class Target:
    """tgtd with one LUN in a sparse file, CHAP on. It can be killed and started again on the same file."""

    user = "tester"
    secret = "a-chap-secret-1"

    def __init__(self, directory, size_bytes=6 << 30, address="127.0.0.1", prefix=()):
        self.directory = pathlib.Path(directory)
        self.address = address
        self.prefix = list(prefix)  # of the command line, as "ip netns exec NAME"
        self.port = free_port()
        self.name = f"iqn.2026-01.io.holdfast.test:pool-{self.port}"  # tests may run beside each other
        self.control = 100 + self.port % 30000
        self.image = self.directory / "lun.img"
        self.secret_file = self.directory / "chap-secret"
        self.secret_file.write_text(self.secret + "\n")
        self.secret_file.chmod(0o600)
        with open(self.image, "wb") as f:
            f.truncate(size_bytes)
        self.process = None
        self.start()

    @property
    def url(self):
        return f"iscsi://{self.address}:{self.port}/{self.name}/1"

    def _admin(self, *arguments):
        command = ["tgtadm", "-C", str(self.control), "--lld", "iscsi", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=self.environment)

    def start(self):
        self.environment = dict(os.environ, TGT_IPC_SOCKET=str(self.directory / "tgt-ipc"))
        with open(self.directory / "tgtd.log", "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, "tgtd", "-f", "-C", str(self.control), "--iscsi", f"portal={self.address}:{self.port}"],
                stdout=log, stderr=log, env=self.environment)
        wait_until("tgtd's control socket", lambda: self._admin("--op", "show", "--mode", "sys").returncode == 0)
        for arguments in (
            ("--op", "new", "--mode", "target", "--tid", "1", "-T", self.name),
            ("--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "-b", str(self.image)),
            ("--op", "update", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "--params", "thin_provisioning=1"),
            ("--op", "update", "--mode", "target", "--tid", "1", "--name", "HeaderDigest", "--value", "CRC32C,None"),
            ("--op", "new", "--mode", "account", "--user", self.user, "--password", self.secret),
            ("--op", "bind", "--mode", "account", "--tid", "1", "--user", self.user),
            ("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL"),
        ):
            done = self._admin(*arguments)
            assert done.returncode == 0, f"tgtadm {arguments}: {done.stdout}{done.stderr}"

    def kill(self):
        self.process.kill()
        self.process.wait()

    def device_arguments(self):
        return ["--chap-user", self.user, "--chap-secret-file", str(self.secret_file), "--header-digest"]


class LoopDevices:
    """Block devices over one image: the second and later ones see what the first writes, as hosts on a shared LUN do."""

    def __init__(self, directory, count, size_bytes=6 << 30, sector_bytes=512):
        image = pathlib.Path(directory) / "loop.img"
        with open(image, "wb") as f:
            f.truncate(size_bytes)
        command = ["losetup", "--find", "--show", "--sector-size", sector_bytes, image]
        self.names = [run(command).strip() for _ in range(count)]

    def close(self):
        for name in self.names:
            subprocess.run(["losetup", "--detach", name], capture_output=True)


class Daemon:
    """holdfastd on a file pool, or on a Target's LUN; with TLS where it gets a Certificate. Without `init` the caller makes it, and starts it."""

    def __init__(self, directory, target=None, size="6G", arguments=(), device=None, address="127.0.0.1", certificate=None, prefix=(), init=("init",)):
        self.directory = pathlib.Path(directory)
        self.run = self.directory / "run"
        self.port = free_port()
        self.address = address
        self.prefix = list(prefix)  # of the command line, as "ip netns exec NAME"
        self.scheme = "https" if certificate else "http"
        self.target = target
        self.certificate = certificate
        self.process = None
        self.log_path = self.directory / "holdfastd.log"
        if init is None:
            return
        command = [*self.prefix, HOLDFAST, "--output", "json", *init, *self.init_options(size), *arguments]
        if target is not None:
            command += ["--device", target.url, *target.device_arguments()]
        if device is not None:
            command += ["--device", device]
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

        made = json.loads(done.stdout)
        self.made = made  # what the command said
        self.access_key, self.secret_key = self.credentials()
        self.recovery_key = made.get("recovery_key")
        self.start()

    def init_options(self, size):
        security = ["--certificate", self.certificate.certificate, "--key", self.certificate.key] if self.certificate else ["--plain-http"]
        return ["--dir", self.run, "--size", size, "--listen", f"{self.address}:{self.port}", *security]

    def credentials(self):
        lines = pathlib.Path(self.made["credentials_file"]).read_text().splitlines()
        return tuple(line.partition(" = ")[2] for line in lines[1:3])

    @property
    def endpoint(self):
        return f"{self.scheme}://{self.address}:{self.port}"

    def start(self, *arguments, wait=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.prefix, str(HOLDFASTD), "--config", str(self.run / "holdfastd.yaml"), *arguments],
                                            stdout=log, stderr=log)
        if wait:
            wait_until("holdfastd to serve", lambda: self.alive() and connects(self.port, self.address), 60)

    def alive(self):
        assert self.process.poll() is None, "holdfastd ended:\n" + self.log()[-3000:]
        return True

    def log(self):
        return self.log_path.read_text(errors="replace")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, "holdfastd did not end cleanly:\n" + self.log()[-3000:]

    def second_config(self, name, listen, device=None):
        """The configuration of another holdfastd on the same pool: with its own listener, state and admin socket."""
        directory = self.directory
        text = (self.run / "holdfastd.yaml").read_text()
        changes = [(f"{self.address}:{self.port}", listen), (str(self.run / "state"), str(directory / f"{name}-state")),
                   (str(self.run / "admin.sock"), str(directory / f"{name}.sock"))]
        for old, new in changes + ([device] if device else []):
            assert old in text, f"{old} is not in the configuration"
            text = text.replace(old, new)
        path = directory / f"{name}.yaml"
        path.write_text(text)
        return path

    def drop_index(self):
        shutil.rmtree(self.run / "state" / "index")

    def cli(self, *arguments, check=True):
        done = subprocess.run([str(HOLDFAST), "--admin", str(self.run / "admin.sock"), *arguments],
                              capture_output=True, text=True)
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    def fetch(self, path):
        """The admin API's answer."""
        done = subprocess.run(["curl", "-sS", "--fail-with-body", "--unix-socket", str(self.run / "admin.sock"), "http://holdfast" + path], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, path):
        return json.loads(self.fetch(path))

    def metrics(self):
        return self.fetch("/metrics")

    def cluster(self, name):
        """What `cluster list` says of it."""
        listed = json.loads(self.cli("--output", "json", "cluster", "list").stdout)["clusters"]
        return next(c for c in listed if c["name"] == name)

    def await_role(self, role, cluster, seconds=60):
        wait_until(f"the role {role}", lambda: self.cluster(cluster)["role"] == role, seconds)

    def s3(self):
        import boto3  # only in the tests' own environment
        import botocore.config
        return boto3.client("s3", endpoint_url=self.endpoint, aws_access_key_id=self.access_key, aws_secret_access_key=self.secret_key,
                            region_name=REGION, verify=str(self.certificate.certificate) if self.certificate else None, config=botocore.config.Config(s3={"addressing_style": "path"}))

    def client_environment(self):
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        return dict(inherited, AWS_ACCESS_KEY_ID=self.access_key, AWS_SECRET_ACCESS_KEY=self.secret_key,
                    AWS_DEFAULT_REGION=REGION, AWS_EC2_METADATA_DISABLED="true",
                    AWS_SHARED_CREDENTIALS_FILE="/dev/null", AWS_CONFIG_FILE="/dev/null")


class Stage:
    """A directory with what a test class started in it; everything ends with it."""

    def __init__(self, iscsi, block=0, target_address="127.0.0.1", tls=False, **options):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-e2e-"))
        if tls:
            options["certificate"] = self.certificate = Certificate(self.directory)
        self.target = Target(self.directory, address=target_address) if iscsi else None
        self.loop_devices = LoopDevices(self.directory, block) if block else None
        self.loops = self.loop_devices.names if block else []
        self.daemon = Daemon(self.directory, self.target, device=self.loops[0] if block else None, **options)

    def close(self):
        for part in (self.daemon, self.target):
            if part is not None and part.process.poll() is None:
                part.kill()
        if self.loop_devices is not None:
            self.loop_devices.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def versitygw():
    """The program, built as an ordinary Go module where it is not there yet."""
    if named := os.environ.get("VERSITYGW"):
        return named
    root = pathlib.Path(__file__).resolve().parents[2]
    bin_directory = root / "build" / "go" / "bin"
    program = bin_directory / "versitygw"
    if not program.exists():
        go = run([root / "scripts" / "go.sh"]).strip()
        run([go, "install", "github.com/versity/versitygw/cmd/versitygw@v1.8.0"],
            dict(os.environ, GOBIN=str(bin_directory), CGO_ENABLED="0"))
    return str(program)


def run(command, environment=None, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=environment, **options)
    assert done.returncode == 0, f"{' '.join(str(c) for c in command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout

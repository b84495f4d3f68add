"""A cluster with many small objects, and real Velero beside its API server, for the benchmarks."""

import http.client
import json
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from harness import run, wait_until  # noqa: E402
from measures import cpu_seconds, peak_mib  # noqa: E402

NAMESPACES = 200


class Api:
    def __init__(self, cluster):
        pki = cluster.kubeconfig.parent
        self.context = ssl.create_default_context(cafile=pki / "ca.crt")
        self.context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self.server = cluster.server.removeprefix("https://")

    def connection(self):
        return http.client.HTTPSConnection(self.server, context=self.context)

    def fill(self, first, last, threads=6):
        def work(k):
            connection = self.connection()
            for n in range(first + k, last, threads):
                body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{n}"}, "data": {"x": os.urandom(900).hex()}}
                connection.request("POST", f"/api/v1/namespaces/ns{n % NAMESPACES:03}/configmaps", json.dumps(body), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                assert answer.status in (201, 409), answer.read()
                answer.read()
        running = [threading.Thread(target=work, args=(k,)) for k in range(threads)]
        for t in running:
            t.start()
        for t in running:
            t.join()

    def make_namespaces(self):
        connection = self.connection()
        for n in range(NAMESPACES):
            connection.request("POST", "/api/v1/namespaces", json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"ns{n:03}"}}), {"Content-Type": "application/json"})
            connection.getresponse().read()

    def plain_list(self):
        """Seconds for every page of the objects, without looking at them."""
        connection, token, began = self.connection(), "", time.monotonic()
        while True:
            connection.request("GET", "/api/v1/configmaps?limit=500" + (f"&continue={token}" if token else ""))
            body = connection.getresponse().read()
            token = json.loads(body[:body.index(b'"items"')].rstrip(b",") + b"}")["metadata"].get("continue", "")
            if not token:
                return time.monotonic() - began


class Velero:
    """The server as a plain process, with the options that `velero install` gives it."""

    def __init__(self, cluster, daemon, bucket="velero", prefix=None):
        self.cluster, self.environment = cluster, cluster.environment
        home = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-velero-"))
        credentials = home / "cloud"
        credentials.write_text(f"[default]\naws_access_key_id={daemon.access_key}\naws_secret_access_key={daemon.secret_key}\n")
        definitions = run(["velero", "install", "--crds-only", "--dry-run", "-o", "yaml"], self.environment)
        cluster.kubectl("apply", "-f", "-", input=definitions)
        cluster.kubectl("create", "namespace", "velero")
        cluster.kubectl("-n", "velero", "create", "secret", "generic", "cloud", f"--from-file=cloud={credentials}")
        cluster.kubectl("apply", "-f", "-", input=json.dumps({
            "apiVersion": "velero.io/v1", "kind": "BackupStorageLocation", "metadata": {"name": "default", "namespace": "velero"},
            "spec": {"provider": "aws", "default": True, "objectStorage": {"bucket": bucket, **({"prefix": prefix} if prefix else {})}, "credential": {"name": "cloud", "key": "cloud"},
                     "config": {"region": "us-east-1", "s3ForcePathStyle": "true", "s3Url": daemon.endpoint}}}))
        # Restores look its image up.
        cluster.kubectl("-n", "velero", "create", "deployment", "velero", "--image=velero/velero:v1.18.3", "--replicas=0")
        plugins = home / "plugins"
        plugins.mkdir()
        binaries = cluster.kubeconfig.parents[3] / "bin"
        (plugins / "velero-plugin-for-aws").symlink_to(binaries / "velero-plugin-for-aws")
        inherited = {k: v for k, v in self.environment.items() if not k.startswith("AWS_")}
        self.log = open(home / "velero.log", "wb")
        self.process = subprocess.Popen(["velero", "server", "-n", "velero", "--plugin-dir", str(plugins), "--metrics-address", "127.0.0.1:0"],
                                        env=dict(inherited, HOME=str(home), TMPDIR=str(home), AWS_SHARED_CREDENTIALS_FILE=str(credentials)),
                                        stdout=self.log, stderr=self.log)
        wait_until("Velero's location", lambda: "Available" == cluster.kubectl(
            "-n", "velero", "get", "bsl", "default", "-o", "jsonpath={.status.phase}"), 120)

    def restore(self, name, backup):
        """Gives the number of items."""
        wait_until("Velero to find the backup", lambda: backup in self.cluster.kubectl("-n", "velero", "get", "backups", "-o", "name"), 120)
        return lambda: self._restore(name, backup)

    def _restore(self, name, backup):
        run(["velero", "restore", "create", name, "--from-backup", backup, "--wait"], self.environment)
        status = json.loads(self.cluster.kubectl("-n", "velero", "get", "restore", name, "-o", "json"))["status"]
        assert status["phase"] == "Completed", status
        return status["progress"]["itemsRestored"]

    def back_up(self, name):
        """Made as its users make it; gives the number of items."""
        run(["velero", "backup", "create", name, "--wait"], self.environment)
        status = json.loads(self.cluster.kubectl("-n", "velero", "get", "backup", name, "-o", "json"))["status"]
        assert status["phase"] == "Completed", status
        return status["progress"]["itemsBackedUp"]

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def timed(pid, work):
    cpu, began = cpu_seconds(pid), time.monotonic()
    items = work()
    return {"seconds": time.monotonic() - began, "cpu_s": cpu_seconds(pid) - cpu, "peak_rss_mib": peak_mib(pid), "items": items}

"""Restores that meet a failing API server, a cluster in a bad state, or a bad restore point."""

import base64
import gzip
import http.server
import io
import json
import ssl
import tarfile
import threading
import unittest
import zlib

from api_proxy import ApiProxy
from harness import Certificate, wait_until
from kube_cluster import ClusterTest

MANY = 303


class Webhook:
    """An admission webhook that refuses what is named m0007."""

    def __init__(self, address, directory):
        self.certificate = Certificate(directory, address, "webhook")

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                allowed = review["request"]["name"] != "m0007"
                response = {"uid": review["request"]["uid"], "allowed": allowed, "status": {"message": "seven is not welcome"}}
                content = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate.certificate, self.certificate.key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"https://{address}:{self.server.server_address[1]}/"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class RestoreFaultsTest(ClusterTest):
    cluster_name, cluster_index = "kube-rfaults", 15

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = cls.daemon.s3()
        cls.cluster.create_config_maps("many", MANY)
        cls.daemon.cli("cluster", "add", "direct", "--no-velero-objects", "--kubeconfig", str(cls.cluster.kubeconfig))
        cls.daemon.cli("backup", "create", "many", "--cluster", "direct", "--include-namespaces", "many", "--wait")

    def setUp(self):
        self.proxy = ApiProxy(self.cluster, self.stage.directory)
        self.addCleanup(self.proxy.close)
        self.name = self.id().rsplit("test_", 1)[-1].replace("_", "-")[:40].strip("-")
        self.add(self.name, {"token": "t"})

    def add(self, name, user):
        self.daemon.cli("cluster", "add", name, "--no-velero-objects", "--kubeconfig", str(self.proxy.kubeconfig(self.stage.directory / f"{name}.conf", user)))

    def restore(self, name="r", *arguments, backup="many"):
        done = self.daemon.cli("--output", "json", "restore", "create", name, "--cluster", self.name, "--from-cluster", "direct", "--backup", backup, "--wait",
                               "--namespace-mappings", f"many:{self.name}", *arguments, check=False)
        return json.loads(done.stdout)

    def assert_whole(self, but=()):
        there = {i["metadata"]["name"]: i["data"] for i in self.cluster.objects("configmaps", "-n", self.name) if i["metadata"]["name"].startswith("m")}
        self.assertEqual({f"m{n:04}": {"n": str(n)} for n in range(MANY) if f"m{n:04}" not in but}, there)

    def complaints(self, name="r"):
        return "\n".join(line for line in self.daemon.cli("restore", "logs", name, "--cluster", self.name).stdout.splitlines() if "level=info" not in line)

    def every(self, nth, *actions):
        """Every nth request that writes an object meets one of these, in turn."""
        lock, counted = threading.Lock(), [0]

        def rule(method, path, headers):
            if method != "POST" or "configmaps" not in path:
                return None
            with lock:
                counted[0] += 1
                return actions[counted[0] // nth % len(actions)] if counted[0] % nth == 0 else None
        return rule

    def test_throttled_and_broken_now_and_then(self):
        self.proxy.rule = self.every(7, *(("status", code, {"Retry-After": "0"}, {"kind": "Status"}) for code in (429, 500, 502, 503, 504)))
        ended = self.restore()
        self.assertEqual(("Completed", 0, 0), (ended["phase"], ended["errors"], ended["warnings"]))
        self.assert_whole()

    def test_answers_lost_on_the_way(self):
        self.proxy.rule = self.every(7, ("cut", 5))
        ended = self.restore()
        self.assertEqual(("Completed", 0, 0), (ended["phase"], ended["errors"], ended["warnings"]))
        self.assert_whole()
        body = self.s3.get_object(Bucket="holdfast", Key=f"clusters/{self.name}/restores/r/restore-r-resource-list.json.gz")["Body"].read()
        listed = json.loads(gzip.decompress(body))["v1/ConfigMap"]
        self.assertEqual(sorted(f"{self.name}/m{n:04}(created)" for n in range(MANY)), sorted(listed))

    def test_pods_that_admission_refuses_for_a_moment(self):
        """As it does while its caches lack what was made just before."""
        self.cluster.kubectl("create", "namespace", "posts")
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "guard", "namespace": "posts"}, "spec": {"containers": [{"name": "c", "image": "none"}]}}
        self.cluster.kubectl("create", "-f", "-", input=json.dumps(pod))
        self.daemon.cli("backup", "create", "posts", "--cluster", "direct", "--include-namespaces", "posts", "--wait")
        tries = []

        def refuse(times):
            tries.clear()

            def rule(method, path, headers):
                if method != "POST" or not path.split("?")[0].endswith("/pods"):
                    return None
                tries.append(path)
                refusal = {"kind": "Status", "reason": "Forbidden", "code": 403, "message": "no PriorityClass with name urgent was found"}
                return ("status", 403, {}, refusal) if len(tries) <= times else None
            self.proxy.rule = rule
        restore = lambda name: self.restore(name, "--namespace-mappings", f"posts:{self.name}-{name}", backup="posts")
        refuse(2)
        ended = restore("soon")
        self.assertEqual(("Completed", 0, 3), (ended["phase"], ended["errors"], len(tries)), self.complaints("soon"))
        self.assertEqual(["guard"], [p["metadata"]["name"] for p in self.cluster.objects("pods", "-n", f"{self.name}-soon")])
        refuse(100)
        ended = restore("never")
        self.assertEqual(("PartiallyFailed", 1, 4), (ended["phase"], ended["errors"], len(tries)))
        self.assertIn("no PriorityClass with name urgent was found", self.complaints("never"))

    def test_token_renewed(self):
        token = self.stage.directory / "token"
        token.write_text("first\n")
        self.name = "by-token-file"
        self.add(self.name, {"tokenFile": str(token)})

        def rule(method, path, headers):
            if headers["Authorization"] == "Bearer second" or method == "GET":
                return None
            token.write_text("second\n")
            return ("status", 401, {}, {"kind": "Status", "message": "expired"})
        self.proxy.rule = rule
        self.assertEqual("Completed", self.restore()["phase"])
        self.assert_whole()

    def test_gone_for_good_and_run_again(self):
        def rule(method, path, headers):
            if method == "POST" and "configmaps" in path:
                self.proxy.server.socket.close()
                return ("cut", 0)
            return None
        self.proxy.rule = rule
        ended = self.restore()
        self.assertEqual("Failed", ended["phase"], ended)
        self.assertIn("the API server does not answer any more", ended["failure_reason"])
        self.proxy.close()
        self.name = "direct"
        done = self.daemon.cli("--output", "json", "restore", "create", "again", "--cluster", "direct", "--backup", "many", "--wait",
                               "--namespace-mappings", "many:gone-for-good-and-run-again", check=False)
        self.assertEqual("Completed", json.loads(done.stdout)["phase"])
        self.name = "gone-for-good-and-run-again"
        self.assert_whole()

    def test_daemon_killed(self):
        self.proxy.rule = self.every(100, ("hang",))
        self.daemon.cli("restore", "create", "r", "--cluster", self.name, "--from-cluster", "direct", "--backup", "many", "--namespace-mappings", f"many:{self.name}")
        wait_until("the restore to hang", lambda: sum(method == "POST" and "configmaps" in path for method, path in self.proxy.seen) >= 100)
        self.daemon.kill()
        self.daemon.start()
        listed = json.loads(self.daemon.cli("--output", "json", "restore", "list", "--cluster", self.name).stdout)["restores"]
        self.assertEqual([("r", "Failed", "the daemon ended while it ran")], [(r["name"], r["phase"], r["failure_reason"]) for r in listed])
        self.proxy.rule = lambda method, path, headers: None
        self.assertEqual("Completed", self.restore("again")["phase"])
        self.assert_whole()

    def test_daemon_stopped(self):
        self.proxy.rule = self.every(100, ("hang",))
        self.daemon.cli("restore", "create", "r", "--cluster", self.name, "--from-cluster", "direct", "--backup", "many", "--namespace-mappings", f"many:{self.name}")
        wait_until("the restore to hang", lambda: sum(method == "POST" and "configmaps" in path for method, path in self.proxy.seen) >= 100)
        self.daemon.stop()
        self.daemon.start()
        listed = json.loads(self.daemon.cli("--output", "json", "restore", "list", "--cluster", self.name).stdout)["restores"]
        self.assertEqual([("r", "Failed")], [(r["name"], r["phase"]) for r in listed])

    def webhook(self, url, authority):
        hook = {"name": "seven.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail", "timeoutSeconds": 1,
                "clientConfig": {"url": url, "caBundle": base64.b64encode(authority).decode()},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.name}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]}
        self.cluster.kubectl("create", "namespace", self.name)
        self.cluster.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
                                                                   "metadata": {"name": self.name}, "webhooks": [hook]}))
        self.addCleanup(self.cluster.kubectl, "delete", "validatingwebhookconfiguration", self.name)
        probe = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m0007", "namespace": self.name}})

        def refused():
            try:
                self.cluster.kubectl("create", "--dry-run=server", "-f", "-", input=probe)
                return False
            except AssertionError:
                return True
        wait_until("the webhook to be asked", refused)

    def test_admission_webhook_rejects(self):
        webhook = Webhook(self.cluster.host, self.stage.directory)
        self.addCleanup(webhook.close)
        self.webhook(webhook.url, webhook.certificate.certificate.read_bytes())
        ended = self.restore()
        self.assertEqual(("PartiallyFailed", 1), (ended["phase"], ended["errors"]))
        self.assertIn("seven is not welcome", self.complaints())
        self.assert_whole(but=("m0007",))

    def test_admission_webhook_down(self):
        webhook = Webhook(self.cluster.host, self.stage.directory)
        webhook.close()
        self.webhook(webhook.url, webhook.certificate.certificate.read_bytes())
        ended = self.restore()
        self.assertEqual(("PartiallyFailed", MANY), (ended["phase"], ended["errors"]))
        self.assertIn("failed calling webhook", self.complaints())

    def test_namespace_stuck(self):
        self.cluster.kubectl("create", "namespace", self.name)
        self.cluster.kubectl("create", "-f", "-", input=json.dumps({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "namespace": self.name, "finalizers": ["example.com/never"]}}))
        self.cluster.kubectl("delete", "namespace", self.name, "--wait=false")
        ended = self.restore("r", "--namespace-timeout", "1")
        self.assertEqual("PartiallyFailed", ended["phase"], ended)
        self.assertIn(f"namespace {self.name} is still terminating after 1 seconds", self.complaints())
        self.cluster.kubectl("-n", self.name, "patch", "configmap", "held", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
        self.assertEqual("Completed", self.restore("again")["phase"])  # waits for its end, then makes it
        self.assert_whole()

    def definition(self, plural, kind):
        return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.stuck.example"},
                "spec": {"group": "stuck.example", "scope": "Namespaced", "names": {"plural": plural, "singular": plural[:-1], "kind": kind},
                         "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}]}}

    def test_definition_never_established(self):
        self.cluster.kubectl("create", "-f", "-", input=json.dumps(self.definition("lamps", "Lamp")))
        wait_until("the definition", lambda: "lamps" in self.cluster.kubectl("api-resources", "--api-group=stuck.example"))
        self.cluster.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "stuck.example/v1", "kind": "Lamp", "metadata": {"name": "one", "namespace": "default"}}))
        self.daemon.cli("backup", "create", "stuck", "--cluster", "direct", "--include-namespaces", "default", "--include-resources", "lamps.stuck.example,crd", "--wait")
        self.cluster.kubectl("delete", "crd", "lamps.stuck.example")
        self.cluster.kubectl("create", "-f", "-", input=json.dumps(self.definition("torches", "Lamp")))
        self.addCleanup(self.cluster.kubectl, "delete", "crd", "torches.stuck.example", "lamps.stuck.example")
        ended = self.restore(backup="stuck")
        self.assertEqual("PartiallyFailed", ended["phase"], ended)
        self.assertIn("does not accept its names", self.complaints())
        self.assertIn("lamps.stuck.example default/one: failed", self.complaints())

    def forge(self, name, archive):
        document = json.loads(self.s3.get_object(Bucket="holdfast", Key="clusters/direct/backups/many/velero-backup.json")["Body"].read())
        document["metadata"]["name"] = name
        self.s3.put_object(Bucket="holdfast", Key=f"clusters/direct/backups/{name}/velero-backup.json", Body=json.dumps(document).encode())
        self.s3.put_object(Bucket="holdfast", Key=f"clusters/direct/backups/{name}/{name}.tar.gz", Body=archive)

    @staticmethod
    def with_a_flipped_bit(packed):
        """One bit of it is another, and so is what it says: among equal objects a flipped bit may point at the same bytes elsewhere."""
        content = gzip.decompress(packed)
        for at in range(len(packed) // 2, len(packed)):
            flipped = bytearray(packed)
            flipped[at] ^= 16
            try:
                if gzip.decompress(bytes(flipped)) != content:
                    return bytes(flipped)
            except (OSError, EOFError, zlib.error):
                return bytes(flipped)
        raise AssertionError("no bit of it matters")

    def test_bad_archives(self):
        good = self.s3.get_object(Bucket="holdfast", Key="clusters/direct/backups/many/many.tar.gz")["Body"].read()

        def tar(*entries):
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode="w:gz") as archive:
                for path, content in entries:
                    entry = tarfile.TarInfo(path)
                    entry.size = len(content)
                    archive.addfile(entry, io.BytesIO(content))
            return out.getvalue()

        config_map = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "evil", "namespace": "many"}}).encode()
        path = "resources/configmaps/namespaces/many/evil.json"
        flipped = self.with_a_flipped_bit(good)
        bad = {"cut": (good[:len(good) // 2], "cut off"), "flipped": (flipped, "damaged"), "empty": (b"", "cut off"),
               "escape": (tar((path, config_map), ("../../etc/cron.d/x", b"x")), "leads out of it"), "twice": (tar((path, config_map), (path, config_map)), "in it twice"),
               "giant": (tar((path, b" " * (17 << 20))), "larger than"), "strange": (tar(("bin/sh", b"x")), "has no place in it")}
        for name, (archive, reason) in bad.items():
            with self.subTest(name):
                self.forge(name, archive)
                ended = self.restore(name, backup=name)
                self.assertEqual("Failed", ended["phase"], ended)
                self.assertIn(reason, ended["failure_reason"])
                self.assertIn(f"{name}.tar.gz", ended["failure_reason"])
        self.assertNotIn("bad-archives", self.cluster.kubectl("get", "namespaces", "-o", "name"))
        self.assertEqual([], [path for method, path in self.proxy.seen if method != "GET" and "selfsubjectaccessreviews" not in path])


if __name__ == "__main__":
    unittest.main(verbosity=2)

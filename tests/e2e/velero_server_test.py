"""Holdfast as the server behind velero.io objects when things go wrong: Velero or another appliance comes along, the daemon is
killed, the API server is gone, permissions are few."""

import base64
import json
import time
import unittest

from api_proxy import ApiProxy
from harness import Stage, wait_until
from kube_cluster import ClusterTest

VELERO = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "velero", "namespace": "velero"},
          "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "velero"}},
                   "template": {"metadata": {"labels": {"app": "velero"}}, "spec": {"containers": [{"name": "velero", "image": "velero/velero"}]}}}}


class VeleroServerTest(ClusterTest):
    cluster_name, cluster_index = "velero-server", 18

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = cls.daemon.s3()
        cls.cluster.create_config_maps("shop", 40)

    def setUp(self):
        """A namespace of its own for each test, served through a proxy."""
        self.name = self.id().rsplit(".", 1)[-1].removeprefix("test_").replace("_", "-")[:40]
        self.proxy = ApiProxy(self.cluster, self.stage.directory)
        self.addCleanup(self.proxy.close)
        self.add(self.daemon, self.name)
        self.addCleanup(self.forget, self.name)
        self.await_role("serving")

    def add(self, daemon, cluster):
        config = self.proxy.kubeconfig(self.stage.directory / f"{cluster}.conf", {"token": "t"})
        daemon.cli("cluster", "add", cluster, "--namespace", self.name, "--kubeconfig", str(config))

    def forget(self, cluster):
        self.proxy.rule = lambda *_: None
        self.daemon.cli("cluster", "remove", cluster, check=False)

    def role(self, daemon=None, cluster=None):
        mine = (daemon or self.daemon).cluster(cluster or self.name)
        return mine["role"], mine["role_reason"]

    def await_role(self, role, daemon=None, cluster=None, seconds=60):
        (daemon or self.daemon).await_role(role, cluster or self.name, seconds)

    def kubectl(self, *arguments, **options):
        return self.cluster.kubectl("-n", self.name, *arguments, **options)

    def make(self, kind, name, spec, **metadata):
        self.kubectl("create", "-f", "-", input=json.dumps(
            {"apiVersion": "velero.io/v1", "kind": kind, "metadata": {"name": name, "namespace": self.name, **metadata}, "spec": spec}))

    def back_up(self, name, **spec):
        self.make("Backup", name, {"includedNamespaces": ["shop"], **spec})

    def object(self, kind, name):
        return json.loads(self.kubectl("get", kind, name, "-o", "json"))

    def names(self, kind):
        return {i["metadata"]["name"] for i in json.loads(self.kubectl("get", kind, "-o", "json"))["items"]}

    def phase(self, kind, name):
        return self.object(kind, name).get("status", {}).get("phase", "")

    def await_phase(self, kind, name, phase, seconds=60):
        try:
            wait_until(f"{kind} {name} to be {phase}", lambda: self.phase(kind, name) == phase, seconds)
        except AssertionError as late:
            raise AssertionError(f"{late}: {self.object(kind, name).get('status')}\n{self.daemon.log()[-3000:]}") from None

    def hold_config_maps(self):
        """Backups stand still where they list config maps, until `self.proxy.ended`."""
        self.proxy.rule = lambda method, path, headers: ("hang",) if "/configmaps?" in path and "watch" not in path else None

    def test_velero_comes_and_goes(self):
        self.kubectl("create", "-f", "-", input=json.dumps({**VELERO, "metadata": {"name": "velero", "namespace": self.name}}))
        self.await_role("observing")
        self.assertIn(f"deployment {self.name}/velero", self.role()[1])
        self.assertIn("not serving", self.daemon.log())
        unwell = self.daemon.cli("status", check=False)
        self.assertEqual(1, unwell.returncode)
        self.assertIn(f'cluster "{self.name}": its velero.io objects are not served: Velero runs there', unwell.stderr)
        self.back_up("meanwhile")
        settled = time.monotonic() + 3
        wait_until("nothing to happen", lambda: time.monotonic() > settled)  # a look takes place every two seconds
        self.assertEqual("", self.phase("backup", "meanwhile"))
        self.kubectl("scale", "deployment", "velero", "--replicas=0")
        self.await_role("serving")
        self.await_phase("backup", "meanwhile", "Completed")
        refused = self.daemon.cli("backup", "create", "b", "--cluster", self.name, "--by-velero", check=False)
        self.assertIn("Velero does not serve cluster", refused.stderr)

    def test_shown_before_velero_has_ended_it(self):
        """Velero writes velero-backup.json twice; between the two the backup has not ended, whatever is in the bucket."""
        self.back_up("first")  # it ends when the location is available
        self.await_phase("backup", "first", "Completed")
        self.kubectl("create", "-f", "-", input=json.dumps({**VELERO, "metadata": {"name": "velero", "namespace": self.name}}))
        self.await_role("observing")
        self.daemon.cli("backup", "create", "through", "--cluster", self.name, "--by-velero")
        wait_until("its object", lambda: "through" in self.names("backups"))
        document = self.object("backup", "through")

        def reach(phase):
            document["status"] = {"phase": phase, "startTimestamp": "2026-01-01T00:00:00Z", "progress": {"itemsBackedUp": 7}}
            self.s3.put_object(Bucket="holdfast", Key=f"clusters/{self.name}/backups/through/velero-backup.json", Body=json.dumps(document))
            self.kubectl("patch", "backup", "through", "--type=merge", "-p", json.dumps({"status": document["status"]}))

        def shown():
            one, listed = (self.daemon.ask(f"/v1/clusters/{self.name}/backups{which}") for which in ("/through", ""))
            return {one["phase"], *(b["phase"] for b in listed["backups"] if b["name"] == "through")}

        reach("Finalizing")
        self.assertEqual({"InProgress"}, shown())
        reach("Completed")
        wait_until("its end", lambda: shown() == {"Completed"})
        wait_until("the run that follows it to have seen that", lambda: self.daemon.cli("cluster", "remove", self.name, check=False).returncode == 0)

    def test_no_write_after_velero_is_there(self):
        """It is looked for before each write: between two looks there is no gap."""
        self.back_up("before")
        self.await_phase("backup", "before", "Completed")
        self.proxy.seen.clear()
        self.kubectl("create", "-f", "-", input=json.dumps({**VELERO, "metadata": {"name": "velero", "namespace": self.name}}))
        self.back_up("after")
        self.await_role("observing")
        self.assertEqual([], [(m, p) for m, p in self.proxy.seen if m == "PATCH" and "/backups/after" in p])

    def test_a_status_that_another_wrote(self):
        self.back_up("mine")
        self.await_phase("backup", "mine", "Completed")
        began = time.monotonic()
        wait_until("the first seconds, in which last words of an earlier server are expected, to be over", lambda: time.monotonic() > began + 6)
        self.kubectl("patch", "backup", "mine", "--type=merge", "-p", '{"status":{"phase":"InProgress"}}')
        self.await_role("observing")
        self.assertIn("Backup mine was made InProgress", self.role()[1])

    def test_a_second_appliance(self):
        other = Stage(iscsi=False)
        self.addCleanup(other.close)
        self.add(other.daemon, "same")
        self.await_role("observing", other.daemon, "same")
        self.assertIn("another appliance serves it: holdfast-", self.role(other.daemon, "same")[1])
        self.back_up("one")
        self.await_phase("backup", "one", "Completed")
        found = lambda daemon, cluster: json.loads(daemon.cli("--output", "json", "backup", "list", "--cluster", cluster).stdout)["backups"]
        self.assertEqual(["one"], [b["name"] for b in found(self.daemon, self.name)])
        self.assertEqual([], found(other.daemon, "same"))
        # The first ends without a word; its Lease runs out.
        self.daemon.kill()
        try:
            self.await_role("serving", other.daemon, "same", 90)
        finally:
            self.daemon.start()
        self.await_role("observing")
        # One that ends in order gives it back at once.
        other.daemon.stop()
        self.await_role("serving", seconds=10)

    def test_killed_in_the_middle_of_a_backup(self):
        self.hold_config_maps()
        self.back_up("cut")
        self.await_phase("backup", "cut", "InProgress")
        wait_until("the listing", lambda: any("/configmaps?" in p for _, p in self.proxy.seen))
        self.daemon.kill()
        self.proxy.rule = lambda *_: None
        self.daemon.start()
        self.await_phase("backup", "cut", "Failed")
        self.assertIn("the server ended while it ran", self.object("backup", "cut")["status"]["failureReason"])
        self.assertNotIn("Contents", self.s3.list_objects_v2(Bucket="holdfast", Prefix=f"clusters/{self.name}/backups/cut/"))
        self.make("DeleteBackupRequest", "away", {"backupName": "cut"})
        wait_until("it to go", lambda: "cut" not in self.names("backups"))
        self.back_up("cut")
        self.await_phase("backup", "cut", "Completed")

    def test_killed_in_the_middle_of_a_restore(self):
        self.back_up("whole")
        self.await_phase("backup", "whole", "Completed")
        self.proxy.rule = lambda method, path, headers: ("hang",) if method == "POST" and "/namespaces/shop-2/configmaps" in path else None
        self.make("Restore", "cut", {"backupName": "whole", "namespaceMapping": {"shop": "shop-2"}})
        wait_until("the first write", lambda: any(m == "POST" and "/namespaces/shop-2/configmaps" in p for m, p in self.proxy.seen))
        self.assertEqual("InProgress", self.phase("restore", "cut"))
        self.daemon.kill()
        self.proxy.rule = lambda *_: None
        self.daemon.start()
        self.await_phase("restore", "cut", "Failed")
        self.assertIn("the server ended while it ran", self.object("restore", "cut")["status"]["failureReason"])
        self.make("Restore", "again", {"backupName": "whole", "namespaceMapping": {"shop": "shop-2"}})
        self.await_phase("restore", "again", "Completed")
        self.assertEqual(41, len(self.cluster.objects("-n", "shop-2", "configmaps")))

    def test_ended_while_nobody_could_be_told(self):
        """A backup that comes to its end while the API server refuses status updates, and then the daemon is killed."""
        self.hold_config_maps()
        self.back_up("quiet")
        self.await_phase("backup", "quiet", "InProgress")
        # From here on no patch gets through.
        refuse = lambda method, path, headers: ("status", 503, {}, {"kind": "Status", "message": "no"}) if method == "PATCH" else None
        self.proxy.rule = refuse
        self.proxy.ended.set()
        key = f"clusters/{self.name}/backups/quiet/velero-backup.json"
        wait_until("the restore point", lambda: "Contents" in self.s3.list_objects_v2(Bucket="holdfast", Prefix=key))
        self.assertEqual("InProgress", self.phase("backup", "quiet"))
        self.daemon.kill()
        self.proxy.rule = lambda *_: None
        self.daemon.start()
        self.await_phase("backup", "quiet", "Completed")
        self.assertGreater(self.object("backup", "quiet")["status"]["progress"]["itemsBackedUp"], 40)

    def test_another_writer_is_an_alarm(self):
        """A restore point that comes from elsewhere while this server serves; what was there before is nobody's fault."""
        self.back_up("mine")
        self.await_phase("backup", "mine", "Completed")
        self.daemon.cli("backup", "create", "by-hand", "--cluster", self.name, "--wait")
        self.kubectl("patch", "bsl", "default", "--type=merge", "-p", '{"spec":{"backupSyncPeriod":"1s","validationFrequency":"1s"}}')
        wait_until("the sync", lambda: "by-hand" in self.names("backup"))
        place = f"clusters/{self.name}/"
        self.s3.put_object(Bucket="holdfast", Key=place + "junk/x", Body=b"")
        wait_until("the folder to be named", lambda: "invalid top-level directories: [junk]" in self.object("bsl", "default")["status"].get("message", ""))
        self.assertEqual("Available", self.phase("bsl", "default"))
        self.assertEqual("", self.daemon.cluster(self.name)["alarm"])
        document = json.loads(self.s3.get_object(Bucket="holdfast", Key=place + "backups/mine/velero-backup.json")["Body"].read())
        document["metadata"]["name"] = "theirs"
        document["metadata"]["annotations"].pop("holdfast.io/server")
        self.s3.put_object(Bucket="holdfast", Key=place + "backups/theirs/velero-backup.json", Body=json.dumps(document).encode())
        wait_until("the restore point", lambda: "theirs" in self.names("backup"))
        unwell = self.daemon.cli("status", check=False)
        self.assertEqual(1, unwell.returncode)
        self.assertIn(f'cluster "{self.name}": another server writes into this location: restore point theirs is of a server that is not Holdfast', unwell.stderr)
        wait_until("the message", lambda: "restore point theirs" in self.object("bsl", "default")["status"].get("message", ""))

    def test_one_after_the_other(self):
        self.hold_config_maps()
        for n in range(3):
            self.back_up(f"q{n}")
            wait_until("it to be accepted", lambda: self.phase("backup", f"q{n}"))
        self.await_phase("backup", "q0", "InProgress")
        wait_until("their places", lambda: [self.object("backup", f"q{n}").get("status", {}).get("queuePosition") for n in (1, 2)] == [2, 3])
        self.assertEqual(["Queued", "Queued"], [self.phase("backup", f"q{n}") for n in (1, 2)])
        self.make("DeleteBackupRequest", "too-early", {"backupName": "q1"})
        self.await_phase("deletebackuprequest", "too-early", "Processed")
        self.assertEqual(["backup is still in progress"], self.object("deletebackuprequest", "too-early")["status"]["errors"])
        self.proxy.rule = lambda *_: None
        self.proxy.ended.set()
        for n in range(3):
            self.await_phase("backup", f"q{n}", "Completed")
        started = [self.object("backup", f"q{n}")["status"]["startTimestamp"] for n in range(3)]
        self.assertEqual(sorted(started), started)

    def test_expired_ones_go_with_their_restores(self):
        self.back_up("brief", ttl="3s")
        self.await_phase("backup", "brief", "Completed")
        self.make("Restore", "of-brief", {"backupName": "brief", "namespaceMapping": {"shop": "brief"}})
        wait_until("the backup to go", lambda: "brief" not in self.names("backups"))
        wait_until("its restore to go", lambda: not self.names("restores"))
        self.assertNotIn("Contents", self.s3.list_objects_v2(Bucket="holdfast", Prefix=f"clusters/{self.name}/backups/brief/"))

    def test_api_server_gone_for_a_while(self):
        self.proxy.rule = lambda *_: ("status", 503, {}, {"kind": "Status", "message": "gone"})
        wait_until("it to be noticed", lambda: self.role()[0] == "starting")
        self.back_up("later")
        self.proxy.rule = lambda *_: None
        self.await_phase("backup", "later", "Completed", 90)

    def test_watches_cut_off_and_expired(self):
        """Every watch ends at once, or its version is forgotten: what is asked for is done all the same."""
        turn = iter(range(10_000))
        expired = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
        self.proxy.rule = lambda method, path, headers: ((("status", 410, {}, expired), ("cut", 0))[next(turn) % 2] if "watch=true" in path else None)
        for n in range(3):
            self.back_up(f"w{n}")
        for n in range(3):
            self.await_phase("backup", f"w{n}", "Completed")

    def test_its_namespace_is_deleted(self):
        self.back_up("b")
        self.await_phase("backup", "b", "Completed")
        self.cluster.kubectl("delete", "namespace", self.name, "--timeout=60s")
        wait_until("the namespace to come back", lambda: self.name in self.cluster.kubectl("get", "namespaces", "-o", "name"), 60)
        self.await_role("serving")
        wait_until("the restore point's object to come back", lambda: "b" in self.names("backups"), 90)

    def test_nonsense_is_answered_and_harms_nobody(self):
        """Nothing checks these objects before they are stored: whatever is in them, each gets its verdict, and the next is served."""
        long_name = "b" * 240
        for kind, name, spec in (("Backup", "types", {"includedNamespaces": "shop", "labelSelector": [1], "ttl": 7, "hooks": "x", "orderedResources": []}),
                                 ("Backup", "selector", {"labelSelector": {"matchExpressions": [{"key": "a", "operator": "Around"}]}}),
                                 ("Backup", "ttl", {"ttl": "soon"}), ("Restore", "empty", {}), ("Restore", "both", {"backupName": "a", "scheduleName": "b"}),
                                 ("Restore", "strange", {"backupName": {"x": 1}, "namespaceMapping": "a:b"}), ("Schedule", "none", {}),
                                 ("Schedule", "number", {"schedule": 5, "template": "x"}), ("Schedule", "zone", {"schedule": "TZ=Mars/Base 0 0 * * *", "template": {}}),
                                 ("DeleteBackupRequest", "nothing", {}), ("DeleteBackupRequest", "path", {"backupName": "../../other/backups/x"}),
                                 ("DownloadRequest", "path", {"target": {"kind": "BackupLog", "name": "../../other/backups/x"}}),
                                 ("DownloadRequest", "kind", {"target": {"kind": "Everything", "name": "x"}}), ("ServerStatusRequest", "x", {"y": []}),
                                 ("BackupStorageLocation", "bare", {}), ("BackupStorageLocation", "types", {"provider": 1, "objectStorage": [], "config": "x", "credential": 5})):
            self.make(kind, name, spec)
        self.make("Backup", long_name, {"includedNamespaces": ["shop"]})
        for kind, name in (("backup", "selector"), ("backup", "ttl"), ("restore", "empty"), ("restore", "both"), ("restore", "strange"), ("schedule", "none"),
                           ("schedule", "number"), ("schedule", "zone")):
            self.await_phase(kind, name, "FailedValidation")
            self.assertTrue(all(self.object(kind, name)["status"]["validationErrors"]), (kind, name))
        for kind, name in (("deletebackuprequest", "nothing"), ("deletebackuprequest", "path"), ("downloadrequest", "path"), ("downloadrequest", "kind"), ("serverstatusrequest", "x")):
            self.await_phase(kind, name, "Processed")
        for name in ("bare", "types"):
            self.await_phase("bsl", name, "Unavailable")
            self.assertIn("provider", self.object("bsl", name)["status"]["message"])
        self.assertNotIn("downloadURL", self.object("downloadrequest", "path")["status"])
        wait_until("a verdict", lambda: self.phase("backup", "types") in ("Completed", "FailedValidation"))
        self.await_phase("backup", long_name, "Completed")
        self.make("DeleteBackupRequest", "long", {"backupName": long_name})
        wait_until("it to go", lambda: long_name not in self.names("backups"))

    def test_an_object_of_more_than_a_mebibyte(self):
        self.back_up("large", excludedNamespaces=[f"n{n:05}-{'x' * 50}" for n in range(20_000)])
        self.await_phase("backup", "large", "Completed")
        self.assertGreater(len(self.kubectl("get", "backup", "large", "-o", "json")), 1 << 20)
        body = self.s3.get_object(Bucket="holdfast", Key=f"clusters/{self.name}/backups/large/velero-backup.json")["Body"].read()
        self.assertEqual(self.object("backup", "large")["spec"], json.loads(body)["spec"])

    def test_removed_cluster_holds_nothing_back(self):
        self.back_up("b")
        self.await_phase("backup", "b", "Completed")
        self.make("Restore", "r", {"backupName": "b", "namespaceMapping": {"shop": "held"}})
        self.await_phase("restore", "r", "Completed")
        self.assertEqual(["restores.velero.io/external-resources-finalizer"], self.object("restore", "r")["metadata"]["finalizers"])
        self.daemon.cli("cluster", "remove", self.name)
        self.assertNotIn("finalizers", self.object("restore", "r")["metadata"])
        self.kubectl("delete", "restore", "r", "--timeout=60s")

    def test_permissions_of_the_printed_manifest(self):
        for variant, flags in (("full", ()), ("backup-only", ("--backup-only",))):
            with self.subTest(variant):
                name = f"rights-{variant}"
                self.cluster.kubectl("apply", "-f", "-", input=self.daemon.cli("cluster", "rbac", "--namespace", name, *flags).stdout)
                secret = lambda: json.loads(self.cluster.kubectl("-n", name, "get", "secret", "holdfast-token", "-o", "json")).get("data", {})
                wait_until("the token", lambda: "token" in secret())
                config = self.stage.directory / f"{name}.conf"
                config.write_text(json.dumps({
                    "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
                    "clusters": [{"name": "k", "cluster": {"server": self.cluster.server, "certificate-authority-data": secret()["ca.crt"]}}],
                    "users": [{"name": "u", "user": {"token": base64.b64decode(secret()["token"]).decode()}}]}))
                self.daemon.cli("cluster", "add", name, "--namespace", name, "--kubeconfig", str(config), check=variant == "full")
                self.addCleanup(lambda cluster=name: self.daemon.cli("cluster", "remove", cluster, check=False))
                self.await_role("serving", cluster=name)
                self.cluster.kubectl("-n", name, "create", "-f", "-", input=json.dumps(
                    {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": "b", "namespace": name}, "spec": {"includedNamespaces": ["shop"]}}))
                phase = lambda: self.cluster.kubectl("-n", name, "get", "backup", "b", "-o", "jsonpath={.status.phase}")
                wait_until("the backup", lambda: phase() == "Completed")


if __name__ == "__main__":
    unittest.main()

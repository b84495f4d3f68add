"""An unmodified `velero` command line against a cluster that knows Holdfast alone: what it prints, and what comes of it in
cluster and bucket."""

import gzip
import io
import json
import subprocess
import tarfile
import unittest

from botocore.exceptions import ClientError
from harness import Certificate, Stage, run, wait_until
from kube_cluster import KubeCluster


class VeleroCliTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = KubeCluster("velero-cli", 17)
        cls.addClassCleanup(cls.cluster.close)
        cls.certificate = Certificate(cls.cluster.kubeconfig.parent, cls.cluster.host, "holdfast")
        cls.stage = Stage(iscsi=False, address=cls.cluster.host, certificate=cls.certificate)
        cls.addClassCleanup(cls.stage.close)
        cls.daemon = cls.stage.daemon
        cls.s3 = cls.daemon.s3()
        cls.daemon.cli("cluster", "add", "prod", "--kubeconfig", str(cls.cluster.kubeconfig))
        wait_until("the location", lambda: cls.location("default").get("phase") == "Available")

    @classmethod
    def location(cls, name):
        return (cls.cluster.find("velero", "bsl", name) or {}).get("status", {})

    def kubectl(self, *arguments, **options):
        return self.cluster.kubectl(*arguments, **options)

    def velero(self, *arguments):
        return run(["velero", *arguments], self.cluster.environment)

    def velero_fails(self, *arguments):
        done = subprocess.run(["velero", *arguments], env=self.cluster.environment, capture_output=True, text=True)
        self.assertNotEqual(0, done.returncode, done.stdout)
        return done.stdout + done.stderr

    def object(self, kind, name):
        return json.loads(self.kubectl("-n", "velero", "get", kind, name, "-o", "json"))

    def make(self, kind, name, spec):
        self.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "velero.io/v1", "kind": kind, "metadata": {"name": name, "namespace": "velero"}, "spec": spec}))

    def names(self, kind):
        return {i["metadata"]["name"] for i in json.loads(self.kubectl("-n", "velero", "get", kind, "-o", "json"))["items"]}

    def back_up(self, name, *arguments, phase="Completed"):
        self.velero("backup", "create", name, *arguments, "--wait")
        backup = self.object("backup", name)
        self.assertEqual(phase, backup["status"]["phase"], backup["status"])
        return backup

    def restore(self, name, *arguments, phase="Completed"):
        self.velero("restore", "create", name, *arguments, "--wait")
        restore = self.object("restore", name)
        self.assertEqual(phase, restore["status"]["phase"], restore["status"])
        return restore

    def stored(self, key):
        return self.s3.get_object(Bucket="holdfast", Key="clusters/prod/" + key)["Body"].read()

    def is_stored(self, key):
        try:
            self.s3.head_object(Bucket="holdfast", Key="clusters/prod/" + key)
            return True
        except ClientError as e:
            self.assertEqual("404", e.response["Error"]["Code"])
            return False

    def archived(self, name):
        """Resource, namespace and name of what is in a backup."""
        with tarfile.open(fileobj=io.BytesIO(self.stored(f"backups/{name}/{name}.tar.gz"))) as tar:
            paths = [m.name.removeprefix("resources/").removesuffix(".json").split("/") for m in tar if m.name.startswith("resources/")]
        return {(p[0], p[2], p[3]) if p[1] == "namespaces" else (p[0], "", p[2]) for p in paths if "-preferredversion" not in p[1]}

    def town(self, name, labels="kind=town"):
        """A namespace with two config maps, one of them with a label."""
        self.kubectl("create", "namespace", name)
        for item, label in (("plain", None), ("marked", labels)):
            self.kubectl("-n", name, "create", "configmap", item, f"--from-literal=in={name}")
            if label:
                self.kubectl("-n", name, "label", "configmap", item, label)

    def maps(self, namespace):
        found = json.loads(self.kubectl("-n", namespace, "get", "configmaps", "-o", "json"))["items"]
        return {i["metadata"]["name"]: i["data"] for i in found if i["metadata"]["name"] != "kube-root-ca.crt"}

    def test_version_plugins_and_locations(self):
        said = self.velero("version")
        self.assertRegex(said, r"Server:\s+Version: v1\.18\.\d")
        self.assertNotIn("WARNING", said)
        self.assertIn("velero.io/aws", self.velero("plugin", "get"))
        self.assertIn("default", self.velero("backup-location", "get"))
        self.velero("repo", "get")
        self.velero("snapshot-location", "get")
        self.velero("snapshot-location", "create", "snaps", "--provider", "aws", "--config", "region=us-east-1")
        self.assertIn("snaps", self.velero("snapshot-location", "get"))

    def test_definitions_are_those_that_velero_would_install(self):
        ours = {i["metadata"]["name"]: i for i in json.loads(self.kubectl("get", "crd", "-o", "json"))["items"] if i["spec"]["group"] == "velero.io"}
        theirs = {}
        listed = json.loads(self.velero("install", "--crds-only", "--dry-run", "-o", "json"))
        for item in listed["items"]:
            theirs[item["metadata"]["name"]] = item
        self.assertEqual(set(theirs), set(ours))
        for name, their in theirs.items():
            our = ours[name]["spec"]
            self.assertEqual(their["spec"]["scope"], our["scope"])
            for field, value in their["spec"]["names"].items():
                self.assertEqual(value, our["names"].get(field), (name, field))
            theirs_of = {v["name"]: v for v in their["spec"]["versions"]}
            self.assertEqual(set(theirs_of), {v["name"] for v in our["versions"]}, name)
            for version in our["versions"]:
                columns = [(c["name"], c["jsonPath"], c["type"]) for c in theirs_of[version["name"]].get("additionalPrinterColumns", [])]
                self.assertEqual(columns or [("Age", ".metadata.creationTimestamp", "date")],
                                 [(c["name"], c["jsonPath"], c["type"]) for c in version.get("additionalPrinterColumns", [])] or columns or
                                 [("Age", ".metadata.creationTimestamp", "date")], name)
                self.assertNotIn("status", version.get("subresources", {}))
        self.velero("install", "--crds-only")  # over ours

    def test_a_backup_from_its_request_to_its_end(self):
        self.town("alpha")
        backup = self.back_up("alpha", "--include-namespaces", "alpha", "--ttl", "48h", "--labels", "team=a")
        self.assertEqual({"team": "a", "velero.io/storage-location": "default"}, backup["metadata"]["labels"])
        status = backup["status"]
        self.assertEqual((1, "1.1.0"), (status["version"], status["formatVersion"]))
        self.assertGreater(status["progress"]["itemsBackedUp"], 2)
        self.assertNotIn("queuePosition", status)
        self.assertEqual("48h0m0s", backup["spec"]["ttl"])
        self.assertEqual("default", backup["spec"]["storageLocation"])
        self.assertRegex(backup["metadata"]["annotations"]["velero.io/source-cluster-k8s-gitversion"], r"^v1\.")
        kept = json.loads(self.stored("backups/alpha/velero-backup.json"))
        self.assertEqual((backup["metadata"]["uid"], backup["status"]["expiration"]), (kept["metadata"]["uid"], kept["status"]["expiration"]))
        self.assertIn(("configmaps", "alpha", "plain"), self.archived("alpha"))

        self.assertIn("alpha", self.velero("backup", "get", "--selector", "team=a"))
        self.assertNotIn("alpha", self.velero("backup", "get", "--selector", "team=b"))
        self.assertEqual("alpha", json.loads(self.velero("backup", "get", "alpha", "-o", "json"))["metadata"]["name"])
        described = self.velero("backup", "describe", "alpha", "--details")
        self.assertIn("- alpha/plain", described)
        self.assertNotIn("error", described.lower().replace("errors", ""))
        self.assertIn("Backed up a total of", self.velero("backup", "logs", "alpha"))
        target = self.stage.directory / "alpha.tar.gz"
        self.velero("backup", "download", "alpha", "-o", str(target))
        self.assertEqual(self.stored("backups/alpha/alpha.tar.gz"), target.read_bytes())

    def test_what_is_chosen(self):
        self.town("chosen", "app=one")
        self.town("other", "app=two")
        everything = {n for _, _, n in self.archived(self.back_up("c-all", "--include-namespaces", "chosen,other")["metadata"]["name"])}
        self.assertLessEqual({"plain", "marked"}, everything)
        self.back_up("c-selector", "--selector", "app=one", "--include-namespaces", "chosen,other")
        self.assertEqual({("configmaps", "chosen", "marked")}, {i for i in self.archived("c-selector") if i[0] == "configmaps"})
        self.back_up("c-or", "--or-selector", "app=one or app=two", "--include-namespaces", "chosen,other")
        self.assertEqual({("configmaps", "chosen", "marked"), ("configmaps", "other", "marked")}, {i for i in self.archived("c-or") if i[0] == "configmaps"})
        self.back_up("c-cluster", "--include-namespaces", "chosen", "--include-cluster-resources=true")
        self.assertIn(("clusterroles.rbac.authorization.k8s.io", "", "admin"), self.archived("c-cluster"))
        self.back_up("c-ordered", "--include-namespaces", "chosen", "--ordered-resources", "configmaps=chosen/plain,chosen/marked")
        self.back_up("c-scoped", "--include-namespaces", "chosen", "--include-namespace-scoped-resources", "configmaps", "--include-cluster-scoped-resources", "clusterroles")
        self.assertEqual({"configmaps", "clusterroles.rbac.authorization.k8s.io", "namespaces"}, {i[0] for i in self.archived("c-scoped")})

    def test_contradictions_are_named(self):
        self.make("Backup", "both", {"includedResources": ["pods"], "includedNamespaceScopedResources": ["pods"]})
        wait_until("its end", lambda: self.object("backup", "both").get("status", {}).get("phase") == "FailedValidation")
        self.assertIn("cannot be used together", " ".join(self.object("backup", "both")["status"]["validationErrors"]))
        self.make("Backup", "nowhere", {"storageLocation": "missing"})
        wait_until("its end", lambda: self.object("backup", "nowhere").get("status", {}).get("phase") == "FailedValidation")
        self.assertIn('"missing" does not exist', " ".join(self.object("backup", "nowhere")["status"]["validationErrors"]))
        self.make("Restore", "of-nothing", {"backupName": "no-such"})
        wait_until("its end", lambda: self.object("restore", "of-nothing").get("status", {}).get("phase") == "FailedValidation")
        self.assertIn("can't find backup velero/no-such", self.object("restore", "of-nothing")["status"]["validationErrors"][0])
        # A name that is in the bucket already.
        self.town("twice")
        self.back_up("twice", "--include-namespaces", "twice")
        first = self.stored("backups/twice/velero-backup.json")
        document = self.object("backup", "twice")
        self.kubectl("-n", "velero", "delete", "backup", "twice")
        self.make("Backup", "twice", document["spec"])
        wait_until("its end", lambda: self.object("backup", "twice").get("status", {}).get("phase") in ("Failed", "Completed"))
        self.assertIn("already exists in object storage", self.object("backup", "twice")["status"]["failureReason"])
        self.assertEqual(first, self.stored("backups/twice/velero-backup.json"))

    def test_only_a_request_deletes_a_restore_point(self):
        self.town("kept")
        self.back_up("kept", "--include-namespaces", "kept")
        self.restore("kept-again", "--from-backup", "kept", "--namespace-mappings", "kept:kept-again")
        uid = self.object("backup", "kept")["metadata"]["uid"]
        self.kubectl("-n", "velero", "delete", "backup", "kept")
        self.assertTrue(self.is_stored("backups/kept/velero-backup.json"))
        self.kubectl("-n", "velero", "patch", "bsl", "default", "--type=merge", "-p", '{"spec":{"backupSyncPeriod":"1s"}}')
        wait_until("the sync to bring it back", lambda: "kept" in self.names("backups"), 90)
        self.assertNotEqual(uid, self.object("backup", "kept")["metadata"]["uid"])
        self.assertEqual("Completed", self.object("backup", "kept")["status"]["phase"])

        self.velero("backup", "delete", "kept", "--confirm")
        wait_until("the backup to go", lambda: "kept" not in self.names("backups"))
        wait_until("its restore to go", lambda: "kept-again" not in self.names("restores"))
        self.assertFalse(self.is_stored("backups/kept/velero-backup.json"))
        self.assertFalse(self.is_stored("backups/kept/kept.tar.gz"))
        wait_until("the restore's records to go", lambda: not self.is_stored("restores/kept-again/restore-kept-again-logs.gz"))
        wait_until("the request to go", lambda: not [n for n in self.names("deletebackuprequests") if n.startswith("kept")])
        # A restore point that goes from the bucket takes its object along.
        self.back_up("vanishing", "--include-namespaces", "kept")
        self.daemon.cli("backup", "delete", "vanishing", "--cluster", "prod")
        wait_until("the orphan to go", lambda: "vanishing" not in self.names("backups"), 90)

    def test_restores(self):
        self.town("home", "app=one")
        self.town("away", "app=two")
        self.kubectl("-n", "home", "create", "service", "nodeport", "door", "--tcp=80", "--node-port=31234")
        self.back_up("homes", "--include-namespaces", "home,away", "--include-cluster-resources=true")
        originals = self.maps("home"), self.maps("away")
        for namespace in ("home", "away"):
            self.kubectl("delete", "namespace", namespace)
        self.restore("h-include", "--from-backup", "homes", "--include-namespaces", "home", "--preserve-nodeports")
        self.assertEqual(originals[0], self.maps("home"))
        self.assertEqual("31234", self.kubectl("-n", "home", "get", "service", "door", "-o", "jsonpath={.spec.ports[0].nodePort}"))
        self.restore("h-exclude", "--from-backup", "homes", "--exclude-namespaces", "home")
        self.assertEqual(originals[1], self.maps("away"))
        self.restore("h-mapped", "--from-backup", "homes", "--include-namespaces", "home", "--namespace-mappings", "home:new-home", "--restore-volumes=false",
                     "--exclude-resources", "services", "--include-cluster-resources=false")
        self.assertEqual(originals[0], self.maps("new-home"))
        described = self.velero("restore", "describe", "h-mapped", "--details")
        self.assertIn("new-home/plain(created)", described)
        self.assertIn("home=new-home", described.replace(":", "=").replace(" ", ""))
        self.assertIn("configmaps new-home/plain: created", self.velero("restore", "logs", "h-mapped"))

        self.kubectl("-n", "home", "patch", "configmap", "plain", "--type=merge", "-p", '{"data":{"in":"changed"}}')
        skipped = self.restore("h-none", "--from-backup", "homes", "--include-namespaces", "home")
        self.assertEqual("changed", self.maps("home")["plain"]["in"])
        self.assertGreater(skipped["status"]["warnings"], 0)
        self.restore("h-update", "--from-backup", "homes", "--include-namespaces", "home", "--existing-resource-policy", "update")
        self.assertEqual("home", self.maps("home")["plain"]["in"])

        rules = {"version": "v1", "resourceModifierRules": [{"conditions": {"groupResource": "configmaps", "resourceNameRegex": "^plain$"},
                                                            "patches": [{"operation": "replace", "path": "/data/in", "value": "modified"}]}]}
        self.kubectl("-n", "velero", "create", "configmap", "rules", f"--from-literal=rules.yaml={json.dumps(rules)}")
        self.restore("h-modified", "--from-backup", "homes", "--include-namespaces", "away", "--namespace-mappings", "away:modified", "--resource-modifier-configmap", "rules")
        self.assertEqual({"plain": {"in": "modified"}, "marked": {"in": "away"}}, self.maps("modified"))
        results = json.loads(gzip.decompress(self.stored("restores/h-modified/restore-h-modified-results.gz")))
        self.assertEqual({}, results["errors"])
        restore = self.object("restore", "h-modified")
        self.assertEqual(["restores.velero.io/external-resources-finalizer"], restore["metadata"]["finalizers"])
        self.velero("restore", "delete", "h-modified", "--confirm")
        wait_until("the restore to go", lambda: "h-modified" not in self.names("restores"))
        self.assertFalse(self.is_stored("restores/h-modified/restore-h-modified-logs.gz"))
        self.assertEqual("modified", self.maps("modified")["plain"]["in"])  # what it brought stays

    def test_schedules(self):
        self.town("timed")
        self.velero("schedule", "create", "often", "--schedule", "@every 2s", "--include-namespaces", "timed", "--labels", "from=schedule", "--use-owner-references-in-backup")
        made = lambda: sorted(n for n in self.names("backups") if n.startswith("often-"))
        wait_until("a backup of the schedule", lambda: made() and self.object("backup", made()[0]).get("status", {}).get("phase") == "Completed")
        self.assertIn("often", self.velero("schedule", "get"))
        self.velero("schedule", "pause", "often")
        self.assertTrue(self.object("schedule", "often")["spec"]["paused"])
        wait_until("running ones to end", lambda: all(self.object("backup", n).get("status", {}).get("phase") == "Completed" for n in made()))
        backup = self.object("backup", made()[0])
        self.assertRegex(backup["metadata"]["name"], r"^often-\d{14}$")
        self.assertEqual(("often", "schedule"), (backup["metadata"]["labels"]["velero.io/schedule-name"], backup["metadata"]["labels"]["from"]))
        self.assertEqual("Schedule", backup["metadata"]["ownerReferences"][0]["kind"])
        self.assertIn("lastBackup", self.object("schedule", "often")["status"])
        self.assertRegex(self.daemon.cli("policy", "get").stdout, r"often +\(Schedule\) +prod +@every 2s +paused +Completed +20\S+Z")
        self.assertIn('velero_backup_last_status{schedule="often",cluster="prod"} 1\n', self.daemon.metrics())
        before = made()
        self.velero("backup", "create", "by-hand", "--from-schedule", "often", "--wait")
        self.assertIn(("configmaps", "timed", "plain"), self.archived("by-hand"))
        self.assertEqual(before, made())  # none while it is paused
        self.velero("schedule", "unpause", "often")
        wait_until("another backup", lambda: len(made()) > len(before))
        self.velero("schedule", "pause", "often")
        wait_until("running ones to end", lambda: all(self.object("backup", n).get("status", {}).get("phase") == "Completed" for n in made()))
        latest = max([*made(), "by-hand"], key=lambda n: self.object("backup", n)["status"]["startTimestamp"])
        self.kubectl("delete", "namespace", "timed")
        self.velero("restore", "create", "from-often", "--from-schedule", "often", "--wait")
        restore = self.object("restore", "from-often")
        self.assertEqual(("Completed", latest), (restore["status"]["phase"], restore["spec"]["backupName"]))
        self.assertEqual({"plain", "marked"}, set(self.maps("timed")))
        self.velero("schedule", "delete", "often", "--confirm")
        self.assertNotIn("often", self.names("schedules"))
        self.make("Schedule", "wrong", {"schedule": "61 * * * *", "template": {}})
        wait_until("the verdict", lambda: self.object("schedule", "wrong").get("status", {}).get("phase") == "FailedValidation")
        self.assertIn('"61" is no minute', self.object("schedule", "wrong")["status"]["validationErrors"][0])
        wait_until("the alarm", lambda: 'cluster "prod", Schedule "wrong": invalid schedule: "61" is no minute' in self.daemon.cli("status", check=False).stderr)

    def test_further_locations(self):
        made = json.loads(self.daemon.cli("--output", "json", "user", "create", "--role", "read-write", "--scope", "holdfast/archive/").stdout)
        credentials = self.stage.directory / "archive-credentials"
        credentials.write_text(f"[default]\naws_access_key_id={made['access_key']}\naws_secret_access_key={made['secret_key']}\n")
        self.kubectl("-n", "velero", "create", "secret", "generic", "archive", f"--from-file=cloud={credentials}")
        url = f"region=us-east-1,s3ForcePathStyle=true,s3Url={self.daemon.endpoint}"
        common = ("--provider", "aws", "--bucket", "holdfast", "--prefix", "archive", "--config", url)
        self.velero("backup-location", "create", "archive", *common, "--cacert", str(self.certificate.certificate), "--credential", "archive=cloud")
        wait_until("it to be available", lambda: self.location("archive").get("phase") == "Available")
        self.town("filed")
        self.back_up("filed", "--include-namespaces", "filed", "--storage-location", "archive")
        self.assertIn("Contents", self.s3.list_objects_v2(Bucket="holdfast", Prefix="archive/backups/filed/velero-backup.json"))
        self.assertIn("Backed up a total of", self.velero("backup", "logs", "filed"))

        # Another's place without its key, a wrong key, and another server.
        self.velero("backup-location", "create", "stolen", *common)
        wait_until("the verdict", lambda: self.location("stolen").get("phase") == "Unavailable")
        self.assertIn("names no credential", self.location("stolen")["message"])
        self.velero("backup-location", "create", "far", "--provider", "aws", "--bucket", "b", "--config", "region=us-east-1,s3Url=https://elsewhere.example")
        wait_until("the verdict", lambda: self.location("far").get("phase") == "Unavailable")
        self.assertIn("is neither this appliance", self.location("far")["message"])
        self.back_up("to-far", "--storage-location", "far", phase="FailedValidation")

        self.velero("backup-location", "set", "default", "--default=false")
        self.velero("backup-location", "set", "archive", "--default", "--cacert", str(self.certificate.certificate))
        wait_until("the default", lambda: self.object("bsl", "archive")["spec"].get("default"))
        self.assertEqual("archive", self.back_up("to-default", "--include-namespaces", "filed")["spec"]["storageLocation"])
        self.kubectl("-n", "velero", "patch", "bsl", "archive", "--type=merge", "-p", '{"spec":{"accessMode":"ReadOnly"}}')
        self.back_up("too-late", "--storage-location", "archive", phase="FailedValidation")
        self.velero("backup", "delete", "filed", "--confirm")
        refused = lambda: [i["status"]["errors"] for i in json.loads(self.kubectl("-n", "velero", "get", "deletebackuprequests", "-o", "json"))["items"]
                           if i["spec"]["backupName"] == "filed" and i.get("status", {}).get("phase") == "Processed"]
        wait_until("the refusal", refused)
        self.assertIn("read-only mode", refused()[0][0])
        self.kubectl("-n", "velero", "patch", "bsl", "archive", "--type=merge", "-p", '{"spec":{"accessMode":"ReadWrite","default":false}}')
        self.velero("backup-location", "set", "default", "--default")
        self.velero("backup-location", "delete", "far", "--confirm")
        self.assertNotIn("far", self.names("backupstoragelocations"))

    def test_downloads_are_answered_whatever_is_asked_for(self):
        for kind in ("BackupLog", "BackupContents", "BackupVolumeSnapshots", "BackupItemOperations", "BackupResourceList", "BackupResults", "RestoreLog",
                     "RestoreResults", "RestoreResourceList", "RestoreItemOperations", "CSIBackupVolumeSnapshots", "CSIBackupVolumeSnapshotContents",
                     "BackupVolumeInfos", "RestoreVolumeInfo"):
            name = f"ask-{kind.lower()}"
            self.make("DownloadRequest", name, {"target": {"kind": kind, "name": "nobody"}})
            wait_until("the answer", lambda: self.object("downloadrequest", name).get("status", {}).get("phase") == "Processed")
            url = self.object("downloadrequest", name)["status"]["downloadURL"]
            answer = run(["curl", "-s", "--cacert", str(self.certificate.certificate), "-o", "/dev/null", "-w", "%{http_code}", url])
            self.assertEqual("404", answer, kind)


if __name__ == "__main__":
    unittest.main()

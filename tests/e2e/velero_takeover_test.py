"""Real Velero is installed in a cluster that Holdfast serves: Holdfast steps back, works through it, and serves again when it is gone."""

import json
import unittest

from harness import Certificate, Stage, run, wait_until
from kube_cluster import KUBE, KubeCluster, script


class VeleroTakeoverTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = KubeCluster("takeover-e2e", 23, "node")
        cls.addClassCleanup(cls.cluster.close)
        script("csi-up.sh", cls.cluster.name)
        cls.certificate = Certificate(cls.cluster.kubeconfig.parent, cls.cluster.host, "holdfast")
        cls.stage = Stage(iscsi=False, address=cls.cluster.host, certificate=cls.certificate)
        cls.addClassCleanup(cls.stage.close)
        cls.daemon = cls.stage.daemon
        cls.daemon.cli("cluster", "add", "prod", "--kubeconfig", str(cls.cluster.kubeconfig))
        cls.daemon.await_role("serving", "prod")
        cls.cluster.kubectl("apply", "-f", str(KUBE / "manifests" / "csi-demo.yaml"))
        cls.cluster.kubectl("-n", "csid", "wait", "--for=condition=Ready", "pod/writer", "--timeout=120s")
        wait_until("the volume's data", lambda: "/d/f" in cls.cluster.kubectl("-n", "csid", "exec", "writer", "--", "sh", "-c", "ls /d/f || true"), 60)

    def kubectl(self, *arguments, **options):
        return self.cluster.kubectl(*arguments, **options)

    def backup(self, name):
        return json.loads(self.kubectl("-n", "velero", "get", "backup", name, "-o", "json"))

    def make_backup(self, name, **spec):
        self.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": name, "namespace": "velero"},
                                                           "spec": {"includedNamespaces": ["csid"], "snapshotVolumes": False, **spec}}))

    def end_of(self, name):
        wait_until(f"the end of {name}", lambda: "completionTimestamp" in self.backup(name).get("status", {}), 120)
        backup = self.backup(name)
        self.assertEqual("Completed", backup["status"]["phase"], backup["status"])
        return "holdfast.io/server" in backup["metadata"].get("annotations", {})

    def test_velero_is_installed_and_goes_again(self):
        self.make_backup("ours")
        self.assertTrue(self.end_of("ours"))
        hook = {"name": "long", "pre": [{"exec": {"command": ["sleep", "100"], "timeout": "100s"}}]}
        self.make_backup("halfway", hooks={"resources": [hook]})
        wait_until("the backup to run", lambda: self.backup("halfway").get("status", {}).get("phase") == "InProgress")

        # Velero finds the location that Holdfast has made, with key and authority, and works with it.
        script("velero-in.sh", self.cluster.name, S3=self.daemon.endpoint, CACERT=str(self.certificate.certificate), BUCKET="unused")
        self.daemon.await_role("observing", "prod")
        wait_until("Velero to end what it did not begin", lambda: self.backup("halfway")["status"]["phase"] == "Failed", 60)
        self.assertIn("during the server starting", self.backup("halfway")["status"]["failureReason"])
        self.make_backup("theirs")
        self.assertFalse(self.end_of("theirs"))
        spec = self.cluster.kubeconfig.parent / "through.json"
        spec.write_text(json.dumps({"includedNamespaces": ["csid"], "defaultVolumesToFsBackup": True, "snapshotVolumes": False}))
        done = self.daemon.cli("--output", "json", "backup", "create", "through", "--by-velero", "--spec", str(spec), "--wait", check=False)
        self.assertEqual("Completed", json.loads(done.stdout)["phase"], done.stdout + done.stderr)
        saved = json.loads(self.kubectl("-n", "velero", "get", "podvolumebackups", "-o", "json"))["items"]
        self.assertEqual([("through", "Completed")], [(v["metadata"]["labels"]["velero.io/backup-name"], v["status"]["phase"]) for v in saved])
        run(["velero", "restore", "create", "from-ours", "--from-backup", "ours", "--namespace-mappings", "csid:again", "--wait"], self.cluster.environment)
        self.assertEqual("Completed", self.kubectl("-n", "velero", "get", "restore", "from-ours", "-o", "jsonpath={.status.phase}"))
        self.assertLessEqual({"ours", "theirs", "through"}, {b["name"] for b in json.loads(self.daemon.cli("--output", "json", "backup", "list").stdout)["backups"]})

        self.kubectl("-n", "velero", "scale", "deployment", "velero", "--replicas=0")
        self.daemon.await_role("serving", "prod")
        self.make_backup("again")
        self.assertTrue(self.end_of("again"))
        self.assertEqual(0, self.daemon.cli("status", check=False).returncode)  # what Velero made in its time is no alarm


if __name__ == "__main__":
    unittest.main(verbosity=2)

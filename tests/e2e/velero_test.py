"""Real Velero in a real cluster, with its AWS plugin and kopia, on a real iSCSI LUN over TLS: backup, loss, restore."""

import json
import unittest

from harness import Certificate, Stage, run, wait_until
from kube_cluster import KUBE, KubeCluster, script

DIGESTS = "cd /d && find . -type f -not -path './.velero/*' | sort | xargs md5sum"  # Velero leaves a mark of its own


class VeleroTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = KubeCluster("velero-e2e", 7, "node")
        cls.addClassCleanup(cls.cluster.close)
        cls.environment = cls.cluster.environment
        script("csi-up.sh", cls.cluster.name)
        cls.certificate_directory = cls.cluster.kubeconfig.parent
        certificate = Certificate(cls.certificate_directory, cls.cluster.host, "holdfast")
        cls.stage = Stage(iscsi=True, address=cls.cluster.host, certificate=certificate)
        cls.addClassCleanup(cls.stage.close)
        cls.daemon = cls.stage.daemon
        cls.daemon.cli("bucket", "create", "velero")
        made = json.loads(cls.daemon.cli("--output", "json", "user", "create", "--role", "read-write", "--scope", "velero").stdout)
        script("velero-in.sh", cls.cluster.name, S3=cls.daemon.endpoint, CACERT=str(certificate.certificate), BUCKET="velero",
               AK=made["access_key"], SK=made["secret_key"])

    def kubectl(self, *arguments):
        return self.cluster.kubectl(*arguments)

    def velero(self, *arguments):
        return run(["velero", *arguments], self.environment)

    def digests(self, namespace):
        return self.kubectl("-n", namespace, "exec", "writer", "--", "sh", "-c", DIGESTS)

    def phase(self, kind, name):
        return self.kubectl("-n", "velero", "get", kind, name, "-o", "jsonpath={.status.phase}")

    def back_up(self, name):
        self.velero("backup", "create", name, "--include-namespaces", "csid", "--default-volumes-to-fs-backup",
                    "--snapshot-volumes=false", "--wait")
        self.assertEqual("Completed", self.phase("backup", name), self.velero("backup", "logs", name)[-3000:])

    def test_backup_and_restore(self):
        self.kubectl("apply", "-f", str(KUBE / "manifests" / "csi-demo.yaml"))
        self.kubectl("-n", "csid", "wait", "--for=condition=Ready", "pod/writer", "--timeout=120s")
        wait_until("the volume's data", lambda: "/f" in self.digests("csid"), 60)  # written last
        before = self.digests("csid")
        self.back_up("first")
        self.kubectl("-n", "csid", "exec", "writer", "--", "sh", "-c", "echo two > /d/f")
        changed = self.digests("csid")
        self.assertNotEqual(before, changed)
        self.back_up("second")

        # The namespace is lost, and so is the storage host's index.
        self.kubectl("delete", "namespace", "csid", "--wait=true")
        self.daemon.kill()
        self.daemon.drop_index()
        self.daemon.start()
        for backup, namespace, expected in (("first", "csid", before), ("second", "elsewhere", changed)):
            self.velero("restore", "create", f"from-{backup}", "--from-backup", backup, "--namespace-mappings", f"csid:{namespace}", "--wait")
            self.assertEqual("Completed", self.phase("restore", f"from-{backup}"), self.velero("restore", "logs", f"from-{backup}")[-3000:])
            self.kubectl("-n", namespace, "wait", "--for=condition=Ready", "pod/writer", "--timeout=120s")
            self.assertEqual(expected, self.digests(namespace))
        self.assertIn("0 damaged", self.daemon.cli("pool", "scrub").stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)

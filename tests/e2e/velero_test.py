"""Real Velero in a real cluster, with its AWS plugin and kopia, on a real iSCSI LUN over TLS: backup, loss, restore."""

import json
import os
import pathlib
import subprocess
import unittest

from harness import Certificate, Stage, run, wait_until

KUBE = pathlib.Path(__file__).parent / "kube"
CLUSTER, INDEX = "velero-e2e", 7
HOST = f"172.31.{INDEX}.1"
DIGESTS = "cd /d && find . -type f -not -path './.velero/*' | sort | xargs md5sum"  # Velero leaves a mark of its own


def script(name, *arguments, **environment):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    return run([KUBE / name, *arguments], dict(inherited, **environment))


class VeleroTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise RuntimeError("a cluster in namespaces of its own needs root")
        cls.addClassCleanup(lambda: subprocess.run([KUBE / "down.sh", CLUSTER], capture_output=True))
        script("build.sh")
        script("mkimages.sh")
        exported = script("up.sh", CLUSTER, str(INDEX), "node").splitlines()[-1]
        values = dict(word.split("=", 1) for word in exported.split()[1:])
        cls.environment = dict(os.environ, KUBECONFIG=values["KUBECONFIG"], PATH=values["PATH"].replace("$PATH", os.environ["PATH"]))
        script("csi-up.sh", CLUSTER)
        cls.certificate_directory = pathlib.Path(values["KUBECONFIG"]).parent
        certificate = Certificate(cls.certificate_directory, HOST, "holdfast")
        cls.stage = Stage(iscsi=True, address=HOST, certificate=certificate)
        cls.addClassCleanup(cls.stage.close)
        cls.daemon = cls.stage.daemon
        cls.daemon.cli("bucket", "create", "velero")
        made = json.loads(cls.daemon.cli("--output", "json", "user", "create", "--role", "read-write", "--scope", "velero").stdout)
        script("velero-in.sh", CLUSTER, S3=cls.daemon.endpoint, CACERT=str(certificate.certificate), BUCKET="velero",
               AK=made["access_key"], SK=made["secret_key"])

    def kubectl(self, *arguments):
        return run(["kubectl", *arguments], self.environment)

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

"""The data of volumes goes along: real Velero with its node agent saves it with kopia, a policy copies it to another site while kopia's
maintenance runs, and there the newest and the oldest copy are restored by Velero into a blank cluster."""

import json
import os
import subprocess
import unittest

from harness import Certificate, Stage, wait_until
from kube_cluster import KubeCluster, script
from velero_parts import Velero, await_writer, digests, found_writer, in_writer

POLICY = {"name": "volumes", "cluster": "prod", "backup": {"includedNamespaces": ["csid"], "defaultVolumesToFsBackup": True, "snapshotVolumes": False},
          "tiers": [{"name": "often", "schedule": "0 0 1 1 *", "retention": {"last": 1}, "copies": [{"site": "dr", "mode": "all", "retention": {"last": 9}}]}]}
REPOSITORY = "clusters/prod/kopia/csid/"


class VolumesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster, cls.velero, cls.stage = cls.site("volumes-e2e", 30)
        cls.blank, cls.velero_there, cls.there = cls.site("volumes-blank", 31)
        cls.daemon = cls.stage.daemon
        cls.daemon.cli("cluster", "add", "prod", "--kubeconfig", str(cls.cluster.kubeconfig))
        cls.velero.add_location("outside", cls.daemon, cls.stage.certificate, "holdfast", "clusters/prod")
        cls.there.daemon.cli("bucket", "create", "far")
        secret = cls.stage.directory / "secret"
        secret.write_text(cls.there.daemon.secret_key + "\n")
        cls.daemon.cli("site", "add", "dr", "--endpoint", cls.there.daemon.endpoint, "--bucket", "far", "--access-key", cls.there.daemon.access_key, "--secret-file", str(secret),
                       "--ca-file", str(cls.there.certificate.certificate))
        found_writer(cls.cluster)
        policy = cls.stage.directory / "policy.json"
        policy.write_text(json.dumps(POLICY))
        cls.daemon.cli("policy", "apply", str(policy))

    @classmethod
    def site(cls, name, index):
        cluster = KubeCluster(name, index, "node")
        cls.addClassCleanup(cluster.close)
        script("csi-up.sh", cluster.name)
        certificate = Certificate(cluster.kubeconfig.parent, cluster.host, "holdfast")
        stage = Stage(iscsi=False, address=cluster.host, certificate=certificate)
        stage.certificate = certificate
        cls.addClassCleanup(stage.close)
        return cluster, Velero(cluster, stage.daemon, certificate), stage

    def copies(self):
        return [u["backup"] for u in self.daemon.ask("/v1/sites/dr/copies")["units"]]

    def transfers(self):
        return self.daemon.ask("/v1/sites/dr/transfers")["copies"]

    def run_policy(self):
        """Gives the backup that it made."""
        runs = lambda: self.daemon.ask("/v1/policies/volumes")["tiers"][0]["runs"]
        before = len(runs())
        self.daemon.cli("policy", "run", "volumes")
        wait_until("the run's end", lambda: len(runs()) > before and runs()[-1]["state"] not in ("waiting", "running"), 240, said=runs)
        self.assertEqual("completed", runs()[-1]["state"], runs()[-1])
        return runs()[-1]["backup"]

    def blobs(self):
        pages = self.daemon.s3().get_paginator("list_objects_v2").paginate(Bucket="holdfast", Prefix=REPOSITORY)
        return {o["Key"][len(REPOSITORY):] for page in pages for o in page.get("Contents", [])}

    def maintain(self):
        """kopia's maintenance, at once; gives what it removed."""
        before = self.blobs()
        program = self.cluster.kubeconfig.parents[3] / "bin" / "kopia-maintain"
        environment = dict(os.environ, AWS_ACCESS_KEY_ID=self.daemon.access_key, AWS_SECRET_ACCESS_KEY=self.daemon.secret_key)
        done = subprocess.run([program, f"{self.daemon.address}:{self.daemon.port}", "holdfast", REPOSITORY, str(self.stage.certificate.certificate), "static-passw0rd"],
                              env=environment, capture_output=True, text=True)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        return before - self.blobs()

    def restore_there(self, location, prefix, backup, namespace):
        """By Velero, from what it may read and not write; gives what is in the volume then."""
        self.velero_there.add_location(location, self.there.daemon, self.there.certificate, "far", prefix, role="append-only", arguments=("--access-mode", "ReadOnly"))
        wait_until("Velero to find the backup", lambda: backup in self.velero_there.names("backups"), 120)
        self.velero_there("restore", "create", namespace, "--from-backup", backup, "--namespace-mappings", f"csid:{namespace}", "--wait")
        self.assertEqual("Completed", self.velero_there.phase("restore", namespace), self.velero_there("restore", "describe", namespace, "--details"))
        await_writer(self.blank, namespace)
        return digests(self.blank, namespace)

    def test_copies_while_kopia_maintains_and_restores_of_the_newest_and_the_oldest(self):
        contents = {}
        oldest = self.run_policy()
        contents[oldest] = digests(self.cluster, "csid")
        wait_until("the first copy", lambda: oldest in self.copies(), 120, said=self.transfers)

        # The second: other data, over a slow link, while what only the first one needed is removed here.
        in_writer(self.cluster, "csid", "dd if=/dev/urandom of=/d/blob bs=1M count=40; echo two > /d/f")
        self.daemon.cli("site", "set", "dr", "--bandwidth", "1M")
        second = self.run_policy()
        contents[second] = digests(self.cluster, "csid")
        wait_until("the first one to be deleted here", lambda: oldest not in self.velero.names("backups"), 120)
        wait_until("kopia's snapshot of it to be gone", lambda: not [r for r in self.velero.names("deletebackuprequests")], 60)
        wait_until("the copy to run", lambda: [c["state"] for c in self.transfers()] == ["copying"], said=self.transfers)
        removed = self.maintain() | self.maintain()
        self.assertEqual(["copying"], [c["state"] for c in self.transfers()], "it ended before kopia's maintenance did")
        self.assertTrue([b for b in removed if b.startswith("p")], f"no pack was removed: {removed}")
        self.daemon.cli("site", "set", "dr", "--bandwidth", "none")
        wait_until("the second copy", lambda: second in self.copies(), 180, said=self.transfers)
        self.assertIn("repository kopia/csid of cluster prod changed while it was copied", self.daemon.log())

        in_writer(self.cluster, "csid", "echo three > /d/f; echo more > /d/g")
        newest = self.run_policy()
        contents[newest] = digests(self.cluster, "csid")
        wait_until("the third copy", lambda: newest in self.copies(), 180, said=self.transfers)
        self.maintain()
        self.assertEqual(3, len(set(contents.values())))
        for backup in (oldest, second, newest):
            whole = json.loads(self.daemon.cli("--output", "json", "copies", "verify", backup, "--site", "dr").stdout)
            self.assertEqual("whole", whole["state"], whole)

        # The first site is gone for all that follows from here on, but for the laying out: any appliance could do it.
        self.assertEqual(contents[newest], self.restore_there("newest", "clusters/prod", newest, "newest"))
        said = self.daemon.cli("copies", "lay-out", oldest, "--site", "dr").stdout
        self.assertIn(f"laid-out/prod/{oldest}", said)
        self.assertIn(f"{oldest}: laid out under laid-out/prod/{oldest}/", self.daemon.cli("copies", "list", "--site", "dr").stdout)
        # A cluster knows a backup by its name alone: the location that has it with the indexes of the newest one goes first.
        self.velero_there("backup-location", "delete", "newest", "--confirm")
        wait_until("Velero to forget its backups", lambda: oldest not in self.velero_there.names("backups"), 120)
        self.assertEqual(contents[oldest], self.restore_there("oldest", f"laid-out/prod/{oldest}", oldest, "oldest"))
        self.daemon.cli("copies", "lay-out", oldest, "--site", "dr", "--remove")
        left = self.there.daemon.s3().list_objects_v2(Bucket="far", Prefix="laid-out/")
        self.assertEqual([], [o["Key"] for o in left.get("Contents", [])])


if __name__ == "__main__":
    unittest.main(verbosity=2)

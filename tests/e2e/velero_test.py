"""Real Velero in a real cluster, with its AWS plugin and kopia, on a real iSCSI LUN over TLS: backup, loss, restore."""

import json
import subprocess
import unittest

from harness import Certificate, Stage, wait_until
from kube_cluster import KUBE, KubeCluster, script
from velero_parts import Velero, await_writer, digests, found_writer


class VeleroTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = KubeCluster("velero-e2e", 7, "node")
        cls.addClassCleanup(cls.cluster.close)
        script("csi-up.sh", cls.cluster.name)
        certificate = Certificate(cls.cluster.kubeconfig.parent, cls.cluster.host, "holdfast")
        cls.stage = Stage(iscsi=True, address=cls.cluster.host, certificate=certificate)
        cls.addClassCleanup(cls.stage.close)
        cls.daemon = cls.stage.daemon
        cls.found_town()  # before Velero starts: it looks only every five minutes which kinds there are
        cls.velero = Velero(cls.cluster, cls.daemon, certificate)
        # Velero sees the restore points that Holdfast keeps of this cluster, and may add to them.
        cls.daemon.cli("cluster", "add", "prod", "--kubeconfig", str(cls.cluster.kubeconfig))
        cls.velero.add_location("outside", cls.daemon, certificate, "holdfast", "clusters/prod")

    def kubectl(self, *arguments):
        return self.cluster.kubectl(*arguments)

    def digests(self, namespace):
        return digests(self.cluster, namespace)

    def phase(self, kind, name):
        return self.velero.phase(kind, name)

    def back_up(self, name):
        self.velero("backup", "create", name, "--include-namespaces", "csid", "--default-volumes-to-fs-backup",
                    "--snapshot-volumes=false", "--wait")
        self.assertEqual("Completed", self.phase("backup", name), self.velero("backup", "logs", name)[-3000:])

    def test_backup_and_restore(self):
        found_writer(self.cluster)
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
            await_writer(self.cluster, namespace)
            self.assertEqual(expected, self.digests(namespace))
        self.assertIn("0 damaged", self.daemon.cli("pool", "scrub").stdout)

    def essence(self):
        """What must come back: objects without the fields that the server sets anew."""
        out = {}
        for resource, fields in (("configmaps", ("data", "binaryData")), ("secrets", ("data", "type")), ("lamps.town.example", ("spec",)),
                                 ("deployments", ("spec",)), ("persistentvolumeclaims", ("spec",)), ("serviceaccounts", ())):
            for item in self.cluster.objects("-n", "town", resource):
                metadata = item["metadata"]
                if metadata["name"] == "scratch":  # left out by its label
                    continue
                out[resource, metadata["name"]] = [item.get(f) for f in fields] + [
                    {k: v for k, v in metadata.get("labels", {}).items() if not k.startswith("velero.io/")}]
        for resource, name, field in (("clusterrole", "town-clerk", "rules"), ("clusterrolebinding", "town-clerk", "subjects"), ("priorityclass", "urgent", "value"),
                                      ("crd", "lamps.town.example", "spec"), ("namespace", "town", "kind")):
            out[resource, name] = json.loads(self.kubectl("get", resource, name, "-o", "json"))[field]
        return out

    @classmethod
    def found_town(cls):
        manifest = str(KUBE / "manifests" / "town.yaml")
        subprocess.run(["kubectl", "apply", "-f", manifest], env=cls.cluster.environment, capture_output=True)  # the definition comes first
        wait_until("the definition", lambda: "lamps" in cls.cluster.kubectl("api-resources", "--api-group=town.example"))
        cls.cluster.kubectl("apply", "-f", manifest)
        cls.cluster.kubectl("-n", "town", "wait", "--for=condition=Ready", "pod/guard", "--timeout=120s")

    def lose_town(self):
        self.kubectl("delete", "namespace", "town", "--wait=true")
        self.kubectl("delete", "crd/lamps.town.example", "clusterrole/town-clerk", "clusterrolebinding/town-clerk", "pv/cellar", "priorityclass/urgent")

    def test_holdfast_restores_what_velero_backed_up(self):
        self.found_town()
        before = self.essence()
        self.velero("backup", "create", "by-velero", "--include-namespaces", "town", "--include-cluster-resources=true", "--snapshot-volumes=false",
                    "--storage-location", "outside", "--wait")
        self.assertEqual("Completed", self.phase("backup", "by-velero"), self.velero("backup", "logs", "by-velero")[-3000:])
        self.assertEqual("whole", json.loads(self.daemon.cli("--output", "json", "verify", "run", "by-velero", "--level", "read").stdout)["state"])
        self.lose_town()
        self.daemon.cli("restore", "create", "by-holdfast", "--backup", "by-velero", "--include-namespaces", "town", "--include-cluster-resources=true", "--wait")
        self.kubectl("-n", "town", "wait", "--for=condition=Ready", "pod/guard", "--timeout=120s")
        self.assertEqual(before, self.essence())
        self.assertNotIn("restore-wait", self.kubectl("-n", "town", "get", "pods", "-o", "yaml"))

    def test_volume_data_that_velero_saved_is_not_forgotten(self):
        found_writer(self.cluster)
        self.velero("backup", "create", "with-data", "--include-namespaces", "csid", "--default-volumes-to-fs-backup", "--snapshot-volumes=false",
                    "--storage-location", "outside", "--wait")
        self.assertEqual("Completed", self.phase("backup", "with-data"), self.velero("backup", "logs", "with-data")[-3000:])
        self.assertEqual("whole", json.loads(self.daemon.cli("--output", "json", "verify", "run", "with-data", "--level", "read").stdout)["state"])
        tried = json.loads(self.daemon.cli("--output", "json", "verify", "run", "with-data", check=False).stdout)
        self.assertEqual("undecided", tried["state"])
        self.assertIn("its data (PodVolumeBackup) is in the restore point and cannot be brought back", tried["reason"])
        self.assertEqual("", self.kubectl("get", "namespaces", "-l", "holdfast.io/trial", "-o", "name"))
        arguments = ("--backup", "with-data", "--namespace-mappings", "csid:empty")
        done = self.daemon.cli("--output", "json", "restore", "create", "refused", *arguments, "--wait", check=False)
        ended = json.loads(done.stdout)
        self.assertEqual("Failed", ended["phase"], ended)
        self.assertRegex("\n".join(ended["lacks"]), r"csid/\S+: its data \(PodVolumeBackup\) is in the restore point and cannot be brought back")
        self.assertNotIn("namespace/empty", self.kubectl("get", "namespaces", "-o", "name"))
        self.daemon.cli("restore", "create", "without", *arguments, "--restore-volumes=false", "--wait")
        await_writer(self.cluster, "empty")

    def test_holdfast_observes_velero_and_works_through_it(self):
        """Where Velero serves, Holdfast writes nothing, and a backup with the data of volumes runs through Velero's node agent."""
        listed = json.loads(self.daemon.cli("--output", "json", "cluster", "list").stdout)["clusters"]
        self.assertEqual([("observing", "Velero runs there: deployment velero/velero")], [(c["role"], c["role_reason"]) for c in listed])
        self.assertEqual("", self.kubectl("-n", "velero", "get", "lease", "holdfast", "--ignore-not-found"))
        found_writer(self.cluster)
        before = self.digests("csid")
        spec = self.cluster.kubeconfig.parent / "through.json"
        spec.write_text(json.dumps({"includedNamespaces": ["csid"], "defaultVolumesToFsBackup": True, "snapshotVolumes": False}))
        done = self.daemon.cli("--output", "json", "backup", "create", "through", "--by-velero", "--spec", str(spec), "--wait", check=False)
        self.assertEqual("Completed", json.loads(done.stdout)["phase"], done.stdout + done.stderr)
        self.assertEqual("outside", json.loads(self.kubectl("-n", "velero", "get", "backup", "through", "-o", "json"))["spec"]["storageLocation"])
        saved = json.loads(self.kubectl("-n", "velero", "get", "podvolumebackups", "-l", "velero.io/backup-name=through", "-o", "json"))["items"]
        self.assertEqual(["Completed"], [v["status"]["phase"] for v in saved])  # once
        self.assertIn("through", [b["name"] for b in json.loads(self.daemon.cli("--output", "json", "backup", "list").stdout)["backups"]])
        self.velero("restore", "create", "from-through", "--from-backup", "through", "--namespace-mappings", "csid:through", "--wait")
        self.assertEqual("Completed", self.phase("restore", "from-through"))
        await_writer(self.cluster, "through")
        self.assertEqual(before, self.digests("through"))

    def test_a_policy_runs_through_velero(self):
        """By its cron, with the data of volumes, each time once although the daemon is killed in the middle; Velero removes what it no longer keeps."""
        found_writer(self.cluster)
        before = self.digests("csid")
        policy = self.cluster.kubeconfig.parent / "policy.yaml"
        policy.write_text("name: volumes\ncluster: prod\nbackup:\n  includedNamespaces: [csid]\n  defaultVolumesToFsBackup: true\n  snapshotVolumes: false\n"
                          "tiers:\n- name: often\n  schedule: '* * * * *'\n  retention: {last: 1}\n")
        self.daemon.cli("policy", "apply", str(policy))
        runs = lambda: self.daemon.ask("/v1/policies/volumes")["tiers"][0]["runs"]
        wait_until("a run", lambda: [r["state"] for r in runs()] == ["running"], 90)
        self.daemon.kill()
        self.daemon.start()
        wait_until("its end", lambda: runs()[0]["state"] not in ("waiting", "running"), 120)
        first = runs()[0]
        self.assertEqual(("completed", "schedule", 1), (first["state"], first["trigger"], first["attempt"]), first)
        saved = json.loads(self.kubectl("-n", "velero", "get", "podvolumebackups", "-l", f"velero.io/backup-name={first['backup']}", "-o", "json"))["items"]
        self.assertEqual(["Completed"], [v["status"]["phase"] for v in saved])
        # A run that takes over a minute makes the policy skip the next time, so the second to complete may be any run after the first.
        wait_until("another one", lambda: [r["state"] for r in runs()].count("completed") > 1, 300, said=runs)
        self.daemon.cli("policy", "pause", "volumes")
        wait_until("all runs to end", lambda: not {"waiting", "running"} & {r["state"] for r in runs()}, 120)
        made = [r["backup"] for r in runs() if r["state"] == "completed"]
        self.assertEqual(len(made), len(set(made)))
        wait_until("Velero to have removed the older ones", lambda: [b["name"] for b in self.daemon.ask("/v1/clusters/prod/backups")["backups"]
                                                                     if b["policy"] == "volumes"] == made[-1:], 120)
        self.assertNotIn(made[0], self.kubectl("-n", "velero", "get", "backups", "-o", "name"))
        self.velero("restore", "create", "from-policy", "--from-backup", made[-1], "--namespace-mappings", "csid:by-policy", "--wait")
        self.assertEqual("Completed", self.phase("restore", "from-policy"))
        await_writer(self.cluster, "by-policy")
        self.assertEqual(before, self.digests("by-policy"))

    def test_velero_restores_what_holdfast_backed_up_from_outside(self):
        self.found_town()
        before = self.essence()
        self.daemon.cli("backup", "create", "outside", "--include-namespaces", "town", "--wait")
        wait_until("Velero to find the backup", lambda: "outside" in self.kubectl("-n", "velero", "get", "backups", "-o", "name"), 120)
        described = self.velero("backup", "describe", "outside", "--details")
        self.assertIn("town.example/v1/Lamp:\n    - town/corner", described)
        self.assertIn("Backed up a total of", self.velero("backup", "logs", "outside"))

        self.lose_town()
        self.velero("restore", "create", "from-outside", "--from-backup", "outside", "--wait")
        self.assertEqual("Completed", self.phase("restore", "from-outside"), self.velero("restore", "logs", "from-outside")[-3000:])
        self.kubectl("-n", "town", "wait", "--for=condition=Ready", "pod/guard", "--timeout=120s")
        self.assertEqual(before, self.essence())


if __name__ == "__main__":
    unittest.main(verbosity=2)

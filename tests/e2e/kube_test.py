"""Clusters and their backups against a real API server: what is in the archive is compared with what the server has."""

import base64
import gzip
import io
import json
import os
import subprocess
import tarfile
import unittest

from harness import Certificate, wait_until
from kube_cluster import KUBE, ClusterTest

MANIFEST = str(KUBE / "manifests" / "town.yaml")


class KubeTest(ClusterTest):
    cluster_name, cluster_index = "kube-e2e", 8

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = cls.daemon.s3()
        subprocess.run(["kubectl", "apply", "-f", MANIFEST], env=cls.cluster.environment, capture_output=True)
        wait_until("the definition", lambda: "lamps" in cls.cluster.kubectl("api-resources", "--api-group=town.example"))
        cls.cluster.kubectl("apply", "-f", MANIFEST)
        wait_until("the claim to be bound", lambda: "Bound" == cls.cluster.kubectl(
            "-n", "town", "get", "pvc", "cellar", "-o", "jsonpath={.status.phase}"))
        cls.daemon.cli("cluster", "add", "prod", "--kubeconfig", str(cls.cluster.kubeconfig))

    def holdfast(self, *arguments, check=True):
        return self.daemon.cli(*arguments, check=check)

    def back_up(self, name, *arguments, phase="Completed", spec=None):
        if spec is not None:
            path = self.stage.directory / f"{name}.json"
            path.write_text(json.dumps(spec))
            arguments = (*arguments, "--spec", str(path))
        done = self.holdfast("--output", "json", "backup", "create", name, "--cluster", "prod", "--wait", *arguments, check=False)
        ended = json.loads(done.stdout)
        self.assertEqual(phase, ended.get("phase"), done.stdout + done.stderr)
        self.assertEqual(0 if phase == "Completed" else 1, done.returncode)
        return ended

    def file(self, name, suffix):
        key = f"clusters/prod/backups/{name}/" + (suffix if suffix == "velero-backup.json" else name + suffix)
        body = self.s3.get_object(Bucket="holdfast", Key=key)["Body"].read()
        return gzip.decompress(body) if suffix.endswith(".gz") and "tar" not in suffix else body

    def archive(self, name):
        """Objects by their path, and the twins by theirs; both must be the same bytes."""
        files = {}
        with tarfile.open(fileobj=io.BytesIO(self.file(name, ".tar.gz"))) as tar:
            for member in tar:
                self.assertTrue(member.isreg() and member.mode == 0o755, member.name)
                self.assertNotIn(member.name, files)
                files[member.name] = tar.extractfile(member).read()
        self.assertEqual(b"1.1.0\n", files.pop("metadata/version"))
        objects = {}
        for path, content in files.items():
            parts = path.split("/")
            if "-preferredversion" in parts[2]:
                twin = "/".join(parts[:2] + parts[3:])
                self.assertEqual(files[twin], content, path)
            else:
                objects[path.removeprefix("resources/").removesuffix(".json")] = json.loads(content)
        self.assertEqual(2 * len(objects), len(files))
        return objects

    def live(self, resource, namespaced):
        items = self.cluster.objects(resource, *(["--all-namespaces"] if namespaced else []))
        return {(i["metadata"].get("namespace"), i["metadata"]["name"]): i for i in items}

    def test_whole_cluster_is_what_the_server_has(self):
        self.back_up("whole")
        objects = self.archive("whole")
        # Field by field, of every kind that does not change by itself.
        for resource, namespaced in (("configmaps", True), ("secrets", True), ("deployments.apps", True), ("services", True), ("lamps.town.example", True),
                                     ("clusterroles.rbac.authorization.k8s.io", False), ("priorityclasses.scheduling.k8s.io", False),
                                     ("customresourcedefinitions.apiextensions.k8s.io", False), ("persistentvolumes", False)):
            live = {k: v for k, v in self.live(resource, namespaced).items()
                    if v["metadata"].get("labels", {}).get("velero.io/exclude-from-backup") != "true"}
            saved = {(o["metadata"].get("namespace"), o["metadata"]["name"]): o for p, o in objects.items() if p.startswith(resource + "/")}
            self.assertEqual(set(live), set(saved), resource)
            for key, item in live.items():
                self.assertEqual(item, saved[key], f"{resource} {key}")
        self.assertIn("namespaces/cluster/town", objects)
        self.assertTrue([p for p in objects if p.startswith("apiservices.")])

    def test_a_namespace_left_out_by_its_label_keeps_cluster_scoped_objects_out(self):
        self.cluster.kubectl("create", "namespace", "ruins")
        self.addCleanup(self.cluster.kubectl, "delete", "namespace", "ruins")
        self.cluster.kubectl("-n", "ruins", "create", "configmap", "rubble")
        self.cluster.kubectl("label", "namespace", "ruins", "velero.io/exclude-from-backup=true")
        self.back_up("ruins")
        objects = self.archive("ruins")
        self.assertIn("configmaps/namespaces/town/archive", objects)
        self.assertEqual([], [p for p in objects if "ruins" in p or p.startswith("apiservices.")])
        self.assertIn("left out", json.dumps(json.loads(self.file("ruins", "-results.gz"))["warnings"]["cluster"]))

    def test_companions(self):
        self.back_up("companions", "--include-namespaces", "town")
        document = json.loads(self.file("companions", "velero-backup.json"))
        self.assertEqual(("velero.io/v1", "Backup", "companions", "velero"),
                         (document["apiVersion"], document["kind"], document["metadata"]["name"], document["metadata"]["namespace"]))
        status = document["status"]
        self.assertEqual(("Completed", "1.1.0", 1), (status["phase"], status["formatVersion"], status["version"]))
        self.assertEqual("720h0m0s", document["spec"]["ttl"])
        self.assertRegex(document["metadata"]["annotations"]["velero.io/source-cluster-k8s-gitversion"], r"^v1\.\d+")
        objects = self.archive("companions")
        self.assertEqual(len(objects), status["progress"]["itemsBackedUp"])
        listed = json.loads(self.file("companions", "-resource-list.json.gz"))
        self.assertEqual(len(objects), sum(len(names) for names in listed.values()))
        self.assertEqual(["town/corner"], listed["town.example/v1/Lamp"])
        self.assertEqual(["lamps.town.example"], listed["apiextensions.k8s.io/v1/CustomResourceDefinition"])
        # Volume data that is not saved is never silent.
        volumes = json.loads(self.file("companions", "-volumeinfo.json.gz"))
        self.assertEqual([("cellar", "town", "cellar", True, "Retain")],
                         [(v["pvcName"], v["pvcNamespace"], v["pvName"], v["skipped"], v["pvInfo"]["reclaimPolicy"]) for v in volumes])
        results = json.loads(self.file("companions", "-results.gz"))
        self.assertEqual(status["warnings"], sum(len(v) for v in results["warnings"]["namespaces"].values()) + len(results["warnings"].get("cluster", [])))
        self.assertIn("not saved", results["warnings"]["namespaces"]["town"][0])
        self.assertEqual((b"null", b"[]"), (self.file("companions", "-podvolumebackups.json.gz"), self.file("companions", "-itemoperations.json.gz")))
        log = self.holdfast("backup", "logs", "companions", "--cluster", "prod").stdout
        self.assertIn("Backed up a total of", log)
        self.assertNotIn("do-not-log-this-secret", log)

    def test_one_namespace_with_what_it_needs(self):
        self.back_up("one", "--include-namespaces", "town")
        objects = self.archive("one")
        self.assertEqual({"town"}, {o["metadata"]["namespace"] for o in objects.values() if "namespace" in o["metadata"]})
        cluster_scoped = {p for p, o in objects.items() if "namespace" not in o["metadata"]}
        self.assertEqual({"namespaces/cluster/town", "persistentvolumes/cluster/cellar", "priorityclasses.scheduling.k8s.io/cluster/urgent",
                          "clusterroles.rbac.authorization.k8s.io/cluster/town-clerk", "clusterrolebindings.rbac.authorization.k8s.io/cluster/town-clerk",
                          "customresourcedefinitions.apiextensions.k8s.io/cluster/lamps.town.example"}, cluster_scoped)
        self.assertNotIn("configmaps/namespaces/town/scratch", objects)
        claim = objects["persistentvolumeclaims/namespaces/town/cellar"]
        self.assertEqual({"keep": "me"}, claim["metadata"]["labels"])
        self.assertEqual(("v1", "ConfigMap"), (objects["configmaps/namespaces/town/archive"]["apiVersion"], objects["configmaps/namespaces/town/archive"]["kind"]))

    def test_filters(self):
        def names(backup, resource="configmaps"):
            return {p.split("/", 1)[1] for p in self.archive(backup) if p.startswith(resource + "/")}

        self.back_up("by-label", "--selector", "office=records")
        self.assertEqual({"namespaces/town/archive", "namespaces/village/well"}, names("by-label"))
        # With all namespaces and a selector only those with something in them.
        self.assertEqual({"cluster/town", "cluster/village"}, names("by-label", "namespaces"))
        self.back_up("by-either", spec={"orLabelSelectors": [{"matchLabels": {"office": "records"}},
                                                             {"matchExpressions": [{"key": "keep", "operator": "Exists"}]}]})
        objects = self.archive("by-either")
        self.assertIn("persistentvolumeclaims/namespaces/town/cellar", objects)
        self.assertIn("persistentvolumes/cluster/cellar", objects)  # related; selectors are not for those
        self.back_up("by-pattern", "--include-namespaces", "vill*,t?wn", "--exclude-namespaces", "t*", "--include-resources", "cm,ns")
        self.assertEqual({"configmaps/namespaces/village/well", "namespaces/cluster/village"},
                         {p for p in self.archive("by-pattern") if "kube-root-ca" not in p})
        self.back_up("no-cluster", "--include-namespaces", "town", "--include-cluster-resources", "false")
        self.assertEqual(set(), {p for p, o in self.archive("no-cluster").items() if "namespace" not in o["metadata"]})
        self.back_up("scoped", spec={"includedNamespaces": ["town"], "includedNamespaceScopedResources": ["lamps.town.example"],
                                     "excludedClusterScopedResources": ["customresourcedefinitions.apiextensions.k8s.io"]})
        self.assertEqual({"lamps.town.example/namespaces/town/corner", "namespaces/cluster/town"}, set(self.archive("scoped")))

    def test_contradictions_are_named_and_nothing_is_left(self):
        for name, spec, words in (
                ("both-kinds", {"includedResources": ["pods"], "excludedClusterScopedResources": ["nodes"]}, "cannot be used together"),
                ("both-selectors", {"labelSelector": {"matchLabels": {"a": "b"}}, "orLabelSelectors": [{"matchLabels": {"a": "b"}}]}, "only one can be specified"),
                ("in-and-out", {"includedNamespaces": ["town"], "excludedNamespaces": ["town"]}, "excludes list cannot contain an item in the includes list: town"),
                ("bad-operator", {"labelSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}, "\"Like\" is not a valid label selector operator"),
                ("bad-ttl", {"ttl": "a month"}, "\"a month\" is not a duration"),
                ("no-policy", {"resourcePolicy": {"kind": "configmap", "name": "nowhere"}}, "fail to get ResourcePolicies velero/nowhere ConfigMap"),
                ("odd-policy", {"resourcePolicy": {"kind": "secret", "name": "p"}}, "can only be a ConfigMap")):
            ended = self.back_up(name, spec=spec, phase="FailedValidation")
            self.assertTrue(any(words in e for e in ended["validation_errors"]), ended)
            self.assertEqual(0, self.s3.list_objects_v2(Bucket="holdfast", Prefix=f"clusters/prod/backups/{name}/")["KeyCount"])
        refused = self.holdfast("backup", "create", "Upper_Case", "--cluster", "prod", check=False)
        self.assertIn("is no name of a backup", refused.stderr)

    def test_what_was_asked_for_and_not_saved_is_an_error(self):
        ended = self.back_up("snapshots", "--include-namespaces", "town", spec={"snapshotVolumes": True}, phase="PartiallyFailed")
        self.assertGreater(ended["errors"], 0)
        self.assertIn("cellar", json.dumps(json.loads(self.file("snapshots", "-results.gz"))["errors"]))
        self.back_up("absent", "--include-namespaces", "town,atlantis", phase="PartiallyFailed")
        self.assertIn("atlantis", json.dumps(json.loads(self.file("absent", "-results.gz"))["errors"]))

    def policy(self, name, text):
        self.cluster.kubectl("-n", "velero", "create", "configmap", name, f"--from-literal=policy.yaml={text}")
        return {"resourcePolicy": {"kind": "configmap", "name": name}}

    def test_resource_policies(self):
        skip = self.policy("skip", "version: v1\nvolumePolicies:\n- conditions: {volumeTypes: [hostPath], capacity: '1Gi,2Gi'}\n  action: {type: skip}\n"
                           "includeExcludePolicy: {excludedNamespaceScopedResources: [secrets, lamps.town.example]}\n")
        self.back_up("by-policy", spec={"includedNamespaces": ["town"], "snapshotVolumes": True, **skip})
        infos = json.loads(self.file("by-policy", "-volumeinfo.json.gz"))
        self.assertEqual([("cellar", True)], [(i["pvName"], "resource policies" in i["skippedReason"]) for i in infos])
        kinds = {p.split("/")[0] for p in self.archive("by-policy")}
        self.assertIn("persistentvolumes", kinds)
        self.assertIn("configmaps", kinds)
        self.assertTrue(kinds.isdisjoint({"secrets", "lamps.town.example"}), kinds)
        other = self.policy("other", "version: v1\nvolumePolicies:\n- conditions: {volumeTypes: [nfs]}\n  action: {type: skip}\n")
        self.back_up("not-by-policy", spec={"includedNamespaces": ["town"], "snapshotVolumes": True, **other}, phase="PartiallyFailed")
        saves = self.policy("saves", "version: v1\nvolumePolicies:\n- conditions: {}\n  action: {type: fs-backup}\n")
        ended = self.back_up("more-than-skip", spec=saves, phase="FailedValidation")
        self.assertIn("action fs-backup: this server does not save the data of volumes yet", ended["validation_errors"][0])
        old = self.back_up("old-and-policy", spec={"includedResources": ["pods"], **skip}, phase="FailedValidation")
        self.assertIn("cannot be used with include-exclude policies", old["validation_errors"][0])

    def test_a_name_is_used_once_and_deletion_is_whole(self):
        self.back_up("once", "--include-namespaces", "village")
        again = self.holdfast("backup", "create", "once", "--cluster", "prod", check=False)
        self.assertEqual(1, again.returncode)
        self.assertIn("there is a backup \"once\"", again.stderr)
        listed = json.loads(self.holdfast("--output", "json", "backup", "list", "--cluster", "prod").stdout)["backups"]
        self.assertEqual(["Completed"], [b["phase"] for b in listed if b["name"] == "once"])
        self.holdfast("backup", "delete", "once", "--cluster", "prod")
        self.assertEqual(0, self.s3.list_objects_v2(Bucket="holdfast", Prefix="clusters/prod/backups/once/")["KeyCount"])
        self.assertIn("there is no backup", self.holdfast("backup", "delete", "once", "--cluster", "prod", check=False).stderr)

    def test_download(self):
        """An archive of several pieces, whole or not at all."""
        self.cluster.kubectl("create", "namespace", "heavy")
        noise = [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"noise-{n}", "namespace": "heavy"},
                  "data": {"x": base64.b64encode(os.urandom(900_000)).decode()}} for n in range(7)]
        for secret in noise:
            self.cluster.kubectl("create", "-f", "-", input=json.dumps(secret))
        self.back_up("heavy", "--include-namespaces", "heavy")
        target = self.stage.directory / "heavy.tar.gz"
        self.holdfast("backup", "download", "heavy", "--cluster", "prod", "-o", str(target))
        self.assertEqual(self.file("heavy", ".tar.gz"), target.read_bytes())
        self.assertGreater(target.stat().st_size, 8 << 20)
        self.assertEqual(0o600, target.stat().st_mode & 0o777)
        again = self.holdfast("backup", "download", "heavy", "--cluster", "prod", "-o", str(target), check=False)
        self.assertIn("is there already", again.stderr)
        missing = self.holdfast("backup", "download", "nothing", "--cluster", "prod", "-o", str(self.stage.directory / "nothing.tar.gz"), check=False)
        self.assertEqual(1, missing.returncode)
        self.assertEqual([], [p.name for p in self.stage.directory.iterdir() if p.name.startswith("nothing") or p.name.endswith(".part")])

    def test_what_has_expired_goes_and_nothing_else(self):
        self.back_up("lasting", "--include-namespaces", "village", "--ttl", "1h")
        self.back_up("others", "--include-namespaces", "village", "--ttl", "6s")
        # As Velero, or somebody else, would have made it.
        key = "clusters/prod/backups/foreign/velero-backup.json"
        document = json.loads(self.file("others", "velero-backup.json"))
        del document["metadata"]["annotations"]["holdfast.io/kept-by"]
        self.s3.put_object(Bucket="holdfast", Key=key, Body=json.dumps(document))
        self.addCleanup(self.s3.delete_object, Bucket="holdfast", Key=key)
        keys = lambda name: self.s3.list_objects_v2(Bucket="holdfast", Prefix=f"clusters/prod/backups/{name}/")["KeyCount"]
        wait_until("it to expire", lambda: keys("others") == 0)
        self.back_up("later", "--include-namespaces", "village", "--ttl", "1s")
        wait_until("it to expire, too", lambda: keys("later") == 0)
        self.assertEqual((9, 1), (keys("lasting"), keys("foreign")))

    def test_long_names(self):
        name = "n" + "a" * 251 + "z"
        self.cluster.kubectl("-n", "village", "create", "configmap", name, "--from-literal=a=b")
        self.addCleanup(self.cluster.kubectl, "-n", "village", "delete", "configmap", name)
        self.back_up("long-names", "--include-namespaces", "village")
        self.assertEqual({"a": "b"}, self.archive("long-names")[f"configmaps/namespaces/village/{name}"]["data"])

    def test_more_than_a_page(self):
        self.cluster.create_config_maps("many", 1203)
        # The namespace stays: its slow end would run beside the tests that compare the whole cluster.
        self.back_up("many", "--include-namespaces", "many", "--include-resources", "configmaps")
        saved = {o["metadata"]["name"]: o["data"] for o in self.archive("many").values()}
        self.assertEqual({"n": "777"}, saved["m0777"])
        self.assertEqual({f"m{n:04}" for n in range(1203)}, set(saved) - {"kube-root-ca.crt"})


class RegistrationTest(ClusterTest):
    cluster_name, cluster_index = "kube-reg", 9

    def kubeconfig(self, name, **changes):
        """The admin's kubeconfig with other user fields."""
        document = json.loads(self.cluster.kubectl("config", "view", "--raw", "-o", "json"))
        document["users"][0]["user"] = changes.get("user", document["users"][0]["user"])
        document["clusters"][0]["cluster"].update(changes.get("cluster", {}))
        path = self.stage.directory / name
        path.write_text(json.dumps(document))
        path.chmod(0o600)
        return path

    def service_account(self, *arguments):
        manifest = self.daemon.cli("cluster", "rbac", *arguments).stdout
        self.cluster.kubectl("apply", "-f", "-", input=manifest)
        read = lambda: self.cluster.kubectl("-n", "velero", "get", "secret", "holdfast-token", "-o", "jsonpath={.data.token}")
        wait_until("the token", read)
        return base64.b64decode(read()).decode()

    def test_token_with_the_printed_permissions_lacks_nothing(self):
        token = self.service_account()
        added = json.loads(self.daemon.cli("--output", "json", "cluster", "add", "by-token", "--kubeconfig",
                                           str(self.kubeconfig("token.conf", user={"token": token}))).stdout)
        self.assertEqual(([], []), (added["missing_for_backup"], added["missing_for_restore"]))
        self.assertRegex(added["version"], r"^v1\.\d+")
        # The secrets are sealed in the index and on the device, and never in the log.
        for part in (self.daemon.run / "state", ):
            for path in part.rglob("*"):
                if path.is_file():
                    self.assertNotIn(token.encode(), path.read_bytes(), path)
        self.assertNotIn(token, self.daemon.log())

        self.daemon.stop()
        self.daemon.drop_index()
        self.daemon.start()
        self.assertIn("by-token", self.daemon.cli("cluster", "list").stdout)
        self.daemon.cli("cluster", "check", "by-token")
        self.daemon.cli("backup", "create", "b1", "--wait", "--include-namespaces", "default")
        # Removed: its key is gone, its restore points are not.
        users = json.loads(self.daemon.cli("--output", "json", "user", "list").stdout)["users"]
        self.assertEqual([["holdfast/clusters/by-token/"]], [u["scopes"] for u in users if u["name"] == "cluster by-token"])
        self.daemon.cli("cluster", "remove", "by-token")
        users = json.loads(self.daemon.cli("--output", "json", "user", "list").stdout)["users"]
        self.assertEqual([], [u for u in users if u["name"] == "cluster by-token"])
        self.daemon.cli("cluster", "add", "by-token", "--kubeconfig", str(self.kubeconfig("token.conf", user={"token": token})))
        self.assertIn("b1", self.daemon.cli("backup", "list", "--cluster", "by-token").stdout)
        self.daemon.cli("cluster", "remove", "by-token")

    def test_what_is_not_permitted_is_named(self):
        self.cluster.kubectl("create", "serviceaccount", "reader", "-n", "default")
        self.cluster.kubectl("create", "clusterrolebinding", "reader", "--clusterrole=view", "--serviceaccount=default:reader")
        token = self.cluster.kubectl("-n", "default", "create", "token", "reader").strip()
        done = self.daemon.cli("--output", "json", "cluster", "add", "reader", "--kubeconfig",
                               str(self.kubeconfig("reader.conf", user={"token": token})), check=False)
        self.assertEqual(1, done.returncode)
        findings = json.loads(done.stdout)
        self.assertIn("list secrets", findings["missing_for_backup"])
        self.assertIn("create pods/exec", findings["missing_for_backup"])
        self.assertNotIn("list configmaps", findings["missing_for_backup"])
        self.assertIn("escalate clusterroles.rbac.authorization.k8s.io", findings["missing_for_restore"])
        # A backup by it says what it could not read.
        done = self.daemon.cli("backup", "create", "partial", "--cluster", "reader", "--wait", check=False)
        self.assertIn("PartiallyFailed", done.stdout)
        log = self.daemon.cli("backup", "logs", "partial", "--cluster", "reader").stdout
        self.assertIn("secrets is forbidden", log)
        self.daemon.cli("cluster", "remove", "reader")

    def test_exec_plugin(self):
        token = self.service_account()
        plugin = self.stage.directory / "plugin.sh"
        answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}}
        (self.stage.directory / "answer.json").write_text(json.dumps(answer))
        plugin.write_text(f'#!/bin/sh\n[ "$MODE" = good ] || exit 3\ncase "$KUBERNETES_EXEC_INFO" in *ExecCredential*) cat {self.stage.directory}/answer.json;; esac\n')
        plugin.chmod(0o755)
        user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never",
                         "env": [{"name": "MODE", "value": "good"}]}}
        self.daemon.cli("cluster", "add", "by-plugin", "--kubeconfig", str(self.kubeconfig("exec.conf", user=user)))
        self.daemon.cli("cluster", "remove", "by-plugin")
        user["exec"]["env"][0]["value"] = "bad"
        refused = self.daemon.cli("cluster", "add", "by-plugin", "--kubeconfig", str(self.kubeconfig("exec.conf", user=user)), check=False)
        self.assertIn(f"the exec plugin {plugin} failed", refused.stderr)
        self.assertNotIn("by-plugin", self.daemon.cli("cluster", "list").stdout)

    def test_a_server_that_does_not_prove_itself_is_refused(self):
        for name, changes, words in (
                ("other-ca", {"cluster": {"certificate-authority-data": self.other_authority()}}, "certificate"),
                ("skip", {"cluster": {"insecure-skip-tls-verify": True, "certificate-authority-data": ""}}, "insecure-skip-tls-verify is not supported"),
                ("plain", {"cluster": {"server": "http://127.0.0.1:1"}}, "without TLS"),
                ("gone", {"cluster": {"server": "https://127.0.0.1:1"}}, "127.0.0.1:1"),
                ("nobody", {"user": {"token": "not-a-token"}}, "Unauthorized"),
                ("Upper", {}, "is no name of a cluster"),
                ("password", {"user": {"username": "a", "password": "b"}}, "password is not supported")):
            refused = self.daemon.cli("cluster", "add", name, "--kubeconfig", str(self.kubeconfig("bad.conf", **changes)), check=False)
            self.assertEqual(1, refused.returncode, name)
            self.assertIn(words, refused.stderr, name)
        self.assertEqual([], json.loads(self.daemon.cli("--output", "json", "cluster", "list").stdout)["clusters"])

    def other_authority(self):
        return base64.b64encode(Certificate(self.stage.directory, name="other").certificate.read_bytes()).decode()


if __name__ == "__main__":
    unittest.main(verbosity=2)

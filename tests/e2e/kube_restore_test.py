"""Restores into a real, blank cluster: what is there afterwards is compared with the cluster that was backed up."""

import json
import unittest

from harness import wait_until
from kube_cluster import ClusterTest, KubeCluster
from kube_content import differences, fill, live_kinds


class RestoreTest(ClusterTest):
    cluster_name, cluster_index = "kube-restore", 13
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.target = KubeCluster("kube-target", 14)
        cls.addClassCleanup(cls.target.close)
        fill(cls.cluster)
        cls.daemon.cli("cluster", "add", "old", "--kubeconfig", str(cls.cluster.kubeconfig))
        cls.daemon.cli("cluster", "add", "new", "--kubeconfig", str(cls.target.kubeconfig))
        # Each cluster is served; what makes its server stays with it.
        wait_until("both to be served", lambda: [c["role"] for c in json.loads(cls.daemon.cli("--output", "json", "cluster", "list").stdout)["clusters"]] == ["serving"] * 2, 60)
        wait_until("their locations", lambda: all(c.location_is_available() for c in (cls.cluster, cls.target)), 60)
        cls.daemon.cli("backup", "create", "whole", "--cluster", "old", "--wait")
        cls.whole = json.loads(cls.daemon.cli("--output", "json", "restore", "create", "all", "--cluster", "new", "--from-cluster", "old", "--backup", "whole",
                                              "--wait", check=False).stdout)
        cls.before, cls.after = live_kinds(cls.cluster), live_kinds(cls.target)

    def restore(self, name, *arguments, phase="Completed", cluster="new", source="old", backup="whole"):
        done = self.daemon.cli("--output", "json", "restore", "create", name, "--cluster", cluster, "--from-cluster", source, "--backup", backup,
                               "--wait", *arguments, check=False)
        ended = json.loads(done.stdout)
        self.assertEqual(phase, ended.get("phase"), done.stdout + done.stderr + self.complaints(name, cluster))
        self.assertEqual(0 if phase == "Completed" else 1, done.returncode)
        return ended

    def complaints(self, name, cluster="new"):
        log = self.daemon.cli("restore", "logs", name, "--cluster", cluster, check=False).stdout
        return "\n".join(line for line in log.splitlines() if "level=info" not in line)

    def assert_same(self, restored, original):
        self.assertEqual([], differences(original, restored))

    def test_a_whole_cluster(self):
        self.assertEqual(("Completed", 0, 0), (self.whole["phase"], self.whole["errors"], self.whole["warnings"]), self.complaints("all"))
        self.assertGreater(self.whole["items"], 200)
        self.assertEqual(self.whole["total"], self.whole["items"])
        self.assert_same(self.after, self.before)
        # Controllers took over what was restored, instead of making it again.
        deployment = self.target.objects("deployments", "-n", "harbour")[0]
        wait_until("the deployment to adopt its replica set", lambda: all(
            owner["uid"] == deployment["metadata"]["uid"] for r in self.target.objects("replicasets", "-n", "harbour") for owner in r["metadata"]["ownerReferences"]))
        self.assertEqual(1, len(self.target.objects("replicasets", "-n", "harbour")))
        self.assertEqual(2, len(self.target.objects("pods", "-n", "harbour")))
        wait_until("the claim to be bound", lambda: "Bound" == self.target.kubectl("-n", "town", "get", "pvc", "cellar", "-o", "jsonpath={.status.phase}"))

    def test_again_changes_nothing(self):
        self.restore("first", "--include-namespaces", "village")
        before = self.target.objects("configmaps", "-n", "village")
        ended = self.restore("second", "--include-namespaces", "village")
        self.assertEqual(0, ended["warnings"])
        self.assertEqual(before, self.target.objects("configmaps", "-n", "village"))

    def test_existing_objects(self):
        self.restore("before", "--include-namespaces", "village")
        well = lambda: self.target.objects("configmaps", "-n", "village", "--field-selector=metadata.name=well")[0]
        self.addCleanup(self.target.kubectl, "delete", "namespace", "village")
        self.target.kubectl("-n", "village", "patch", "configmap", "well", "--type=merge", "-p", '{"data": {"depth": "1", "mine": "x"}}')
        ended = self.restore("kept", "--include-namespaces", "village")
        self.assertEqual(1, ended["warnings"])
        self.assertEqual({"depth": "1", "mine": "x"}, well()["data"])
        self.restore("updated", "--include-namespaces", "village", "--existing-resource-policy", "update")
        self.assertEqual({"depth": "9"}, well()["data"])
        self.assertEqual("updated", well()["metadata"]["labels"]["velero.io/restore-name"])

    def test_mapped_namespaces(self):
        self.restore("mapped", "--include-namespaces", "town,harbour", "--namespace-mappings", "town:city,harbour:port", "--exclude-resources",
                     "persistentvolumes,persistentvolumeclaims,pods,services")
        for name_space in ("city", "port"):
            self.addCleanup(self.target.kubectl, "delete", "namespace", name_space, "--wait=false")
        self.assertEqual({"region": "north", "kubernetes.io/metadata.name": "city"}, self.target.objects("namespaces", "--field-selector=metadata.name=city")[0]["metadata"]["labels"])
        self.assertEqual({"port"}, {s["namespace"] for b in self.target.objects("rolebindings", "-n", "port") for s in b["subjects"]})
        self.assertEqual({"city"}, {s["metadata"]["namespace"] for s in self.target.objects("serviceaccounts", "-n", "city")})

    def test_partial_restore(self):
        """One kind of one namespace, out of a restore point of everything: that, and nothing else."""
        others = lambda: {(o["kind"], o["metadata"]["name"]): o["metadata"]["resourceVersion"] for kind in ("configmaps", "secrets", "services") for o in self.target.objects(kind, "-n", "town")}
        before = others()
        self.addCleanup(self.target.kubectl, "delete", "namespace", "hamlet", "--wait=false")
        ended = self.restore("part", "--include-namespaces", "village", "--include-resources", "configmaps", "--namespace-mappings", "village:hamlet")
        data = lambda cluster, namespace: {o["metadata"]["name"]: o.get("data") for o in cluster.objects("configmaps", "-n", namespace) if o["metadata"]["name"] != "kube-root-ca.crt"}
        self.assertEqual(data(self.cluster, "village"), data(self.target, "hamlet"))
        self.assertIn("well", data(self.target, "hamlet"))
        restored = [o["kind"] for o in self.target.objects("configmaps,secrets,services,serviceaccounts,deployments,roles,rolebindings", "-n", "hamlet", "-l", "velero.io/restore-name=part")]
        self.assertEqual(["ConfigMap"] * len(restored), restored)
        self.assertEqual(ended["total"], ended["items"])
        self.assertEqual(before, others())

    def test_a_taken_node_port_is_named(self):
        ended = self.restore("ports", "--include-namespaces", "harbour", "--include-resources", "services", "--namespace-mappings", "harbour:ports", phase="PartiallyFailed")
        self.addCleanup(self.target.kubectl, "delete", "namespace", "ports", "--wait=false")
        self.assertEqual((1, 1, 2), (ended["errors"], len(self.target.objects("services", "-n", "ports")), ended["items"]))
        self.assertIn("services ports/asked: failed", self.daemon.cli("restore", "logs", "ports", "--cluster", "new").stdout)

    def test_managers_of_fields_stay(self):
        self.restore("managers", "--include-namespaces", "harbour", "--include-resources", "configmaps", "--selector", "", "--namespace-mappings", "harbour:managers")
        self.addCleanup(self.target.kubectl, "delete", "namespace", "managers", "--wait=false")
        restored = self.target.objects("configmaps", "-n", "managers", "--field-selector=metadata.name=applied")[0]
        self.assertEqual([("flux", "Apply")], [(m["manager"], m["operation"]) for m in restored["metadata"]["managedFields"]])

    def test_resource_modifiers(self):
        rules = """version: v1
resourceModifierRules:
- conditions: {groupResource: deployments.apps, resourceNameRegex: ^ferry$, namespaces: [harbour]}
  strategicPatches: [{patchData: '{"spec": {"replicas": 0, "template": {"spec": {"containers": [{"name": "c", "env": [{"name": "SEA", "value": "north"}]}]}}}}'}]
- conditions: {groupResource: configmaps, namespaces: [harbour]}
  patches: [{operation: replace, path: /data/a, value: changed}]
- conditions: {groupResource: cronjobs.batch}
  mergePatches: [{patchData: 'spec: {suspend: true}'}]
"""
        for name, text in (("rules", rules), ("broken", "version: v1\nresourceModifierRules: [{conditions: {kind: x}}]")):
            self.target.kubectl("-n", "velero", "create", "configmap", name, f"--from-literal=rules.yaml={text}")
        chosen = ("--include-namespaces", "harbour", "--include-resources", "deployments,configmaps,cronjobs", "--namespace-mappings", "harbour:modified")
        for name, reason in (("broken", 'unknown field "conditions.kind"'), ("nowhere", "not found")):
            ended = self.restore(name, *chosen, "--resource-modifier-configmap", name, phase="FailedValidation")
            self.assertIn(reason, ended["validation_errors"][0])
        self.restore("modified", *chosen, "--resource-modifier-configmap", "rules")
        self.addCleanup(self.target.kubectl, "delete", "namespace", "modified", "--wait=false")
        ferry = self.target.objects("deployments", "-n", "modified")[0]["spec"]
        self.assertEqual((0, [{"name": "SEA", "value": "north"}]), (ferry["replicas"], ferry["template"]["spec"]["containers"][0]["env"]))
        self.assertEqual([{"a": "changed"}], [c["data"] for c in self.target.objects("configmaps", "-n", "modified") if c["metadata"]["name"] == "applied"])
        self.assertEqual([True], [c["spec"]["suspend"] for c in self.target.objects("cronjobs", "-n", "modified")])

    def test_plan_writes_nothing(self):
        before = self.target.kubectl("get", "namespaces,clusterroles,crd", "-o", "name")
        done = self.daemon.cli("--output", "json", "restore", "plan", "--cluster", "new", "--from-cluster", "old", "--backup", "whole",
                               "--namespace-mappings", "town:dream")
        plan = json.loads(done.stdout)
        self.assertEqual([], plan["lacks"])
        actions = {(i["resource"], i["namespace"], i["name"]): i["action"] for i in plan["plan"]["items"]}
        self.assertEqual("created", actions["configmaps", "dream", "archive"])
        self.assertEqual("created", actions["namespaces", "", "dream"])
        self.assertEqual("skipped", actions["namespaces", "", "kube-system"])
        self.assertEqual("left out", actions["persistentvolumes", "", "quay"])
        self.assertEqual(before, self.target.kubectl("get", "namespaces,clusterroles,crd", "-o", "name"))
        self.assertEqual([], [r["name"] for r in json.loads(self.daemon.cli("--output", "json", "restore", "list", "--cluster", "new").stdout)["restores"]
                              if r["name"].startswith("plan")])

    def test_what_is_missing_is_named_before_anything_is_written(self):
        self.cluster.kubectl("create", "namespace", "exotic")
        self.addCleanup(self.cluster.kubectl, "delete", "namespace", "exotic")
        definition = json.loads(self.cluster.kubectl("get", "crd", "lamps.town.example", "-o", "json").replace("lamp", "plant").replace("Lamp", "Plant"))
        for manifest in ({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "plants.town.example"}, "spec": definition["spec"]},
                         {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "pot", "namespace": "exotic"},
                          "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "rare", "resources": {"requests": {"storage": "1Gi"}}}}):
            self.cluster.kubectl("apply", "-f", "-", input=json.dumps(manifest))
        wait_until("the definition", lambda: "plants" in self.cluster.kubectl("api-resources", "--api-group=town.example"))
        self.cluster.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "town.example/v1", "kind": "Plant", "metadata": {"name": "fern", "namespace": "exotic"}}))
        self.daemon.cli("backup", "create", "exotic", "--cluster", "old", "--include-namespaces", "exotic", "--wait")
        ended = self.restore("lacking", "--include-cluster-resources=false", phase="Failed", backup="exotic")
        lacks = ["it does not serve plants.town.example, 1 object; the definition is in the restore point: include cluster-scoped resources to bring it along", "claim exotic/pot needs storage class rare, which is not there"]
        self.assertEqual(lacks, ended["lacks"])
        self.assertIn("nothing was written", ended["failure_reason"])
        self.assertNotIn("exotic", self.target.kubectl("get", "namespaces", "-o", "name"))
        listed = json.loads(self.daemon.cli("--output", "json", "restore", "list", "--cluster", "new").stdout)["restores"]
        self.assertEqual([("lacking", "Failed", 0)], [(r["name"], r["phase"], r["items"]) for r in listed if r["name"] == "lacking"])
        # What came to nothing may be asked for again under its name.
        ended = self.restore("lacking", "--include-cluster-resources=false", "--partial", phase="PartiallyFailed", backup="exotic")
        self.addCleanup(self.target.kubectl, "delete", "namespace", "exotic", "--wait=false")
        self.assertEqual((1, lacks), (ended["errors"], ended["lacks"]))
        self.assertEqual(1, len(self.target.objects("persistentvolumeclaims", "-n", "exotic")))


if __name__ == "__main__":
    unittest.main(verbosity=2)

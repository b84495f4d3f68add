"""Disaster recovery of a management cluster the way k0rdent's controller drives it: Backup and Restore objects in its own
namespace, label selectors of which any may match, a location of the lost cluster's place, the policy `update`."""

import gzip
import io
import json
import tarfile
import unittest

from harness import Stage, wait_until
from kube_cluster import KubeCluster

NAMESPACE = "kcm-system"
SELECTORS = [{"matchLabels": {"k0rdent.mirantis.com/component": "kcm"}}, {"matchExpressions": [{"key": "cluster.x-k8s.io/provider", "operator": "Exists"}]},
             {"matchLabels": {"controller.cert-manager.io/fao": "true"}}, {"matchExpressions": [{"key": "helm.toolkit.fluxcd.io/name", "operator": "Exists"}]},
             {"matchLabels": {"cluster.x-k8s.io/cluster-name": "edge-1"}}]


def definition(group, kind, plural, version, scope="Namespaced"):
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}", "labels": {"cluster.x-k8s.io/provider": "infrastructure"} if "x-k8s" in group else {}},
            "spec": {"group": group, "scope": scope, "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
                     "versions": [{"name": version, "served": True, "storage": True, "schema": schema}]}}


def item(api_version, kind, name, namespace=None, labels=None, **content):
    metadata = {"name": name, "labels": labels or {}}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


DEFINITIONS = [definition("cluster.x-k8s.io", "Cluster", "clusters", "v1beta1"), definition("cluster.x-k8s.io", "Machine", "machines", "v1beta1"),
               definition("k0rdent.mirantis.com", "ClusterDeployment", "clusterdeployments", "v1beta1"),
               definition("k0rdent.mirantis.com", "Management", "managements", "v1beta1", "Cluster"),
               definition("helm.toolkit.fluxcd.io", "HelmRelease", "helmreleases", "v2")]
KCM, EDGE = {"k0rdent.mirantis.com/component": "kcm"}, {"cluster.x-k8s.io/cluster-name": "edge-1"}
TAKEN = [item("k0rdent.mirantis.com/v1beta1", "Management", "kcm", labels=KCM, spec={"release": "kcm-1-0-0"}),
         item("k0rdent.mirantis.com/v1beta1", "ClusterDeployment", "edge-1", NAMESPACE, KCM, spec={"template": "aws-standalone", "config": {"workers": 3}}),
         item("v1", "Secret", "aws-credentials", NAMESPACE, KCM, stringData={"key": "k"}),
         item("v1", "Secret", "edge-1-kubeconfig", "edges", EDGE, stringData={"value": "kubeconfig of edge-1"}),
         item("cluster.x-k8s.io/v1beta1", "Machine", "edge-1-a", "edges", EDGE, spec={"clusterName": "edge-1"}),
         item("v1", "Secret", "root-ca", "cert-manager", {"controller.cert-manager.io/fao": "true"}, stringData={"tls.crt": "c"}),
         item("helm.toolkit.fluxcd.io/v2", "HelmRelease", "cert-manager", NAMESPACE, {"helm.toolkit.fluxcd.io/name": "kcm"}, spec={"interval": "10m"}),
         item("v1", "ConfigMap", "provider", "capa", {"cluster.x-k8s.io/provider": "infrastructure-aws"}, data={"region": "eu"})]
LEFT = [item("cluster.x-k8s.io/v1beta1", "Cluster", "edge-1", "edges", EDGE, spec={"paused": False}),  # excluded by its kind
        item("v1", "ConfigMap", "cache", NAMESPACE, {"app": "kcm"}, data={"x": "y"}), item("v1", "ConfigMap", "notes", "elsewhere", data={"x": "y"})]


class K0rdentTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage(iscsi=False)
        cls.addClassCleanup(cls.stage.close)
        cls.daemon = cls.stage.daemon
        cls.old, cls.new = KubeCluster("k0rdent-old", 20), KubeCluster("k0rdent-new", 21)
        for cluster in (cls.old, cls.new):
            cls.addClassCleanup(cluster.close)
        cls.create(cls.old, *DEFINITIONS)
        for plural in ("clusters", "machines", "clusterdeployments", "managements", "helmreleases"):
            wait_until(plural, lambda: plural in cls.old.kubectl("api-resources", "-o", "name"))
        for namespace in (NAMESPACE, "edges", "cert-manager", "capa", "elsewhere"):
            cls.old.kubectl("create", "namespace", namespace)
        cls.create(cls.old, *TAKEN, *LEFT)
        for cluster, name in ((cls.old, "old"), (cls.new, "new")):
            cls.daemon.cli("cluster", "add", name, "--namespace", NAMESPACE, "--kubeconfig", str(cluster.kubeconfig))
            wait_until("the location", lambda: cluster.location_is_available(NAMESPACE), 60)

    @staticmethod
    def create(cluster, *items):
        cluster.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)}))

    @staticmethod
    def status(cluster, kind, name):
        return (cluster.find(NAMESPACE, kind, name) or {}).get("status", {})

    @staticmethod
    def spec_of(cluster, wanted):
        """What people wrote of an object, as the cluster has it; nothing where it is not there."""
        kind = wanted["kind"] + (f".{wanted['apiVersion'].split('/')[0]}" if "/" in wanted["apiVersion"] else "")
        namespace = ["-n", wanted["metadata"]["namespace"]] if "namespace" in wanted["metadata"] else []
        found = cluster.kubectl(*namespace, "get", kind, wanted["metadata"]["name"], "--ignore-not-found", "-o", "json")
        return {k: v for k, v in json.loads(found).items() if k in ("spec", "data")} if found else None

    def object(self, kind, name, spec):
        return {"apiVersion": "velero.io/v1", "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE, "labels": KCM}, "spec": spec}

    def test_the_management_cluster_is_lost(self):
        self.create(self.old, self.object("Backup", "management", {
            "includedNamespaces": ["*"], "excludedResources": ["clusters.cluster.x-k8s.io"], "orLabelSelectors": SELECTORS, "storageLocation": "default", "ttl": "720h"}))
        wait_until("the backup", lambda: self.status(self.old, "backup", "management").get("phase") == "Completed", 60)
        s3 = self.daemon.s3()
        body = s3.get_object(Bucket="holdfast", Key="clusters/old/backups/management/management-resource-list.json.gz")["Body"].read()
        listed = json.loads(gzip.decompress(body))
        for wanted in TAKEN:
            name = "/".join(filter(None, (wanted["metadata"].get("namespace"), wanted["metadata"]["name"])))
            self.assertIn(name, listed[f"{wanted['apiVersion']}/{wanted['kind']}"])
        self.assertNotIn("cluster.x-k8s.io/v1beta1/Cluster", listed)
        self.assertEqual(["capa/provider"], [n for n in listed["v1/ConfigMap"] if not n.endswith("kube-root-ca.crt")])
        self.assertNotIn("elsewhere", listed["v1/Namespace"])
        archive = s3.get_object(Bucket="holdfast", Key="clusters/old/backups/management/management.tar.gz")["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            self.assertIn("resources/customresourcedefinitions.apiextensions.k8s.io/cluster/machines.cluster.x-k8s.io.json", tar.getnames())
        specs = [self.spec_of(self.old, w) for w in TAKEN]
        self.old.close()

        # The new one: the lost one's place as a further location, read only; one object is there already, and otherwise.
        made = json.loads(self.daemon.cli("--output", "json", "user", "create", "--role", "read-only", "--scope", "holdfast/clusters/old/").stdout)
        self.create(self.new, item("v1", "Secret", "old-location", NAMESPACE, stringData={
            "cloud": f"[default]\naws_access_key_id={made['access_key']}\naws_secret_access_key={made['secret_key']}\n"}))
        self.new.kubectl("create", "namespace", "capa")
        self.create(self.new, item("v1", "ConfigMap", "provider", "capa", data={"region": "us", "more": "x"}), self.object("BackupStorageLocation", "old", {
            "provider": "aws", "accessMode": "ReadOnly", "objectStorage": {"bucket": "holdfast", "prefix": "clusters/old"}, "backupSyncPeriod": "5s",
            "config": {"region": "us-east-1", "s3ForcePathStyle": "true", "s3Url": self.daemon.endpoint}, "credential": {"name": "old-location", "key": "cloud"}}))
        wait_until("the backup to be known", lambda: self.status(self.new, "backup", "management").get("phase") == "Completed", 60)
        self.create(self.new, self.object("Restore", "again", {
            "backupName": "management", "existingResourcePolicy": "update", "excludedResources": ["clusters.cluster.x-k8s.io"], "includedNamespaces": ["*"]}))
        wait_until("the restore", lambda: self.status(self.new, "restore", "again").get("phase") in ("Completed", "PartiallyFailed", "Failed"), 120)
        status = self.status(self.new, "restore", "again")
        log = gzip.decompress(s3.get_object(Bucket="holdfast", Key="clusters/new/restores/again/restore-again-logs.gz")["Body"].read()).decode()
        self.assertEqual("Completed", status["phase"], "\n".join(line for line in log.splitlines() if "level=info" not in line))
        self.assertEqual(specs, [self.spec_of(self.new, w) for w in TAKEN])
        self.assertEqual([None, None, None], [self.spec_of(self.new, w) for w in LEFT[1:]] + [
            self.new.kubectl("get", "crd", "clusters.cluster.x-k8s.io", "--ignore-not-found", "-o", "name").replace("customresourcedefinition.apiextensions.k8s.io/clusters.cluster.x-k8s.io\n", "") or None])
        # The lost one's place was not written to.
        self.assertNotIn("Contents", s3.list_objects_v2(Bucket="holdfast", Prefix="clusters/old/restores/"))
        self.assertIn("Contents", s3.list_objects_v2(Bucket="holdfast", Prefix="clusters/new/restores/again/"))


if __name__ == "__main__":
    unittest.main()

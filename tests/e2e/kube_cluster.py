"""A real Kubernetes cluster in namespaces of this host, brought up by the scripts in kube/."""

import json
import os
import pathlib
import subprocess
import unittest

from harness import Stage, run

KUBE = pathlib.Path(__file__).parent / "kube"


def script(name, *arguments, **environment):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    return run([KUBE / name, *arguments], dict(inherited, **environment))


class KubeCluster:
    """`upto` "control": API server, controller manager and scheduler; "node": kubelet and pods too."""

    def __init__(self, name, index, upto="control"):
        if os.geteuid() != 0:
            raise RuntimeError("a cluster in namespaces of its own needs root")
        self.name, self.index = name, index
        self.host = f"172.31.{index}.1"  # this host as seen from the cluster
        self.server = f"https://172.31.{index}.2:6443"
        script("build.sh")
        if upto == "node":
            script("mkimages.sh")
        self.close()
        exported = script("up.sh", name, str(index), upto).splitlines()[-1]
        values = dict(word.split("=", 1) for word in exported.split()[1:])
        self.kubeconfig = pathlib.Path(values["KUBECONFIG"])
        binaries = self.kubeconfig.parents[3] / "bin"
        self.environment = dict(os.environ, KUBECONFIG=str(self.kubeconfig), PATH=f"{binaries}:{os.environ['PATH']}")

    def close(self):
        subprocess.run([KUBE / "down.sh", self.name], capture_output=True)

    def kubectl(self, *arguments, **options):
        return run(["kubectl", *arguments], self.environment, **options)

    def find(self, namespace, kind, name):
        """An object as the cluster has it; None where it is not there, or its kind is not served (yet)."""
        done = subprocess.run(["kubectl", "-n", namespace, "get", kind, name, "-o", "json"], env=self.environment, capture_output=True, text=True)
        if done.returncode == 0:
            return json.loads(done.stdout)
        if "(NotFound)" in done.stderr or "the server doesn't have a resource type" in done.stderr:
            return None
        raise AssertionError(f"kubectl get {kind} {name}: {done.stderr}")

    def location_is_available(self, namespace="velero"):
        found = self.find(namespace, "bsl", "default")
        return bool(found) and found.get("status", {}).get("phase") == "Available"

    def create_config_maps(self, namespace, count):
        """m0000, m0001, ... with their number in them."""
        items = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"m{n:04}", "namespace": namespace}, "data": {"n": str(n)}}
                 for n in range(count)]
        self.kubectl("create", "namespace", namespace)
        self.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))

    def objects(self, *arguments):
        """Objects as the API server has them, with managedFields."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json", "--show-managed-fields"))["items"]


class ClusterTest(unittest.TestCase):
    """A cluster without nodes and a Holdfast beside it, for all tests of a class."""

    cluster_name, cluster_index = "", 0

    @classmethod
    def setUpClass(cls):
        cls.cluster = KubeCluster(cls.cluster_name, cls.cluster_index)
        cls.addClassCleanup(cls.cluster.close)
        cls.stage = Stage(iscsi=False)
        cls.addClassCleanup(cls.stage.close)
        cls.daemon = cls.stage.daemon

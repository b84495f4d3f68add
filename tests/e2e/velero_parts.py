"""Velero in a cluster, as its users run it: with its node agent and its AWS plugin, on buckets of Holdfast's."""

import json

from harness import run, wait_until
from kube_cluster import KUBE, script

DIGESTS = "cd /d && find . -type f -not -path './.velero/*' | sort | xargs md5sum"  # Velero leaves a mark of its own


class Velero:
    def __init__(self, cluster, daemon, certificate):
        """Installed, with a default location in a bucket "velero" of its own."""
        self.cluster = cluster
        daemon.cli("bucket", "create", "velero")
        made = self.user(daemon, "read-write", "velero")
        script("velero-in.sh", cluster.name, S3=daemon.endpoint, CACERT=str(certificate.certificate), BUCKET="velero", AK=made["access_key"], SK=made["secret_key"])

    @staticmethod
    def user(daemon, role, scope):
        return json.loads(daemon.cli("--output", "json", "user", "create", "--role", role, "--scope", scope).stdout)

    def __call__(self, *arguments):
        return run(["velero", *arguments], self.cluster.environment)

    def add_location(self, name, daemon, certificate, bucket, prefix, role="read-write", scope=None, arguments=()):
        """A location that may use what lies under the prefix, or under another one that is given."""
        made = self.user(daemon, role, f"{bucket}/{scope or prefix}")
        credentials = self.cluster.kubeconfig.parent / f"{name}-credentials"
        credentials.write_text(f"[default]\naws_access_key_id={made['access_key']}\naws_secret_access_key={made['secret_key']}\n")
        self.cluster.kubectl("-n", "velero", "create", "secret", "generic", name, f"--from-file=cloud={credentials}")
        self("backup-location", "create", name, "--provider", "aws", "--bucket", bucket, "--prefix", prefix, "--config", f"region=us-east-1,s3ForcePathStyle=true,s3Url={daemon.endpoint}",
             "--cacert", str(certificate.certificate), "--credential", f"{name}=cloud", "--backup-sync-period", "5s", *arguments)

    def phase(self, kind, name):
        return self.cluster.kubectl("-n", "velero", "get", kind, name, "-o", "jsonpath={.status.phase}")

    def names(self, kind):
        return [name.partition("/")[2] for name in self.cluster.kubectl("-n", "velero", "get", kind, "-o", "name").split()]


def found_writer(cluster):
    """A namespace "csid" with a pod and its volume, which has 40 MiB in it."""
    cluster.kubectl("apply", "-f", str(KUBE / "manifests" / "csi-demo.yaml"))
    await_writer(cluster, "csid")
    wait_until("the volume's data", lambda: "/f" in digests(cluster, "csid"))  # written last


def await_writer(cluster, namespace):
    cluster.kubectl("-n", namespace, "wait", "--for=condition=Ready", "pod/writer", "--timeout=120s")


def in_writer(cluster, namespace, command):
    return cluster.kubectl("-n", namespace, "exec", "writer", "--", "sh", "-c", command)


def digests(cluster, namespace):
    return in_writer(cluster, namespace, DIGESTS)

"""Objects of every sort for a real cluster, and what must be the same after they were restored into another one."""

import json
import subprocess

from harness import wait_until
from kube_cluster import KUBE

MANIFESTS = [str(KUBE / "manifests" / name) for name in ("town.yaml", "harbour.yaml")]
# Kinds that do not change by themselves.
KINDS = (("configmaps", True), ("secrets", True), ("deployments.apps", True), ("services", True), ("lamps.town.example", True), ("jobs.batch", True),
         ("cronjobs.batch", True), ("roles.rbac.authorization.k8s.io", True), ("rolebindings.rbac.authorization.k8s.io", True), ("pods", True),
         ("persistentvolumeclaims", True), ("serviceaccounts", True), ("ingresses.networking.k8s.io", True), ("replicasets.apps", True),
         ("poddisruptionbudgets.policy", True), ("namespaces", False), ("persistentvolumes", False),
         ("clusterroles.rbac.authorization.k8s.io", False), ("clusterrolebindings.rbac.authorization.k8s.io", False),
         ("priorityclasses.scheduling.k8s.io", False), ("storageclasses.storage.k8s.io", False),
         ("validatingwebhookconfigurations.admissionregistration.k8s.io", False), ("customresourcedefinitions.apiextensions.k8s.io", False))


def without(holder, *names):
    for name in names:
        holder.pop(name, None)


def comparable(item):
    """Without what servers set anew for every object, and without the marks of a restore."""
    item = json.loads(json.dumps(item))
    metadata = item["metadata"]
    without(metadata, "uid", "resourceVersion", "generation", "creationTimestamp", "generateName", "managedFields", "ownerReferences")
    labels = metadata.get("labels", {})
    without(labels, "velero.io/restore-name", "velero.io/backup-name")
    if not labels:
        metadata.pop("labels", None)
    item.pop("status", None)
    spec = item.get("spec", {})
    kind = item["kind"]
    if kind == "Service" and spec.get("clusterIP") != "None":
        without(spec, "clusterIP", "clusterIPs")
        for port in spec["ports"]:
            if port.get("nodePort") != 31234:
                port.pop("nodePort", None)
    if kind == "PersistentVolumeClaim":  # binding and provisioning are the controllers' notes
        annotations = {k: v for k, v in metadata.pop("annotations", {}).items() if "pv.kubernetes.io/" not in k and "storage-provisioner" not in k}
        metadata.update({"annotations": annotations} if annotations else {})
    if kind == "PersistentVolume":
        without(spec.get("claimRef", {}), "uid", "resourceVersion")
    if kind == "Secret" and item["type"] == "kubernetes.io/service-account-token":
        item["data"] = sorted(item["data"])
        without(metadata["annotations"], "kubernetes.io/service-account.uid")
    if kind == "Job":
        for holder in (spec.get("selector", {}).get("matchLabels", {}), spec["template"]["metadata"]["labels"]):
            without(holder, "controller-uid", "batch.kubernetes.io/controller-uid")
    return item


def fill(cluster):
    """A town and a harbour: workloads, volumes, rights, webhooks, definitions and objects of them."""
    for manifest in MANIFESTS:
        subprocess.run(["kubectl", "apply", "-f", manifest], env=cluster.environment, capture_output=True)
    wait_until("the definition", lambda: "lamps" in cluster.kubectl("api-resources", "--api-group=town.example"))
    for manifest in MANIFESTS:
        cluster.kubectl("apply", "-f", manifest)
    cluster.kubectl("apply", "--server-side", "--field-manager=flux", "-f", "-", input=json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied", "namespace": "harbour"}, "data": {"a": "b"}}))
    for name_space, claim in (("town", "cellar"), ("harbour", "quay")):
        wait_until("a claim to be bound", lambda: "Bound" == cluster.kubectl("-n", name_space, "get", "pvc", claim, "-o", "jsonpath={.status.phase}"))
    wait_until("pods with the secret of their account", lambda: has_settled(cluster))
    wait_until("the token", lambda: cluster.kubectl("-n", "harbour", "get", "secret", "harbour-token", "-o", "jsonpath={.data.token}"))


def has_settled(cluster):
    """Whether the harbour's pods are as its service account wants them. Admission reads accounts from a cache, so pods of the first moments may have been
    let in without the secret for pulling; a restore would add it to them. Such pods are removed, for their replica set to make them anew."""
    pods = cluster.objects("pods", "-n", "harbour")
    for pod in pods:
        if "imagePullSecrets" not in pod["spec"]:
            cluster.kubectl("-n", "harbour", "delete", "pod", pod["metadata"]["name"], "--force", "--grace-period=0", "--ignore-not-found")
    return len(pods) == 2 and all("imagePullSecrets" in pod["spec"] for pod in pods)


def live(cluster, resource, namespaced):
    items = cluster.objects(resource, *(["--all-namespaces"] if namespaced else []))
    return {(i["metadata"].get("namespace"), i["metadata"]["name"]): i for i in items}


def live_kinds(cluster):
    return {(resource, *key): item for resource, namespaced in KINDS for key, item in live(cluster, resource, namespaced).items()}


def differences(original, restored):
    """What is not the same, as (key, wanted, got)."""
    # Of every volume that is to be made anew there is no object; what each cluster has of its own is not compared.
    original = {k: v for k, v in original.items() if k not in (("persistentvolumes", None, "quay"), ("configmaps", "town", "scratch"))}
    found = [(key, "there" if key in original else "not there", "there" if key in restored else "not there") for key in set(original) ^ set(restored)]
    for key in set(original) & set(restored):
        if key[2] in ("holdfast-location", "kube-root-ca.crt", "extension-apiserver-authentication", "kubernetes"):
            continue
        wanted, got = comparable(original[key]), comparable(restored[key])
        if key == ("persistentvolumeclaims", "harbour", "quay"):
            if "volumeName" in got["spec"]:
                found.append((key, "no volumeName", got["spec"]["volumeName"]))
            without(wanted["spec"], "volumeName")
            without(got["spec"], "volumeName")
        if wanted != got:
            found.append((key, wanted, got))
    return found

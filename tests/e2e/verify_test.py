"""Restore points are verified: read whole, and restored for a trial into a cluster with running pods."""

import gzip
import json
import pathlib
import shutil
import tempfile
import threading
import unittest

from harness import Stage, wait_until
from kube_cluster import KubeCluster, script
from receiver import Receiver

IMAGE = "localhost/busybox:1.35"
CRD = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "lamps.town.example"},
       "spec": {"group": "town.example", "scope": "Namespaced", "names": {"plural": "lamps", "singular": "lamp", "kind": "Lamp"},
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                    "type": "object", "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}}}]}}


def item(kind, name, version="v1", **more):
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, **more}


def pods_of(name, command, probe, volumes=(), mounts=()):
    container = {"name": "main", "image": IMAGE, "command": ["sh", "-c", command], "readinessProbe": {"exec": {"command": ["sh", "-c", probe]}, "periodSeconds": 1}, "volumeMounts": list(mounts)}
    return {"metadata": {"labels": {"app": name}}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [container], "volumes": list(volumes)}}


def workload(kind, name, pods, replicas=1, **spec):
    return item(kind, name, "apps/v1", spec={"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": pods, **spec})


class VerifyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # What the pod "picky" asks for: it is there when it is backed up.
        cls.wish = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-wish-"))
        cls.addClassCleanup(shutil.rmtree, cls.wish, ignore_errors=True)
        (cls.wish / "ok").touch()
        cls.cluster = KubeCluster("verify-e2e", 29, "node")
        cls.addClassCleanup(cls.cluster.close)
        script("csi-up.sh", cls.cluster.name)
        cls.stage = Stage(iscsi=False, address=cls.cluster.host)
        cls.addClassCleanup(cls.stage.close)
        cls.daemon = cls.stage.daemon
        cls.apply(CRD, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        wait_until("the definition", lambda: "lamps" in cls.cluster.kubectl("api-resources", "--api-group=town.example", "-o", "name"), 60)
        cls.apply(*cls.shop())
        for what in ("deployment/web", "deployment/picky", "statefulset/db"):
            cls.cluster.kubectl("-n", "shop", "rollout", "status", what, "--timeout=180s")
        cls.daemon.cli("cluster", "add", "prod", "--kubeconfig", str(cls.cluster.kubeconfig))
        cls.daemon.await_role("serving", "prod")
        cls.back_up("whole")

    @classmethod
    def shop(cls):
        job = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": IMAGE, "command": ["true"]}]}}}
        claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "dir", "resources": {"requests": {"storage": "1Gi"}}}}
        return [
            item("ConfigMap", "page", data={"index.html": "open"}), item("Secret", "key", stringData={"password": "not-for-logs"}),
            workload("Deployment", "web", pods_of("web", "httpd -f -p 8080 -h /page", "true", [{"name": "page", "configMap": {"name": "page"}}], [{"name": "page", "mountPath": "/page"}]), 2),
            workload("Deployment", "picky", pods_of("picky", "while :; do sleep 1; done", "test -f /wish/ok", [{"name": "wish", "hostPath": {"path": str(cls.wish)}}], [{"name": "wish", "mountPath": "/wish"}])),
            workload("StatefulSet", "db", pods_of("db", "while :; do sleep 1; done", "true", mounts=[{"name": "data", "mountPath": "/data"}]), serviceName="db", volumeClaimTemplates=[claim]),
            item("Service", "web", spec={"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}),
            item("CronJob", "often", "batch/v1", spec={"schedule": "* * * * *", "jobTemplate": {"spec": job}}),
            item("Ingress", "door", "networking.k8s.io/v1", spec={"rules": [{"host": "shop.example", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]}),
            item("NetworkPolicy", "anywhere", "networking.k8s.io/v1", spec={"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}),
            item("Lamp", "light", "town.example/v1", spec={"watts": 60}),
        ]

    @classmethod
    def apply(cls, *objects):
        cls.cluster.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    @classmethod
    def back_up(cls, name):
        cls.daemon.cli("backup", "create", name, "--cluster", "prod", "--include-namespaces", "shop", "--wait")

    def setUp(self):
        (self.wish / "ok").touch()

    def verify(self, backup, *options, check=True):
        done = self.daemon.cli("--output", "json", "verify", "run", backup, *options, check=check)
        self.assertNotIn("not-for-logs", done.stdout + done.stderr)
        return json.loads(done.stdout)

    def scratch(self):
        return json.loads(self.cluster.kubectl("get", "namespaces", "-l", "holdfast.io/trial", "-o", "json"))["items"]

    def settings(self, **fields):
        file = self.stage.directory / f"settings-{len(list(self.stage.directory.iterdir()))}.json"
        file.write_text(json.dumps(fields))
        return "--settings-file", str(file)

    def verified(self, backup):
        listed = json.loads(self.daemon.cli("--output", "json", "backup", "list").stdout)["backups"]
        return next((b["verified"], b["doubted"]) for b in listed if b["name"] == backup)

    def test_test_restore_with_clean_up(self):
        volumes = self.cluster.objects("persistentvolumes")
        held = {"exec": {"namespace": "shop", "selector": "app=db", "command": ["test", "-f", "/data/go"]}, "within": "120s"}
        page = {"http": {"namespace": "shop", "service": "web", "port": 80, "path": "/index.html"}}
        self.back_up("tried")
        result = []
        trial = threading.Thread(target=lambda: result.append(self.verify("tried", *self.settings(checks=[page, held]))))
        trial.start()
        wait_until("the checks", lambda: any(r["step"] == "checking" for r in self.daemon.ask("/v1/verifications")["runs"]), 180)
        [space] = self.scratch()
        name = space["metadata"]["name"]
        # A backup that is made meanwhile leaves it out.
        self.daemon.cli("backup", "create", "meanwhile", "--cluster", "prod", "--wait")
        taken = gzip.decompress(self.daemon.s3().get_object(Bucket="holdfast", Key="clusters/prod/backups/meanwhile/meanwhile-resource-list.json.gz")["Body"].read()).decode()
        self.assertIn('"shop/web"', taken)
        self.assertNotIn(name, taken)
        self.daemon.cli("backup", "delete", "meanwhile")
        # Nothing of it reaches beyond its namespace.
        here = {(o["kind"], o["metadata"]["name"]): o for o in self.cluster.objects("services,cronjobs,ingresses,networkpolicies,lamps,configmaps,jobs", "-n", name)}
        self.assertEqual("ClusterIP", here["Service", "web"]["spec"]["type"])
        self.assertTrue(here["CronJob", "often"]["spec"]["suspend"])
        self.assertEqual({"matchLabels": {"holdfast.io/trial": "none"}}, here["NetworkPolicy", "anywhere"]["spec"]["podSelector"])
        self.assertIn(("NetworkPolicy", "holdfast-trial"), here)
        self.assertEqual([], [k for k in here if k[0] in ("Ingress", "Lamp")])
        self.assertTrue(all(o["spec"]["suspend"] for k, o in here.items() if k[0] == "Job"))
        self.assertEqual("open", here["ConfigMap", "page"]["data"]["index.html"])
        self.cluster.kubectl("-n", name, "exec", "db-0", "--", "touch", "/data/go")
        trial.join()
        run = result[0]
        self.assertEqual(("verified", 0, 2, 2), (run["state"], run["problems"], run["dry_run"], run["checked"]))
        self.assertGreaterEqual(run["awaited"], 4)  # two deployments, a stateful set, its claim
        self.assertGreaterEqual(run["compared"], 10)
        self.assertEqual([], self.scratch())
        wait_until("its volume to go", lambda: len(self.cluster.objects("persistentvolumes")) == len(volumes), 60)
        # Nothing else was touched, and the evidence lies with the restore point.
        self.assertEqual("LoadBalancer", json.loads(self.cluster.kubectl("-n", "shop", "get", "service", "web", "-o", "json"))["spec"]["type"])
        s3 = self.daemon.s3()
        evidence = json.loads(s3.get_object(Bucket="holdfast", Key="clusters/prod/backups/tried/holdfast-evidence.json")["Body"].read())
        self.assertEqual((True, True, "prod"), (evidence["read"]["good"], evidence["restore"]["good"], evidence["restore"]["cluster"]))
        self.assertNotIn("Contents", s3.list_objects_v2(Bucket="holdfast", Prefix="holdfast/trials/"))
        self.assertEqual((True, False), self.verified("tried"))
        self.assertRegex(self.daemon.cli("backup", "list").stdout, r"tried +Completed.* yes +-\n")
        self.assertIn("tried is verified", self.daemon.cli("verify", "show", "tried").stdout)
        self.daemon.cli("backup", "delete", "tried")
        self.assertNotIn("Contents", s3.list_objects_v2(Bucket="holdfast", Prefix="clusters/prod/backups/tried/"))

    def test_what_does_not_become_ready_is_named(self):
        (self.wish / "ok").unlink()
        run = self.verify("whole", "--ready-within", "8s", check=False)
        self.assertEqual("failed", run["state"])
        self.assertIn("deployments.apps shop/picky does not become ready: 0 of 1 pods are ready", run["problem"])
        self.assertEqual([], self.scratch())
        self.assertEqual((False, True), self.verified("whole"))
        self.assertIn("FAILED", self.daemon.cli("verify", "show", "whole").stdout)
        # The next success takes its place.
        (self.wish / "ok").touch()
        self.assertEqual("verified", self.verify("whole")["state"])
        self.assertEqual((True, False), self.verified("whole"))

    def test_checks_that_fail(self):
        checks = [{"exec": {"namespace": "shop", "pod": "db-0", "command": ["sh", "-c", "echo broken >&2; exit 3"]}, "within": "1s"},
                  {"http": {"namespace": "shop", "service": "web", "port": 80, "path": "/missing.html"}, "within": "1s"},
                  {"exec": {"namespace": "shop", "selector": "app=nobody", "command": ["true"]}, "within": "1s"}]
        run = self.verify("whole", *self.settings(checks=checks), check=False)
        self.assertEqual(("failed", 3), (run["state"], run["problems"]), run)
        self.assertIn("exec in shop/db-0: command terminated with exit code 3: broken", run["problem"][0])
        self.assertTrue(run["problem"][1].startswith("GET /missing.html of service shop/web:80: "), run["problem"])
        self.assertEqual("exec in shop/app=nobody: no pod with app=nobody is ready", run["problem"][2])
        self.assertEqual([], self.scratch())

    def test_custom_resources_are_tried_without_being_written(self):
        strict = json.loads(json.dumps(CRD))
        strict["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["required"] = ["colour"]
        self.apply(strict)
        self.addCleanup(self.apply, CRD)
        run = {}

        def refused():
            run.update(self.verify("whole", check=False))
            return any("lamps.town.example" in p and "spec.colour" in p for p in run["problem"])
        wait_until("the schema to be in force", refused, 180)
        self.assertEqual("failed", run["state"])
        self.apply(CRD)

        def restored():
            run.update(self.verify("whole", "--custom-resources", check=False))
            return run["state"] == "verified"
        wait_until("the schema to be as it was", restored, 180)
        self.assertEqual(1, run["dry_run"])  # the ingress

    def test_damage_that_is_found_by_reading(self):
        self.back_up("hurt")
        s3 = self.daemon.s3()
        self.assertEqual("whole", self.verify("hurt", "--level", "read")["state"])
        key = "clusters/prod/backups/hurt/hurt-resource-list.json.gz"
        listed = json.loads(gzip.decompress(s3.get_object(Bucket="holdfast", Key=key)["Body"].read()))
        listed["v1/ConfigMap"] = [n for n in listed["v1/ConfigMap"] if n != "shop/page"] + ["shop/lost"]
        s3.put_object(Bucket="holdfast", Key=key, Body=gzip.compress(json.dumps(listed).encode()))
        run = self.verify("hurt", check=False)  # level restore reads first, and restores nothing of what is damaged
        self.assertEqual("failed", run["state"])
        self.assertEqual(["the archive has v1/ConfigMap shop/page, the resource list does not name it", "the resource list names v1/ConfigMap shop/lost, the archive does not have it"], sorted(run["problem"]))
        archive = "clusters/prod/backups/hurt/hurt.tar.gz"
        body = s3.get_object(Bucket="holdfast", Key=archive)["Body"].read()
        s3.put_object(Bucket="holdfast", Key=archive, Body=body[:len(body) // 2])
        run = self.verify("hurt", "--level", "read", check=False)
        self.assertIn("hurt.tar.gz: it is cut off", run["problem"])
        self.assertEqual((False, True), self.verified("hurt"))
        self.daemon.cli("backup", "delete", "hurt")

    def test_killed_in_the_middle_nothing_is_left(self):
        held = {"exec": {"namespace": "shop", "pod": "db-0", "command": ["false"]}, "within": "600s"}
        self.daemon.cli("verify", "run", "whole", "--no-wait", *self.settings(checks=[held]))
        wait_until("the checks", lambda: any(r["step"] == "checking" for r in self.daemon.ask("/v1/verifications")["runs"]), 180)
        self.assertEqual(1, len(self.scratch()))
        self.daemon.kill()
        self.daemon.start()
        wait_until("the namespace to go", lambda: self.scratch() == [], 120)
        wait_until("its records to go", lambda: "Contents" not in self.daemon.s3().list_objects_v2(Bucket="holdfast", Prefix="holdfast/trials/"))
        # The namespace that bears the mark but no such name is somebody else's.
        self.cluster.kubectl("create", "namespace", "stranger")
        self.cluster.kubectl("label", "namespace", "stranger", "holdfast.io/trial=x")
        self.assertEqual("verified", self.verify("whole")["state"])
        self.assertEqual(["stranger"], [s["metadata"]["name"] for s in self.scratch()])
        self.cluster.kubectl("delete", "namespace", "stranger")

    def test_bad_requests_say_what_is_wrong(self):
        for options, said in (((*self.settings(checks=[{"exec": {"namespace": "shop", "command": ["x"]}}]),), 'checks[0].exec.pod: either "pod" or "selector" says where'),
                              ((*self.settings(network="shut"),), 'network: "shut" is neither isolated nor open'),
                              (("--into", "nowhere"), 'nowhere'), (("--namespaces", "gone"), "the restore point has nothing of namespace gone")):
            done = self.daemon.cli("verify", "run", "whole", *options, check=False)
            self.assertEqual(1, done.returncode, options)
            self.assertIn(said, done.stderr)
        self.assertIn('there is no backup "none"', self.daemon.cli("verify", "run", "none", check=False).stderr)

    def test_policies_verify_by_their_own_clock(self):
        hook = Receiver()
        self.addCleanup(hook.close)
        self.daemon.cli("webhook", "add", "here", "--url", hook.url, "--event", "verification-failed")
        self.addCleanup(self.daemon.cli, "webhook", "remove", "here")
        tier = {"name": "yearly", "schedule": "@yearly", "retention": {"last": 1, "verified": 1},
                "verification": {"schedule": "@every 4s", "level": "read", "within": "1d"}}
        file = self.stage.directory / "policy.json"
        file.write_text(json.dumps({"name": "proof", "cluster": "prod", "backup": {"includedNamespaces": ["shop"]}, "tiers": [tier]}))
        self.daemon.cli("policy", "apply", str(file))
        self.addCleanup(self.daemon.cli, "policy", "delete", "proof")
        order = lambda: self.daemon.ask("/v1/verifications")["orders"][0]
        wait_until("a time with nothing to verify", lambda: order()["last_state"] == "undecided")
        self.assertEqual("there is no good restore point yet", order()["last_reason"])
        made = json.loads(self.daemon.cli("--output", "json", "policy", "run", "proof", "--wait").stdout)["backup"]
        wait_until("it to be read", lambda: (order()["last_state"], order()["last_backup"]) == ("whole", made), 60)
        self.assertFalse(order()["overdue"])
        self.assertIn('holdfast_verification_last_status{schedule="proof-yearly",level="read"} 1\n', self.daemon.metrics())
        # It is verified, and stays for that although a newer one is there.
        self.assertEqual("verified", self.verify(made, "--level", "restore")["state"])
        self.daemon.cli("policy", "run", "proof", "--wait")
        shown = self.daemon.cli("retention", "preview", "proof").stdout
        self.assertRegex(shown, rf"{made} .* keep .* one of the last 1 that verified")
        self.assertTrue(hook.got)
        self.assertEqual(("verification-failed", "proof"), (hook.got[0]["body"]["event"], hook.got[0]["body"]["policy"]))


if __name__ == "__main__":
    unittest.main()

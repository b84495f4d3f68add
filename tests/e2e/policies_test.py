"""Policies on a real cluster that Holdfast serves: by the clock and on demand, killed in the middle, past their deadline, what is kept."""

import datetime
import hmac
import json
import pathlib
import threading
import unittest

from api_proxy import ApiProxy
from harness import wait_until
from kube_cluster import ClusterTest
from receiver import Receiver

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "packaging" / "examples"


class PoliciesTest(ClusterTest):
    cluster_name, cluster_index = "policies", 24

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.create_config_maps("shop", 20)
        cls.proxy = ApiProxy(cls.cluster, cls.stage.directory)
        cls.addClassCleanup(cls.proxy.close)
        config = cls.proxy.kubeconfig(cls.stage.directory / "prod.conf", {"token": "t"})
        cls.daemon.cli("cluster", "add", "prod", "--kubeconfig", str(config))
        cls.daemon.await_role("serving", "prod")

    def setUp(self):
        self.name = self.id().rsplit(".", 1)[-1].removeprefix("test_").replace("_", "-")[:30]
        self.addCleanup(self.daemon.cli, "policy", "delete", self.name, check=False)
        self.addCleanup(lambda: setattr(self.proxy, "rule", lambda *_: None))

    def apply(self, tiers, check=True, **more):
        file = self.stage.directory / f"{self.name}.json"
        policy = {"name": self.name, "cluster": "prod", "backup": {"includedNamespaces": ["shop"], "snapshotVolumes": False}, "tiers": tiers, **more}
        file.write_text(json.dumps(policy, indent=1))
        return self.daemon.cli("policy", "apply", str(file), check=check)

    def tier(self):
        return self.daemon.ask(f"/v1/policies/{self.name}")["tiers"][0]

    def run_now(self, check=True):
        done = self.daemon.cli("--output", "json", "policy", "run", self.name, "--wait", check=check)
        return json.loads(done.stdout)

    def points(self):
        return [b["name"] for b in self.daemon.ask("/v1/clusters/prod/backups")["backups"] if b["policy"] == self.name]

    def hold_config_maps(self):
        self.proxy.seen.clear()
        self.proxy.rule = lambda method, path, headers: ("hang",) if "/configmaps?" in path and "watch" not in path else None

    def await_listing(self):
        wait_until("the backup to stand still", lambda: any("/configmaps?" in p for _, p in self.proxy.seen), 60)

    def test_by_the_clock(self):
        self.apply([{"name": "often", "schedule": "* * * * *", "retention": "forever"}])
        self.assertEqual([], self.tier()["runs"])
        wait_until("a run", lambda: [r["state"] for r in self.tier()["runs"]] == ["completed"], 90)
        run = self.tier()["runs"][0]
        due = datetime.datetime.fromisoformat(run["due"])
        self.assertEqual((0, "schedule", 1), (due.second, run["trigger"], run["attempt"]))
        self.assertEqual(f"{self.name}-often-{due:%Y%m%d%H%M}", run["backup"][:-2])
        document = json.loads(self.daemon.cli("backup", "describe", run["backup"]).stdout)
        self.assertEqual((self.name, "often"), tuple(document["metadata"]["annotations"][f"holdfast.io/{k}"] for k in ("policy", "tier")))
        self.assertEqual(f"{self.name}-often", document["metadata"]["labels"]["velero.io/schedule-name"])
        kept = datetime.datetime.fromisoformat(document["status"]["expiration"]) - due
        self.assertGreater(kept.days, 99 * 365)
        # The clients of velero.io objects see it, too.
        wait_until("its object", lambda: run["backup"] in self.cluster.kubectl("-n", "velero", "get", "backups", "-o", "name"), 90)
        listed = self.daemon.cli("policy", "get").stdout
        self.assertRegex(listed, rf"{self.name} +often +prod +\* \* \* \* \* +20\S+Z +completed +20\S+Z")
        self.assertIn(run["backup"], self.daemon.cli("policy", "describe", self.name).stdout)
        self.daemon.kill()
        self.daemon.start()
        figures = dict(line.rsplit(" ", 1) for line in self.daemon.metrics().splitlines() if f'"{self.name}-often"' in line)
        figures = {key.split("{")[0]: int(value) for key, value in figures.items()}
        self.assertGreaterEqual(figures["velero_backup_success_total"], 1)
        self.assertGreaterEqual(figures["velero_backup_last_successful_timestamp"], due.timestamp())
        self.assertEqual((1, 0), (figures["velero_backup_last_status"], figures["holdfast_policy_paused"]))

    def test_on_demand_from_a_schedule(self):
        """Now, with everything that the tier says, and its next time stays what it was."""
        self.apply([{"name": "rare", "schedule": "30 4 1 1 *", "retention": {"last": 1}, "backup": {"labelSelector": {"matchLabels": {"app": "none"}}}}])
        next_time = self.tier()["next"]
        made = [self.run_now() for _ in range(2)]
        self.assertEqual([("manual", "completed")] * 2, [(run["trigger"], run["state"]) for run in made])
        wait_until("its rule to hold", lambda: self.points() == [made[1]["backup"]], 60)
        spec = self.daemon.ask(f"/v1/clusters/prod/backups/{made[1]['backup']}/document")["spec"]
        self.assertEqual((["shop"], {"app": "none"}), (spec["includedNamespaces"], spec["labelSelector"]["matchLabels"]))
        self.assertEqual(next_time, self.tier()["next"])

    def test_paused(self):
        self.apply([{"name": "often", "schedule": "* * * * *", "retention": "forever"}])
        self.daemon.cli("policy", "pause", self.name)
        self.daemon.kill()
        self.daemon.start()
        self.assertRegex(self.daemon.cli("policy", "get").stdout, rf"{self.name} .* paused +- +-")
        self.assertEqual("completed", self.run_now()["state"])
        self.daemon.cli("policy", "resume", self.name)
        self.assertNotEqual("", self.tier()["next"])

    def test_killed_in_the_middle(self):
        self.apply([{"name": "t", "schedule": "@yearly", "retention": "forever", "retries": {"times": 1, "wait": "1s"}}])
        self.hold_config_maps()
        self.daemon.cli("policy", "run", self.name)
        self.await_listing()
        first = self.tier()["runs"][0]["backup"]
        self.daemon.kill()
        self.proxy.rule = lambda *_: None
        self.daemon.start()
        wait_until("the end", lambda: self.tier()["runs"][0]["state"] == "completed", 60)
        run = self.tier()["runs"][0]
        self.assertEqual((2, "the attempt before: the daemon ended while it ran"), (run["attempt"], run["reason"]))
        self.assertEqual([run["backup"]], self.points())
        left = self.daemon.s3().list_objects_v2(Bucket="holdfast", Prefix=f"clusters/prod/backups/{first}/")
        self.assertEqual(first == run["backup"], "Contents" in left)

    def test_past_its_deadline(self):
        self.apply([{"name": "t", "schedule": "@yearly", "retention": "forever", "deadline": "3s"}])
        self.hold_config_maps()
        run = self.run_now(check=False)
        self.assertEqual(("failed", "its deadline of 3s is over"), (run["state"], run["reason"]))
        self.proxy.rule = lambda *_: None
        self.assertEqual([], self.points())
        self.assertEqual("completed", self.run_now()["state"])

    def test_one_at_a_time(self):
        self.apply([{"name": "t", "schedule": "@yearly", "retention": "forever"}])
        self.hold_config_maps()
        self.daemon.cli("policy", "run", self.name)
        self.await_listing()
        refused = self.daemon.cli("policy", "run", self.name, check=False)
        self.assertEqual(1, refused.returncode)
        self.assertIn('run 1 of tier "t" is running', refused.stderr)
        self.proxy.rule = lambda *_: None

    def test_what_is_kept(self):
        self.apply([{"name": "t", "schedule": "@yearly", "retention": {"last": 2}}])
        made = [self.run_now()["backup"] for _ in range(3)]
        wait_until("the first to go", lambda: self.points() == made[1:], 60)
        wait_until("its object to go", lambda: made[0] not in self.cluster.kubectl("-n", "velero", "get", "backups", "-o", "name"), 120)
        preview = self.daemon.cli("retention", "preview", self.name).stdout
        self.assertRegex(preview, rf"{made[2]} +t +\S+ +keep +\S+ +the latest good one, one of the last 2")
        file = self.stage.directory / "stricter.json"
        file.write_text(json.dumps({"name": self.name, "cluster": "prod", "tiers": [{"name": "t", "schedule": "@daily", "retention": {"last": 1}}]}))
        stricter = self.daemon.cli("retention", "preview", "--file", str(file), "--days", "40").stdout
        self.assertRegex(stricter, rf"{made[1]} +t +\S+ +remove +now +no rule keeps it")
        self.assertRegex(stricter, r"t +20\d\d-\d\d +1 +20")
        self.assertEqual(made[1:], self.points())
        self.daemon.cli("policy", "delete", self.name)
        self.assertEqual(made[1:], self.points())
        self.assertIn(f'no policy "{self.name}"', self.daemon.cli("policy", "describe", self.name, check=False).stderr)

    def test_locked(self):
        """Until its time is over nobody removes or changes it: not its policy, not by hand, not a cluster's administrator, not over S3."""
        self.apply([{"name": "t", "schedule": "@yearly", "retention": {"last": 1}, "lock": "1h"}])
        made = [self.run_now()["backup"] for _ in range(2)]
        status = lambda: {b["name"]: b for b in self.daemon.ask("/v1/clusters/prod/backups")["backups"] if b["policy"] == self.name}
        wait_until("the locks", lambda: all(b["locked_until"] for b in status().values()), 60)
        for point in status().values():
            began, until = (datetime.datetime.fromisoformat(point[key]) for key in ("started", "locked_until"))
            self.assertEqual(3600, (until - began).total_seconds())
        until = status()[made[0]]["locked_until"]
        self.assertIn(until, self.daemon.cli("backup", "list").stdout)
        self.assertRegex(self.daemon.cli("retention", "preview", self.name).stdout, rf"{made[0]} +t +\S+ +keep +\S+ +locked until {until}")
        refused = self.daemon.cli("backup", "delete", made[0], check=False)
        self.assertEqual((1, True), (refused.returncode, f'backup "{made[0]}" is locked until {until}' in refused.stderr), refused.stderr)
        self.cluster.kubectl("create", "-f", "-", input=json.dumps(
            {"apiVersion": "velero.io/v1", "kind": "DeleteBackupRequest", "metadata": {"name": "locked", "namespace": "velero"}, "spec": {"backupName": made[0]}}))
        request = lambda: json.loads(self.cluster.kubectl("-n", "velero", "get", "deletebackuprequest", "locked", "-o", "json")).get("status", {})
        wait_until("the answer", lambda: request().get("phase") == "Processed", 60)
        self.assertEqual([f"backup is locked until {until}"], request()["errors"])
        s3, prefix = self.daemon.s3(), f"clusters/prod/backups/{made[0]}/"
        objects = lambda: {o["Key"]: s3.get_object(Bucket="holdfast", Key=o["Key"])["Body"].read() for o in s3.list_objects_v2(Bucket="holdfast", Prefix=prefix)["Contents"]}
        before = objects()
        self.assertIn(prefix + "velero-backup.json", before)
        for key in before:
            self.assertEqual("COMPLIANCE", s3.head_object(Bucket="holdfast", Key=key)["ObjectLockMode"])
            with self.assertRaisesRegex(s3.exceptions.ClientError, "AccessDenied"):
                s3.delete_object(Bucket="holdfast", Key=key)
            with self.assertRaisesRegex(s3.exceptions.ClientError, "AccessDenied"):
                s3.put_object(Bucket="holdfast", Key=key, Body=b"ransom")
        self.daemon.kill()
        self.daemon.start()
        self.daemon.await_role("serving", "prod")
        self.assertEqual((made, before), (self.points(), objects()))
        self.assertEqual(until, status()[made[0]]["locked_until"])

    def test_wrong_ones_change_nothing(self):
        good = [{"name": "t", "schedule": "@yearly", "retention": {"last": 2}}]
        self.apply(good)
        refused = self.apply(good + [{"name": "u", "schedule": "nonsense", "retention": {"last": 2}}], check=False)
        self.assertEqual(1, refused.returncode)
        self.assertRegex(refused.stderr, rf"{self.name}\.json: line \d+: tiers\[1\]\.schedule: ")
        self.assertEqual(["t"], [t["name"] for t in self.daemon.ask(f"/v1/policies/{self.name}")["tiers"]])
        self.assertIn("cannot read /nowhere", self.daemon.cli("policy", "apply", "/nowhere", check=False).stderr)
        unknown = self.apply(good, cluster="nobody")
        self.assertIn("applied", unknown.stdout)
        self.assertIn('there is no cluster "nobody" yet', unknown.stderr)
        run = self.run_now(check=False)
        self.assertEqual(("failed", 'cluster "nobody" is not registered'), (run["state"], run["reason"]))
        unwell = self.daemon.cli("status", check=False)
        self.assertEqual(1, unwell.returncode)
        self.assertIn(f'policy "{self.name}", tier "t": the last run is failed: cluster "nobody" is not registered', unwell.stderr)
        self.assertIn(f'velero_backup_failure_total{{schedule="{self.name}-t"}} 1\n', self.daemon.metrics())
        self.assertIn(f'velero_backup_last_status{{schedule="{self.name}-t"}} 0\n', self.daemon.metrics())

    def add_webhook(self, receiver, *arguments, name="ops", check=True):
        secret = self.stage.directory / "webhook-secret"
        secret.write_text("a secret of the webhook\n")
        self.addCleanup(self.daemon.cli, "webhook", "remove", name, check=False)
        return self.daemon.cli("webhook", "add", name, "--url", receiver.url + "/hook?of=holdfast", "--secret-file", str(secret), *arguments, check=check)

    def test_webhooks(self):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        self.add_webhook(receiver)
        self.daemon.cli("webhook", "test", "ops")
        self.assertEqual("test", receiver.got[0]["body"]["event"])
        receiver.got.clear()
        self.apply([{"name": "t", "schedule": "@yearly", "retention": "forever"}])
        receiver.statuses = [500, 302]  # taken at the third try
        run = self.run_now()
        wait_until("the event", lambda: len(receiver.got) == 3, 60)
        self.assertEqual(1, len({got["text"] for got in receiver.got}), "the same event again")
        got = receiver.got[-1]
        event = got["body"]
        self.assertEqual(("backup-completed", "prod", self.name, "t", run["backup"]), tuple(event[k] for k in ("event", "cluster", "policy", "tier", "backup")))
        self.assertEqual("/hook?of=holdfast", got["path"])
        self.assertEqual("backup-completed", got["headers"]["x-holdfast-event"])
        self.assertEqual("sha256=" + hmac.new(b"a secret of the webhook", got["text"].encode(), "sha256").hexdigest(), got["headers"]["x-holdfast-signature"])
        wait_until("that to be known", lambda: self.daemon.ask("/v1/webhooks")["webhooks"][0]["delivered"] == 1)
        self.assertNotIn("a secret of", json.dumps(self.daemon.ask("/v1/webhooks")) + self.daemon.cli("webhook", "list").stdout + self.daemon.log())
        # Only what it asks for.
        self.add_webhook(receiver, "--event", "backup-failed", "--event", "rpo-violated")
        receiver.got.clear()
        self.run_now()
        self.apply([{"name": "t", "schedule": "@yearly", "retention": "forever", "deadline": "2s"}])
        self.hold_config_maps()
        self.run_now(check=False)
        wait_until("the failure", lambda: receiver.got, 60)
        self.assertEqual(["backup-failed"], [g["body"]["event"] for g in receiver.got])
        self.assertIn("its deadline of 2s is over", receiver.got[0]["body"]["text"])

    def test_webhooks_that_are_of_no_use(self):
        receiver = Receiver()
        refused = self.add_webhook(receiver, "--event", "nonsense", check=False)
        self.assertIn('there is no event "nonsense"; there are backup-completed, ', refused.stderr)
        for url in ("ftp://x/", "http://", "nonsense", "http://user:secret@x/"):
            refused = self.daemon.cli("webhook", "add", "bad", "--url", url, check=False)
            self.assertEqual(1, refused.returncode, url)
            self.assertIn("it needs a URL", refused.stderr)
        self.assertIn('"Bad" is no name of a webhook', self.daemon.cli("webhook", "add", "Bad", "--url", receiver.url, check=False).stderr)
        self.assertIn('there is no webhook "none"', self.daemon.cli("webhook", "test", "none", check=False).stderr)
        self.add_webhook(receiver)
        receiver.close()
        self.assertEqual(1, self.daemon.cli("webhook", "test", "ops", check=False).returncode)
        self.apply([{"name": "t", "schedule": "@yearly", "retention": "forever"}])
        self.run_now()
        wait_until("the problem", lambda: self.daemon.ask("/v1/webhooks")["webhooks"][0]["problem"], 60)
        unwell = self.daemon.cli("status", check=False)
        self.assertEqual(1, unwell.returncode)
        self.assertRegex(unwell.stderr, 'webhook "ops" is not told what happens: .*127.0.0.1')
        self.assertNotIn("of=holdfast", unwell.stderr + self.daemon.log(), "what gives access to a receiver is often its path")

    def test_rpo_violation_alarm(self):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        self.add_webhook(receiver, "--event", "rpo-violated")
        self.apply([{"name": "t", "schedule": "@yearly", "retention": "forever", "rpo": "3s"}])
        wait_until("the event", lambda: receiver.got, 60)
        self.assertEqual("there has been no good restore point for 3s, the target", receiver.got[0]["body"]["text"])
        unwell = self.daemon.cli("status", check=False)
        self.assertEqual(1, unwell.returncode)
        self.assertIn(f'policy "{self.name}", tier "t": the newest good restore point is ', unwell.stderr)
        self.assertIn("VIOLATED", self.daemon.cli("policy", "describe", self.name).stdout)
        self.apply([{"name": "t", "schedule": "@yearly", "retention": "forever", "rpo": "1h"}])
        self.run_now()
        self.assertEqual((3600, False), (self.tier()["rpo_target_seconds"], self.tier()["rpo_violated"]))
        self.assertIn(f'holdfast_policy_rpo_target_seconds{{schedule="{self.name}-t"}} 3600\n', self.daemon.metrics())
        self.assertNotIn("the newest good restore point", self.daemon.cli("status", check=False).stderr)

    def test_an_emergency_goes_before_all_that_waits(self):
        gate = threading.Event()
        self.addCleanup(gate.set)
        self.proxy.seen.clear()
        self.proxy.rule = lambda method, path, headers: gate.wait(60) and None if "/configmaps?" in path and "watch" not in path else None
        for name in ("first", "second", "third"):
            self.daemon.cli("backup", "create", f"{self.name}-{name}", "--include-namespaces", "shop")
        self.await_listing()
        asked = self.daemon.cli("backup", "emergency")
        name = asked.stdout.split()[1]
        self.assertRegex(asked.stdout, r"^prod: emergency-\d{14} has been asked for$")
        gate.set()
        wait_until("all of them", lambda: {b["phase"] for b in self.daemon.ask("/v1/clusters/prod/backups")["backups"]} == {"Completed"}, 120)
        order = sorted((b["started"], b["name"]) for b in self.daemon.ask("/v1/clusters/prod/backups")["backups"] if b["name"] == name or b["name"].startswith(self.name))
        log = self.daemon.log()
        begun = [n for n in (f"{self.name}-first", name, f"{self.name}-second", f"{self.name}-third")]
        self.assertEqual(begun, sorted(begun, key=lambda n: log.index(f"backup {n} of cluster prod begins")), order)
        document = json.loads(self.daemon.cli("backup", "describe", name).stdout)
        self.assertEqual((True, ["*"]), (document["spec"]["includeClusterResources"], document["spec"].get("includedNamespaces")))
        # A cluster that cannot be backed up is named, and keeps no other from it.
        self.daemon.cli("cluster", "add", "other", "--kubeconfig", str(self.cluster.kubeconfig), "--namespace", "elsewhere", "--no-velero-objects")
        self.addCleanup(self.daemon.cli, "cluster", "remove", "other")
        self.proxy.rule = lambda method, path, headers: ("status", 403, {}, {"kind": "Status", "code": 403, "message": "closed"})
        done = self.daemon.cli("--output", "json", "backup", "emergency", "--wait", check=False)
        self.proxy.rule = lambda *_: None
        problems = {b["cluster"]: b["problem"] for b in json.loads(done.stdout)["backups"]}
        self.assertEqual((1, ""), (done.returncode, problems["other"]))
        self.assertIn("it is Failed", problems["prod"])
        self.daemon.await_role("serving", "prod", 120)  # the other tests' runs would wait for it
        self.assertIn('no cluster "none"', self.daemon.cli("backup", "emergency", "--cluster", "none", check=False).stderr)

    def test_the_five_tiers(self):
        self.name = "five-tiers"
        self.daemon.cli("policy", "apply", str(EXAMPLES / "five-tiers.yaml"))
        tiers = self.daemon.ask("/v1/policies/five-tiers")["tiers"]
        self.assertEqual(["hot", "critical", "full", "config", "dr"], [t["name"] for t in tiers])
        self.daemon.cli("policy", "run", "five-tiers", "--tier", "full", "--wait")
        self.assertEqual(1, len(self.points()))


if __name__ == "__main__":
    unittest.main()

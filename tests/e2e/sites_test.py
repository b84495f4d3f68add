"""Copies of restore points at another site: a second Holdfast, on its own pool."""

import datetime
import json
import os
import pathlib
import re
import time
import unittest
import urllib.request

from harness import Certificate, Stage, wait_until
from kube_cluster import ClusterTest
from s3_proxy import S3Proxy


class SitesTest(ClusterTest):
    cluster_name, cluster_index = "sites", 25

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.create_config_maps("shop", 200)
        cls.daemon.cli("cluster", "add", "prod", "--kubeconfig", str(cls.cluster.kubeconfig))
        cls.daemon.await_role("serving", "prod")
        cls.there = Stage(iscsi=False)
        cls.addClassCleanup(cls.there.close)
        cls.s3, cls.remote = cls.daemon.s3(), cls.there.daemon.s3()
        cls.remote.create_bucket(Bucket="far")
        cls.secret = cls.stage.directory / "secret"
        cls.secret.write_text(cls.there.daemon.secret_key + "\n")
        cls.added = cls.add_site("dr")
        cls.proxy = S3Proxy(cls.there.daemon.endpoint, cls.stage.directory)
        cls.addClassCleanup(cls.proxy.close)
        cls.add_site("proxied", url=cls.proxy.url, ca=cls.proxy.certificate.certificate)

    def setUp(self):
        self.addCleanup(lambda: setattr(self.proxy, "rule", lambda *_: None))

    @classmethod
    def add_site(cls, name, bucket="far", url=None, access_key=None, secret=None, ca=None, check=True):
        return cls.daemon.cli("site", "add", name, "--endpoint", url or cls.there.daemon.endpoint, "--bucket", bucket, "--access-key", access_key or cls.there.daemon.access_key,
                              "--secret-file", str(secret or cls.secret), *(("--ca-file", str(ca)) if ca else ()), check=check)

    def back_up(self, name):
        self.daemon.cli("backup", "create", name, "--include-namespaces", "shop", "--wait")

    def objects(self, s3, bucket, prefix):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {o["Key"]: s3.get_object(Bucket=bucket, Key=o["Key"])["Body"].read() for page in pages for o in page.get("Contents", [])}

    def units(self):
        return {u["backup"]: u for u in self.daemon.ask("/v1/sites/dr/copies")["units"]}

    def test_what_a_site_can_do(self):
        self.assertIn("site dr added\ndr: usable; conditional writes: yes, tags: yes, versioning: no, object lock: no", self.added.stdout)
        self.assertIn("usable", self.daemon.cli("site", "check", "dr").stdout)
        self.assertEqual({}, self.objects(self.remote, "far", "holdfast/probe/"))
        self.assertNotIn(self.there.daemon.secret_key, self.daemon.cli("--output", "json", "site", "list").stdout + self.daemon.log())

    def test_sites_that_are_of_no_use(self):
        wrong = self.stage.directory / "wrong"
        wrong.write_text("wrong\n")
        for name, arguments, reason in (("a", {"bucket": "nobody"}, "NoSuchBucket"), ("b", {"secret": wrong}, "SignatureDoesNotMatch"), ("c", {"access_key": "nobody"}, "InvalidAccessKeyId"),
                                        ("d", {"url": "http://127.0.0.1:1"}, "127.0.0.1:1"), ("e", {"url": "ftp://x"}, '"ftp://x" is no endpoint'), ("F", {}, '"F" is no name of a site'),
                                        ("dr", {}, 'there is a site "dr"')):
            refused = self.add_site(name, **arguments, check=False)
            self.assertEqual(1, refused.returncode, name)
            self.assertIn(reason, refused.stderr)
        other = Certificate(self.stage.directory, name="other")
        refused = self.add_site("g", url=self.proxy.url, ca=other.certificate, check=False)
        self.assertRegex(refused.stderr, "(?i)certificate")
        self.assertEqual(["dr", "proxied"], [s["name"] for s in self.daemon.ask("/v1/sites")["sites"]])

    def test_a_copy_and_its_removal(self):
        self.back_up("one")
        self.daemon.cli("copy", "run", "one", "--site", "dr", "--wait")
        here, there = (self.objects(s3, bucket, "clusters/prod/backups/one/") for s3, bucket in ((self.s3, "holdfast"), (self.remote, "far")))
        self.assertIn("clusters/prod/backups/one/velero-backup.json", here)
        self.assertEqual(here, there)
        unit = self.units()["one"]
        self.assertEqual(("prod", "", ""), (unit["cluster"], unit["expires"], unit["policy"]))
        self.assertEqual(json.loads(here["clusters/prod/backups/one/velero-backup.json"])["status"]["startTimestamp"], unit["started"])
        # Whoever looks needs nothing but the site.
        other = Stage(iscsi=False)
        self.addCleanup(other.close)
        other.daemon.cli("site", "add", "dr", "--endpoint", self.there.daemon.endpoint, "--bucket", "far", "--access-key", self.there.daemon.access_key, "--secret-file", str(self.secret))
        self.assertEqual(self.units(), {u["backup"]: u for u in other.daemon.ask("/v1/sites/dr/copies")["units"]})
        self.assertIn("one", other.daemon.cli("copies", "list", "--site", "dr").stdout)
        # Again changes nothing; what is gone here stays there.
        self.daemon.cli("copy", "run", "one", "--site", "dr", "--wait")
        self.daemon.cli("backup", "delete", "one")
        self.assertEqual(there, self.objects(self.remote, "far", "clusters/prod/backups/one/"))
        self.remote.put_object(Bucket="far", Key="clusters/prod/backups/one/of-somebody-else", Body=b"x")
        self.daemon.cli("copies", "remove", "one", "--site", "dr")
        self.assertEqual({"clusters/prod/backups/one/of-somebody-else": b"x"}, self.objects(self.remote, "far", "clusters/prod/backups/one/"))
        self.assertNotIn("one", self.units())
        self.assertIn("no copy of backup", self.daemon.cli("copies", "remove", "one", "--site", "dr", check=False).stderr)

    def test_a_copy_that_was_cut_off_goes_on(self):
        self.back_up("large")
        for i in range(300):
            self.s3.put_object(Bucket="holdfast", Key=f"clusters/prod/backups/large/large-{i}", Body=os.urandom(20_000))
        body = os.urandom(8 << 20)
        upload = self.s3.create_multipart_upload(Bucket="holdfast", Key="clusters/prod/backups/large/data")
        part = lambda n: {"PartNumber": n, "ETag": self.s3.upload_part(Bucket="holdfast", Key=upload["Key"], UploadId=upload["UploadId"], PartNumber=n, Body=body)["ETag"]}
        parts = [part(n) for n in range(1, 25)]
        self.s3.complete_multipart_upload(Bucket="holdfast", Key=upload["Key"], UploadId=upload["UploadId"], MultipartUpload={"Parts": parts})
        for round in range(3):
            self.daemon.cli("copy", "run", "large", "--site", "dr")
            wait_until("some of it to be there", lambda: any(c["bytes_done"] > (round + 1) * (30 << 20) for c in self.daemon.ask("/v1/sites/dr/copies")["copies"]) or "large" in self.units(), 60)
            self.daemon.kill()
            self.daemon.start()
            self.assertEqual([], self.daemon.ask("/v1/sites/dr/copies")["copies"])
        self.daemon.cli("copy", "run", "large", "--site", "dr", "--wait")
        here, there = (self.objects(s3, bucket, "clusters/prod/backups/large/") for s3, bucket in ((self.s3, "holdfast"), (self.remote, "far")))
        self.assertEqual(here.keys(), there.keys())
        self.assertTrue(all(here[key] == there[key] for key in here))
        self.assertNotIn("Uploads", self.remote.list_multipart_uploads(Bucket="far", Prefix="clusters/prod/backups/large/"))

    def copy_through(self, name, rule):
        """Copies by way of the proxy; gives what the command said, and how often the rule was asked and acted."""
        self.back_up(name)
        acted = []

        def counted(method, path):
            action = rule(method, path)
            if action:
                acted.append((method, path))
            return action

        self.proxy.rule = counted
        done = self.daemon.cli("copy", "run", name, "--site", "proxied", "--wait", check=False)
        self.proxy.rule = lambda *_: None
        return done, acted

    def assert_whole(self, name):
        here, there = (self.objects(s3, bucket, f"clusters/prod/backups/{name}/") for s3, bucket in ((self.s3, "holdfast"), (self.remote, "far")))
        self.assertEqual(here, there)
        self.assertIn(name, self.units())

    def test_mishaps_that_pass(self):
        for number, action in enumerate((("status", 503, "SlowDown"), ("status", 500, "InternalError"), ("status", 200, "InternalError"), ("drop",), ("lose",), ("cut", 5))):
            with self.subTest(action=action):
                seen = {}

                def once(method, path, seen=seen):
                    seen[method, path] = seen.get((method, path), 0) + 1
                    # An answer without a body cannot be cut, and lists are not changed by an error with 200.
                    fits = method in ("PUT", "POST") if action[1:2] == (200,) else method == "GET" if action[0] == "cut" else True
                    return action if fits and seen[method, path] == 1 else None

                done, acted = self.copy_through(f"passes-{number}", once)
                self.assertEqual((0, ""), (done.returncode, done.stderr))
                self.assertTrue(acted)
                self.assert_whole(f"passes-{number}")

    def test_bytes_that_change_on_their_way(self):
        for number, file in enumerate(("{}.tar.gz", "velero-backup.json")):
            name = f"bent-{number}"
            done, acted = self.copy_through(name, lambda method, path: ("bend",) if method == "PUT" and path.endswith(f"/{name}/" + file.format(name)) else None)
            self.assertEqual(1, done.returncode)
            self.assertIn("BadDigest", done.stderr)
            self.assertTrue(acted)
            self.assertNotIn(f"clusters/prod/backups/{name}/{file.format(name)}", self.objects(self.remote, "far", f"clusters/prod/backups/{name}/"))
            self.assertNotIn(name, self.units())
            self.daemon.cli("copy", "run", name, "--site", "proxied", "--wait")
            self.assert_whole(name)

    def test_mishaps_that_stay(self):
        for name, action, reason in (("read-only", ("status", 403, "AccessDenied"), "AccessDenied: on purpose"), ("full", ("status", 507, "InsufficientStorage"), "InsufficientStorage"),
                                     ("wrong-clock", ("status", 403, "RequestTimeTooSkewed"), "RequestTimeTooSkewed"), ("refused", ("status", 400, "InvalidRequest"), "InvalidRequest")):
            with self.subTest(name):
                done, acted = self.copy_through(name, lambda method, path: action if method == "PUT" and "archive" not in path and f"/{name}/{name}" in path else None)
                self.assertEqual(1, done.returncode)
                self.assertIn(f'backup "{name}" is not copied to site "proxied": ', done.stderr)
                self.assertIn(reason, done.stderr)
                self.assertNotIn(name, self.units())
                self.assertNotIn(f"clusters/prod/backups/{name}/velero-backup.json", self.objects(self.remote, "far", f"clusters/prod/backups/{name}/"))
                self.assertIn(reason, self.daemon.cli("copies", "list", "--site", "proxied").stdout)
                self.daemon.cli("copy", "run", name, "--site", "proxied", "--wait")
                self.assert_whole(name)

    def test_a_restore_straight_from_a_site(self):
        """Nothing of the restore point is here any more, and nothing of it comes back."""
        self.back_up("straight")
        self.daemon.cli("copy", "run", "straight", "--site", "dr", "--wait")
        self.daemon.cli("backup", "delete", "straight")
        self.assertEqual({}, self.objects(self.s3, "holdfast", "clusters/prod/backups/straight/"))
        into = ("--backup", "straight", "--from-site", "dr", "--namespace-mappings", "shop:from-afar")
        self.assertIn("created: ", self.daemon.cli("restore", "plan", *into).stdout)
        self.daemon.cli("restore", "create", "afar", *into, "--wait")
        data = lambda namespace: {i["metadata"]["name"]: i["data"] for i in self.cluster.objects("-n", namespace, "configmaps") if i["metadata"]["name"] != "kube-root-ca.crt"}
        self.assertEqual(200, len(data("from-afar")))
        self.assertEqual(data("shop"), data("from-afar"))
        self.assertEqual({}, self.objects(self.s3, "holdfast", "clusters/prod/backups/straight/"))
        for arguments, reason in ((("--backup", "none", "--from-site", "dr"), 'the site has no copy of backup "none" of cluster "prod"'), (("--backup", "straight", "--from-site", "nowhere"), 'no site "nowhere"'),
                                  (("--backup", "straight", "--from-site", "dr", "--from-cluster", "other"), 'the site has no copy of backup "straight" of cluster "other"'),
                                  (("--from-schedule", "s", "--from-site", "dr"), "a restore from a site names its backup")):
            refused = self.daemon.cli("restore", "create", "wrong", *arguments, check=False)
            self.assertEqual(1, refused.returncode)
            self.assertIn(reason, refused.stderr)
        # What lies there is not what was copied: nothing is written.
        key = "clusters/prod/backups/straight/straight.tar.gz"
        body = bytearray(self.remote.get_object(Bucket="far", Key=key)["Body"].read())
        body[len(body) // 2] ^= 1
        self.remote.put_object(Bucket="far", Key=key, Body=bytes(body))
        self.addCleanup(self.daemon.cli, "copies", "remove", "straight", "--site", "dr")
        failed = self.daemon.cli("restore", "create", "bent", "--backup", "straight", "--from-site", "dr", "--namespace-mappings", "shop:bent", "--wait", check=False)
        self.assertEqual(1, failed.returncode, failed.stdout)
        self.assertNotIn("namespace/bent", self.cluster.kubectl("get", "namespaces", "-o", "name"))

    def test_a_site_whose_clock_is_wrong(self):
        """What it refuses is signed again by its own clock."""
        self.back_up("in-time")
        for name, offset, ahead in (("ahead", "+2h", 7200), ("behind", "-2h", -7200)):
            library = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))  # not by its command, which would stay between us and the daemon
            far = Stage(iscsi=False, prefix=("env", f"LD_PRELOAD={library}", "FAKETIME_DONT_FAKE_MONOTONIC=1", f"FAKETIME={offset}"))
            self.addCleanup(far.close)
            far.daemon.cli("bucket", "create", "far")
            secret = self.stage.directory / f"secret-{name}"
            secret.write_text(far.daemon.secret_key)
            added = self.add_site(name, url=far.daemon.endpoint, access_key=far.daemon.access_key, secret=secret)
            self.addCleanup(self.daemon.cli, "site", "remove", name)
            said = int(re.search(r"its clock is ahead by (-?\d+) s", added.stdout)[1])
            self.assertLess(abs(said - ahead), 60)
            self.daemon.cli("copy", "run", "in-time", "--site", name, "--wait")
            self.assertIn("whole", self.daemon.cli("copies", "verify", "in-time", "--site", name).stdout)

    def test_no_faster_than_it_may(self):
        self.back_up("slow")
        body = os.urandom(2 << 20)
        for i in range(4):
            self.s3.put_object(Bucket="holdfast", Key=f"clusters/prod/backups/slow/large-{i}", Body=body)
        self.daemon.cli("site", "set", "dr", "--bandwidth", "1M")
        self.addCleanup(self.daemon.cli, "site", "set", "dr", "--bandwidth", "none")
        self.assertRegex(self.daemon.cli("site", "list").stdout, r"dr .* 1\.0 MiB/s")
        began = time.monotonic()
        self.daemon.cli("copy", "run", "slow", "--site", "dr", "--wait")
        self.assertGreater(time.monotonic() - began, 5.5)  # the last part of 8 MiB may begin after six seconds; only too fast is a failure
        self.assert_whole("slow")
        # One that runs goes on as fast as it may from now on.
        self.daemon.cli("copies", "remove", "slow", "--site", "dr")
        self.daemon.cli("site", "set", "dr", "--bandwidth", "64K")
        self.daemon.cli("copy", "run", "slow", "--site", "dr")
        wait_until("the copy to run", lambda: any(c["backup"] == "slow" and c["state"] == "copying" for c in self.daemon.ask("/v1/sites/dr/transfers")["copies"]))
        self.daemon.cli("copies", "list", "--site", "dr")
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(64 << 10, next(s["bytes_per_second"] for s in self.daemon.ask("/v1/sites")["sites"] if s["name"] == "dr"))
        self.assertIn("is too little: 65536 at least", self.daemon.cli("site", "set", "dr", "--bandwidth", "1", check=False).stderr)
        self.assertIn('"fast" is neither', self.daemon.cli("site", "set", "dr", "--bandwidth", "fast", check=False).stderr)

    def test_a_key_that_is_revoked_halfway(self):
        made = json.loads(self.there.daemon.cli("--output", "json", "user", "create", "--scope", "far").stdout)
        secret = self.stage.directory / "revoked"
        secret.write_text(made["secret_key"])
        self.add_site("revoked", url=self.proxy.url, ca=self.proxy.certificate.certificate, access_key=made["access_key"], secret=secret)
        self.back_up("halfway")

        def revoke(method, path):
            if method == "PUT" and "velero-backup.json" in path:
                self.there.daemon.cli("user", "set", made["access_key"], "--enabled", "false")
                self.proxy.rule = lambda *_: None

        self.proxy.rule = revoke
        done = self.daemon.cli("copy", "run", "halfway", "--site", "revoked", "--wait", check=False)
        self.assertEqual(1, done.returncode)
        self.assertIn("InvalidAccessKeyId", done.stderr)
        self.assertNotIn("halfway", self.units())
        self.there.daemon.cli("user", "set", made["access_key"], "--enabled", "true")
        self.daemon.cli("copy", "run", "halfway", "--site", "revoked", "--wait")
        self.assert_whole("halfway")
        self.daemon.cli("site", "remove", "revoked")

    def test_an_object_that_somebody_else_changed(self):
        self.back_up("checked")
        self.daemon.cli("copy", "run", "checked", "--site", "dr", "--wait")
        self.assertIn("checked at site dr: whole, ", self.daemon.cli("copies", "verify", "checked", "--site", "dr").stdout)
        key = "clusters/prod/backups/checked/checked.tar.gz"
        body = bytearray(self.remote.get_object(Bucket="far", Key=key)["Body"].read())
        body[len(body) // 2] ^= 1
        self.remote.put_object(Bucket="far", Key=key, Body=bytes(body))
        damaged = self.daemon.cli("copies", "verify", "checked", "--site", "dr", check=False)
        self.assertEqual(1, damaged.returncode)
        self.assertIn("backups/checked/checked.tar.gz has other bytes than were copied\n", damaged.stdout)
        self.assertIn('copy of backup "checked" of cluster "prod" at site "dr" is damaged', self.daemon.cli("status", check=False).stderr)
        self.daemon.cli("copy", "run", "checked", "--site", "dr", "--wait")
        self.assert_whole("checked")
        self.daemon.cli("copies", "verify", "checked", "--site", "dr")

    def test_two_appliances_and_one_place(self):
        self.back_up("mine")
        self.daemon.cli("copy", "run", "mine", "--site", "dr", "--wait")
        marker = next(k for k in self.objects(self.remote, "far", "holdfast/units/prod/mine,"))
        source = marker.split(",")[3]
        self.remote.put_object(Bucket="far", Key=marker.replace(source, "holdfast-0123456789abcdef"), Body=b"{}")
        refused = self.daemon.cli("copy", "run", "mine", "--site", "dr", "--wait", check=False)
        self.assertIn('appliance holdfast-0123456789abcdef has copied a backup "mine" of a cluster "prod" there', refused.stderr)
        self.remote.delete_object(Bucket="far", Key=marker.replace(source, "holdfast-0123456789abcdef"))

    def apply(self, name, cluster="prod", **tier):
        file = self.stage.directory / f"{name}.json"
        file.write_text(json.dumps({"name": name, "cluster": cluster, "backup": {"includedNamespaces": ["shop"]}, "tiers": [{"name": "t", "schedule": "@yearly", **tier}]}))
        self.daemon.cli("policy", "apply", str(file))
        self.addCleanup(self.daemon.cli, "policy", "delete", name, check=False)

    def run_policy(self, name, check=True):
        return json.loads(self.daemon.cli("--output", "json", "policy", "run", name, "--wait", check=check).stdout)["backup"]

    def points(self, policy):
        return [b["name"] for b in self.daemon.ask("/v1/clusters/prod/backups")["backups"] if b["policy"] == policy]

    def copied(self, policy):
        return [name for name, u in self.units().items() if u["policy"] == policy]

    def test_all_missing_are_copied_and_too_old_ones_go(self):
        """Local retention waits for the copy; the site's own rule decides there."""
        self.there.daemon.kill()
        try:
            self.apply("everything", retention={"last": 1}, copies=[{"site": "dr", "retention": {"last": 2}}])
            made = [self.run_policy("everything") for _ in range(3)]
            self.assertEqual(made, self.points("everything"))
            preview = self.daemon.cli("retention", "preview", "everything").stdout
            self.assertRegex(preview, rf"{made[0]} .* keep +- +its copy is still due")
            wait_until("an alarm", lambda: 'policy "everything", tier "t": nothing can be copied to site "dr"' in self.daemon.cli("status", check=False).stderr, 90)
        finally:
            self.there.daemon.start()
        self.daemon.kill()  # what is due is known from the site alone
        self.daemon.start()
        wait_until("the two that its rule keeps", lambda: self.copied("everything") == made[1:], 60)
        wait_until("the local ones to go", lambda: self.points("everything") == made[2:], 60)
        made.append(self.run_policy("everything"))
        wait_until("the next", lambda: self.copied("everything") == made[2:], 60)
        # Its marker went first.
        wait_until("its objects to go", lambda: "Contents" not in self.remote.list_objects_v2(Bucket="far", Prefix=f"clusters/prod/backups/{made[1]}/"))
        order = lambda: next(o for o in self.daemon.ask("/v1/sites/orders")["orders"] if o["policy"] == "everything")
        wait_until("that to be known", lambda: (order()["there"], order()["due"], order()["newest"]) == (2, 0, self.units()[made[-1]]["started"]), 60)
        self.assertRegex(self.daemon.cli("copies", "status").stdout, r"everything +t +prod +dr +2 +0 +20\S+Z +-")
        self.assertIn('holdfast_copies_due{schedule="everything-t",site="dr"} 0\n', self.daemon.metrics())

    def test_latest_not_yet_copied(self):
        self.apply("newest", retention="forever")
        made = [self.run_policy("newest") for _ in range(2)]
        self.apply("newest", retention="forever", copies=[{"site": "dr", "mode": "latest", "retention": "forever"}])
        wait_until("the newest", lambda: self.copied("newest") == made[1:], 60)
        made.append(self.run_policy("newest"))
        wait_until("the next", lambda: self.copied("newest") == made[1:], 60)
        made.append(self.run_policy("newest"))
        wait_until("the one after it", lambda: self.copied("newest") == made[1:], 60)
        self.assertEqual(made, self.points("newest"))

    def test_copy_only_after_success(self):
        self.apply("failing", cluster="nobody", retention="forever", copies=[{"site": "dr", "retention": "forever"}])
        self.run_policy("failing", check=False)
        self.apply("working", retention="forever", copies=[{"site": "dr", "retention": {"keepFor": "30d"}}])
        made = self.run_policy("working")
        wait_until("the copy", lambda: self.copied("working") == [made], 60)
        self.assertEqual([], self.copied("failing"))
        unit = self.units()[made]
        self.assertEqual(("working", "t"), (unit["policy"], unit["tier"]))
        # expiresAt
        days = [datetime.datetime.fromisoformat(unit[key]) for key in ("expires", "started")]
        self.assertEqual(30, (days[0] - days[1]).days)

    def test_copies_by_label(self):
        """Backups that no policy made go along with a tier's, by its rule there."""
        self.apply("labelled", retention="forever", copies=[{"site": "dr", "labels": {"keep": "far", "team": "a"}, "retention": {"last": 2}}])
        for name, labels in (("marked-1", {"keep": "far", "team": "a", "more": "x"}), ("marked-2", {"keep": "far", "team": "b"}), ("marked-3", {"keep": "far", "team": "a"}), ("marked-4", {})):
            self.make("Backup", name, {"includedNamespaces": ["shop"]}, labels=labels)
            self.await_phase("backup", name, "Completed")
        wait_until("those that bear both", lambda: set(self.copied("labelled")) == {"marked-1", "marked-3"}, 90)
        made = self.run_policy("labelled")
        wait_until("the last two", lambda: set(self.copied("labelled")) == {"marked-3", made}, 90)
        self.assertEqual([made], self.points("labelled"))

    def test_locked_copies(self):
        """Who has the site's key can hide them, and no more; what is hidden comes to light again."""
        self.remote.create_bucket(Bucket="vault", ObjectLockEnabledForBucket=True)
        self.add_site("vault", bucket="vault")
        self.addCleanup(self.daemon.cli, "site", "remove", "vault", check=False)
        self.assertIn("versioning: Enabled, object lock: yes", self.daemon.cli("site", "check", "vault").stdout)
        self.apply("locked", retention="forever", copies=[{"site": site, "retention": {"last": 1}, "lock": "1h"} for site in ("vault", "dr")])
        made = [self.run_policy("locked") for _ in range(2)]
        units = lambda: {u["backup"]: u for u in self.daemon.ask("/v1/sites/vault/copies")["units"]}
        wait_until("both", lambda: {n: bool(u["locked_until"]) for n, u in units().items()} == dict.fromkeys(made, True), 60)
        until = units()[made[0]]["locked_until"]
        self.assertEqual(3600, (datetime.datetime.fromisoformat(until) - datetime.datetime.fromisoformat(units()[made[0]]["started"])).total_seconds())
        self.assertIn(until, self.daemon.cli("copies", "list", "--site", "vault").stdout)
        # The other site has no Object Lock, and that is said.
        failed = lambda: [c["reason"] for c in self.daemon.ask("/v1/sites/dr/copies")["copies"] if c["backup"] == made[0]]
        wait_until("the reason", lambda: failed() == ["its policy wants it locked there, and bucket far has no Object Lock"], 60)
        refused = self.daemon.cli("copies", "remove", made[0], "--site", "vault", check=False)
        self.assertIn(f'the copy of backup "{made[0]}" is locked until {until}', refused.stderr)
        copies = lambda: {**self.objects(self.remote, "vault", "clusters/"), **self.objects(self.remote, "vault", "holdfast/units/")}
        before = copies()
        for key in before:
            lock = self.remote.get_object_retention(Bucket="vault", Key=key)["Retention"]
            self.assertEqual("COMPLIANCE", lock["Mode"], key)
            version = self.remote.head_object(Bucket="vault", Key=key)["VersionId"]
            with self.assertRaisesRegex(self.remote.exceptions.ClientError, "AccessDenied"):
                self.remote.delete_object(Bucket="vault", Key=key, VersionId=version)
        # The policy is gone, too, so that nothing is copied anew.
        self.daemon.cli("policy", "delete", "locked")
        for i, key in enumerate(before):
            if i % 2 == 0:
                self.remote.put_object(Bucket="vault", Key=key, Body=b"ransom")
            if i % 3 == 0 or key.startswith("holdfast/units/"):
                self.remote.delete_object(Bucket="vault", Key=key)
        self.assertEqual({}, units())
        hidden = self.daemon.cli("copies", "list", "--site", "vault", "--hidden").stdout
        for name in made:
            self.assertRegex(hidden, rf"prod +{name} ")
            self.daemon.cli("copies", "unhide", name, "--site", "vault")
        self.assertEqual(before, copies())
        self.daemon.cli("copies", "verify", made[0], "--site", "vault")
        self.assertIn("no locked copy", self.daemon.cli("copies", "unhide", "nothing", "--site", "vault", check=False).stderr)

    def make(self, kind, name, spec, **metadata):
        self.cluster.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "velero.io/v1", "kind": kind, "metadata": {"name": name, "namespace": "velero", **metadata}, "spec": spec}))

    def object(self, kind, name):
        return json.loads(self.cluster.kubectl("-n", "velero", "get", kind, name, "-o", "json"))

    def await_phase(self, kind, name, phase):
        wait_until(f"{kind} {name} to be {phase}", lambda: self.object(kind, name).get("status", {}).get("phase") == phase, 90)
        return self.object(kind, name)["status"]

    def make_location(self, name, prefix, mode="ReadWrite", url=None, credential=True, bucket="far", secret="far"):
        self.make("BackupStorageLocation", name, {
            "provider": "aws", "accessMode": mode, "config": {"s3Url": url or self.there.daemon.endpoint, "region": "us-east-1"}, "objectStorage": {"bucket": bucket, "prefix": prefix},
            **({"credential": {"name": secret, "key": "cloud"}} if credential else {})})
        self.addCleanup(self.cluster.kubectl, "-n", "velero", "delete", "backupstoragelocation", name, check=False)

    def test_a_location_at_a_site(self):
        """Any S3 that is registered as a site holds backups of a served cluster, by the location's own key."""
        keys = f"[default]\naws_access_key_id={self.there.daemon.access_key}\naws_secret_access_key={self.there.daemon.secret_key}\n"
        self.cluster.kubectl("-n", "velero", "create", "secret", "generic", "far", f"--from-literal=cloud={keys}")
        self.cluster.kubectl("-n", "velero", "create", "secret", "generic", "wrong", f"--from-literal=cloud={keys.replace(self.there.daemon.secret_key, 'x' * 40)}")
        self.make_location("far", "team")
        self.await_phase("backupstoragelocation", "far", "Available")
        self.make("Backup", "away", {"includedNamespaces": ["shop"], "storageLocation": "far"})
        self.assertGreater(self.await_phase("backup", "away", "Completed")["progress"]["itemsBackedUp"], 200)
        there = self.objects(self.remote, "far", "team/backups/away/")
        self.assertIn("team/backups/away/velero-backup.json", there)
        self.assertNotIn("Contents", self.s3.list_objects_v2(Bucket="holdfast", Prefix="clusters/prod/backups/away/"))
        self.make("Restore", "back", {"backupName": "away", "namespaceMapping": {"shop": "from-far"}})
        self.await_phase("restore", "back", "Completed")
        names = lambda namespace: {o["metadata"]["name"] for o in json.loads(self.cluster.kubectl("-n", namespace, "get", "configmaps", "-o", "json"))["items"]}
        self.assertEqual(names("shop"), names("from-far"))
        self.assertIn("team/restores/back/restore-back-results.gz", self.objects(self.remote, "far", "team/restores/"))
        self.make("DownloadRequest", "log", {"target": {"kind": "BackupContents", "name": "away"}})
        url = self.await_phase("downloadrequest", "log", "Processed")["downloadURL"]
        with urllib.request.urlopen(url, timeout=30) as answer:
            self.assertEqual(there["team/backups/away/away.tar.gz"], answer.read())
        # A restart finds what is there again.
        self.daemon.kill()
        self.daemon.start()
        self.daemon.await_role("serving", "prod")
        self.make("DeleteBackupRequest", "away", {"backupName": "away"})
        wait_until("it to be gone", lambda: "Contents" not in self.remote.list_objects_v2(Bucket="far", Prefix="team/backups/"), 90)
        # Copies are there to be read.
        self.back_up("seen")
        self.daemon.cli("copy", "run", "seen", "--site", "dr", "--wait")
        self.make_location("copies", "clusters/prod", mode="ReadOnly")
        self.await_phase("backupstoragelocation", "copies", "Available")
        for name, arguments, reason in (("writes", {"prefix": "clusters/prod"}, "its accessMode has to be ReadOnly"), ("whole", {"prefix": ""}, "its accessMode has to be ReadOnly"),
                                        ("stranger", {"prefix": "x", "url": "http://127.0.0.1:1"}, "nor the endpoint of one of its sites"),
                                        ("keyless", {"prefix": "x", "credential": False}, "names no credential of its own"), ("wrong", {"prefix": "x", "secret": "wrong"}, "SignatureDoesNotMatch"),
                                        ("nowhere", {"prefix": "x", "bucket": "nobody"}, "NoSuchBucket")):
            self.make_location(name, **arguments)
            self.assertIn(reason, self.await_phase("backupstoragelocation", name, "Unavailable")["message"])

    def test_what_cannot_be_copied(self):
        self.assertIn('there is no backup "nobody"', self.daemon.cli("copy", "run", "nobody", "--site", "dr", check=False).stderr)
        self.assertIn('there is no site "mars"', self.daemon.cli("copy", "run", "nobody", "--site", "mars", check=False).stderr)

    def test_a_site_that_goes_away(self):
        self.back_up("later")
        self.there.daemon.kill()
        try:
            self.daemon.cli("copy", "run", "later", "--site", "dr")
            checked = self.daemon.cli("site", "check", "dr", check=False)
            self.assertEqual(1, checked.returncode)
        finally:
            self.there.daemon.start()
        wait_until("the copy", lambda: "later" in self.units(), 90)  # within its patience


if __name__ == "__main__":
    unittest.main()

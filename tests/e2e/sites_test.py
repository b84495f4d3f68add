"""Copies of restore points at another site: a second Holdfast, on its own pool."""

import json
import os
import unittest

from harness import Stage, wait_until
from kube_cluster import ClusterTest


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

    @classmethod
    def add_site(cls, name, bucket="far", url=None, access_key=None, secret=None, check=True):
        return cls.daemon.cli("site", "add", name, "--endpoint", url or cls.there.daemon.endpoint, "--bucket", bucket, "--access-key", access_key or cls.there.daemon.access_key,
                              "--secret-file", str(secret or cls.secret), check=check)

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
        self.assertEqual(["dr"], [s["name"] for s in self.daemon.ask("/v1/sites")["sites"]])

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

    def test_two_appliances_and_one_place(self):
        self.back_up("mine")
        self.daemon.cli("copy", "run", "mine", "--site", "dr", "--wait")
        marker = next(k for k in self.objects(self.remote, "far", "holdfast/units/prod/mine,"))
        source = marker.split(",")[3]
        self.remote.put_object(Bucket="far", Key=marker.replace(source, "holdfast-0123456789abcdef"), Body=b"{}")
        refused = self.daemon.cli("copy", "run", "mine", "--site", "dr", "--wait", check=False)
        self.assertIn('appliance holdfast-0123456789abcdef has copied a backup "mine" of a cluster "prod" there', refused.stderr)
        self.remote.delete_object(Bucket="far", Key=marker.replace(source, "holdfast-0123456789abcdef"))

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

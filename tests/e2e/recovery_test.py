"""An appliance that is recovered elsewhere while the first one still lives: what comes back, and that only one of them acts."""

import json
import pathlib
import tempfile
import shutil
import subprocess
import unittest

from harness import HOLDFAST, Daemon, Stage, wait_until
from kube_cluster import ClusterTest


class RecoveryTest(ClusterTest):
    cluster_name, cluster_index = "recovery", 28

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.create_config_maps("shop", 5)
        cls.daemon.cli("cluster", "add", "prod", "--kubeconfig", str(cls.cluster.kubeconfig))
        cls.there = Stage(iscsi=False)
        cls.addClassCleanup(cls.there.close)
        cls.there.daemon.s3().create_bucket(Bucket="far")
        cls.secret = cls.write("secret", cls.there.daemon.secret_key)
        cls.key_file = cls.write("recovery-key", cls.daemon.recovery_key)
        cls.daemon.cli("site", "add", "dr", "--endpoint", cls.there.daemon.endpoint, "--bucket", "far", "--access-key", cls.there.daemon.access_key, "--secret-file", str(cls.secret))
        policy = cls.write("policy", json.dumps({"name": "shop", "cluster": "prod", "backup": {"includedNamespaces": ["shop"]}, "tiers": [
            {"name": "daily", "schedule": "@daily", "retention": {"last": 3}, "copies": [{"site": "dr", "retention": "forever"}]}]}))
        cls.daemon.cli("policy", "apply", str(policy))
        cls.daemon.await_role("serving", "prod")
        cls.daemon.cli("policy", "run", "shop", "--wait")
        wait_until("the copy", lambda: cls.daemon.ask("/v1/sites/dr/copies")["units"], 60)
        cls.backup = cls.daemon.ask("/v1/sites/dr/copies")["units"][0]["backup"]
        wait_until("the settings at the site", lambda: cls.dry_run().returncode == 0, 120)

    @classmethod
    def write(cls, name, text):
        path = cls.stage.directory / name
        path.write_text(text + "\n")
        path.chmod(0o600)
        return path

    @classmethod
    def dry_run(cls):
        return cls.daemon.cli("recover", "--dry-run", "--site", "dr", "--recovery-key-file", str(cls.key_file), check=False)

    def place(self, **changes):
        o = {"from-site": self.there.daemon.endpoint, "bucket": "far", "access-key": self.there.daemon.access_key, "secret-file": self.secret, "recovery-key-file": self.key_file, **changes}
        return [word for name, value in o.items() if value is not None for word in (f"--{name}", str(value))]

    def elsewhere(self):
        """A recovered appliance on another host, which has been started."""
        directory = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-recovered-"))
        self.addCleanup(shutil.rmtree, directory)
        daemon = Daemon(directory, init=("recover", *self.place()))
        self.addCleanup(daemon.kill)
        return daemon

    def state(self, daemon):
        return daemon.ask("/v1/recovery")["state"]

    def test_what_is_refused_changes_nothing(self):
        wrong = self.write("wrong", self.there.daemon.recovery_key)
        mistyped = self.write("mistyped", "A" + self.daemon.recovery_key[1:] if self.daemon.recovery_key[0] != "A" else "B" + self.daemon.recovery_key[1:])
        self.there.daemon.s3().create_bucket(Bucket="empty")
        directory = self.stage.directory / "never"
        for changes, reason in (({"recovery-key-file": wrong}, "the recovery key does not open"), ({"recovery-key-file": mistyped}, "group 1 of the recovery key is mistyped"),
                                ({"bucket": "nobody"}, "NoSuchBucket"), ({"bucket": "empty"}, "holds no bundle of any appliance"), ({"appliance": "holdfast-0"}, "holds no bundle of appliance holdfast-0"),
                                ({"from-site": "http://127.0.0.1:1"}, "127.0.0.1:1"), ({"recovery-key-file": None}, "--recovery-key-file"), ({"secret-file": "/nonexistent"}, "/nonexistent"),
                                ({"from-site": None}, "--from-site")):
            with self.subTest(reason):
                done = subprocess.run([str(HOLDFAST), "recover", *self.place(**changes), "--dir", str(directory), "--plain-http", "--size", "2G"], capture_output=True, text=True)
                self.assertEqual(1, done.returncode, done.stdout)
                self.assertIn(reason, done.stderr)
                self.assertFalse(directory.exists())
        done = subprocess.run([str(HOLDFAST), "recover", *self.place()], capture_output=True, text=True)
        self.assertIn("give --dir DIRECTORY or --system", done.stderr)
        done = subprocess.run([str(HOLDFAST), "recover", *self.place(), "--dir", str(self.daemon.run), "--plain-http"], capture_output=True, text=True)
        self.assertIn("exists: this directory is initialised already", done.stderr)

    def test_a_dry_run_from_anywhere(self):
        done = subprocess.run([str(HOLDFAST), "recover", "--dry-run", *self.place()], capture_output=True, text=True)
        self.assertEqual(0, done.returncode, done.stderr)
        for line in ("clusters: prod\n", "policies: shop\n", "sites:    dr\n", "buckets:  holdfast\n", "nothing was changed"):
            self.assertIn(line, done.stdout)
        self.assertNotIn(self.daemon.secret_key, done.stdout)

    def test_a_dry_run_says_what_the_bundle_lacks(self):
        done = self.dry_run()
        self.assertIn("the bundle opens with this key and names everything", done.stdout)
        self.daemon.cli("user", "create", "--name", "new")
        done = self.dry_run()
        self.assertEqual(1, done.returncode)
        self.assertRegex(done.stderr, "it is behind: user [A-Z0-9]+ is not in it")
        wait_until("the next bundle", lambda: self.dry_run().returncode == 0, 120)

    def test_a_damaged_bundle_is_passed_over(self):
        s3 = self.there.daemon.s3()
        newest = sorted(o["Key"] for o in s3.list_objects_v2(Bucket="far", Prefix="holdfast/bundles/")["Contents"])[-1]
        good = s3.get_object(Bucket="far", Key=newest)["Body"].read()
        appliance, _, name = newest.rpartition("/")
        generation, number, _ = name.split(",")
        damaged = f"{appliance}/{generation},{int(number) + 1:012},0000"
        s3.put_object(Bucket="far", Key=damaged, Body=good[:-9] + bytes([good[-9] ^ 1]) + good[-8:])
        self.addCleanup(s3.delete_object, Bucket="far", Key=damaged)
        done = subprocess.run([str(HOLDFAST), "recover", "--dry-run", *self.place()], capture_output=True, text=True)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn(f"passed over: {damaged}", done.stderr)
        s3.put_object(Bucket="far", Key=damaged, Body=good)  # whole, but under a name that is not its own
        done = subprocess.run([str(HOLDFAST), "recover", "--dry-run", *self.place()], capture_output=True, text=True)
        self.assertRegex(done.stderr, f"passed over: {damaged}: .* lies under the name of another one")
        self.assertIn("clusters: prod\n", done.stdout)

    def test_one_of_two_acts(self):
        second = self.elsewhere()
        self.assertEqual((self.daemon.access_key, self.daemon.secret_key), (second.access_key, second.secret_key), "whoever had a key still has it")
        second.s3().head_bucket(Bucket="holdfast")
        self.assertEqual("standby", self.state(second))
        status = second.cli("status", check=False)
        self.assertEqual(1, status.returncode)
        self.assertIn("this appliance does not act (standby)", status.stderr)
        self.assertIn("does not act", second.cli("policy", "run", "shop", check=False).stderr)
        self.assertEqual("serving", self.daemon.cluster("prod")["role"])
        # Looking, fetching and restoring need nobody's leave.
        second.cli("copies", "fetch", self.backup, "--site", "dr")
        self.assertIn("there is a backup", second.cli("copies", "fetch", self.backup, "--site", "dr", check=False).stderr)
        verdict = second.cli("retention", "preview", "shop").stdout
        self.assertIn(self.backup, verdict)
        self.cluster.kubectl("delete", "configmap", "m0003", "-n", "shop")
        second.cli("restore", "create", "back", "--backup", self.backup, "--wait")
        self.assertEqual("3", self.cluster.objects("configmaps", "-n", "shop", "--field-selector=metadata.name=m0003")[0]["data"]["n"])
        self.assertIn("does not act", second.cli("copy", "run", self.backup, "--site", "dr", "--wait", check=False).stderr)

        second.cli("recover", "activate")
        wait_until("the first one to be told", lambda: self.state(self.daemon) == "superseded", 120)
        wait_until("it to serve no more", lambda: self.daemon.cluster("prod")["role"] != "serving", 60)
        second.await_role("serving", "prod", 120)
        status = self.daemon.cli("status", check=False)
        self.assertEqual(1, status.returncode)
        self.assertIn("this appliance does not act (superseded)", status.stderr)
        self.assertIn("does not act", self.daemon.cli("copies", "remove", self.backup, "--site", "dr", check=False).stderr)
        self.daemon.stop()
        self.daemon.start()
        self.assertEqual("superseded", self.state(self.daemon))
        second.cli("policy", "run", "shop", "--wait")
        wait_until("a copy by the second one", lambda: len(second.ask("/v1/sites/dr/copies")["units"]) == 2, 60)
        self.assertEqual(1, len({u["source"] for u in second.ask("/v1/sites/dr/copies")["units"]}), "it is the same appliance")
        # And back.
        self.daemon.cli("recover", "activate")
        wait_until("the second one to be told", lambda: self.state(second) == "superseded", 120)
        self.daemon.await_role("serving", "prod", 120)
        self.assertIn("nothing to activate", self.daemon.cli("recover", "activate", check=False).stderr)

    def test_an_appliance_in_the_clear_cannot_be_brought_back(self):
        stage = Stage(iscsi=False, arguments=("--no-encryption",))
        self.addCleanup(stage.close)
        stage.daemon.cli("site", "add", "dr", "--endpoint", self.there.daemon.endpoint, "--bucket", "far", "--access-key", self.there.daemon.access_key, "--secret-file", str(self.secret))
        status = stage.daemon.cli("status", check=False)
        self.assertEqual(1, status.returncode)
        self.assertIn("the first pool is not encrypted", status.stderr)


if __name__ == "__main__":
    unittest.main()

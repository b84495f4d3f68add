"""Real S3 clients against holdfastd on a real iSCSI LUN (CHAP and header digests on); data compared byte for byte."""

import filecmp
import hashlib
import io
import json
import os
import pathlib
import random
import subprocess
import unittest

import boto3
import botocore.config
import botocore.exceptions

from harness import REGION, Stage, run


def make_tree(root, seed):
    """Files of many sizes, with names that need escaping."""
    source = random.Random(seed)
    names = ["plain", "with space", "ümläut", "a+b&c=d", "deep/er/still/file", "deep/other", "percent%20", "quote'\"", "empty"]
    for i, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if name == "empty" else source.randbytes((1, 1000, 70_000, 9_000_000)[i % 4]))


def assert_same_tree(test, left, right):
    compared = filecmp.dircmp(left, right)
    test.assertEqual(([], []), (compared.left_only, compared.right_only))
    for name in compared.common_files:
        test.assertEqual((left / name).read_bytes(), (right / name).read_bytes(), name)
    for name in compared.common_dirs:
        assert_same_tree(test, left / name, right / name)


class ClientsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stage = Stage(iscsi=True)
        cls.daemon = cls.stage.daemon
        cls.environment = cls.daemon.client_environment()
        cls.tree = cls.stage.directory / "tree"
        cls.tree.mkdir()
        make_tree(cls.tree, 7)

    @classmethod
    def tearDownClass(cls):
        cls.stage.close()

    def boto(self, **config):
        return boto3.client("s3", endpoint_url=self.daemon.endpoint, aws_access_key_id=self.daemon.access_key,
                            aws_secret_access_key=self.daemon.secret_key, region_name=REGION,
                            config=botocore.config.Config(s3={"addressing_style": "path"}, **config))

    def test_aws_cli(self):
        aws = [os.environ.get("HOLDFAST_AWS", "aws"), "--endpoint-url", self.daemon.endpoint, "s3"]
        run([*aws, "mb", "s3://aws-cli"], self.environment)
        run([*aws, "sync", self.tree, "s3://aws-cli/tree", "--no-progress"], self.environment)
        back = self.stage.directory / "aws-back"
        run([*aws, "sync", "s3://aws-cli/tree", back, "--no-progress"], self.environment)
        assert_same_tree(self, self.tree, back)
        run([*aws, "rm", "--recursive", "s3://aws-cli/tree/deep"], self.environment)
        left = run([*aws, "ls", "--recursive", "s3://aws-cli/"], self.environment)
        self.assertNotIn("deep/", left)
        self.assertIn("with space", left)
        run([*aws, "rb", "--force", "s3://aws-cli"], self.environment)

    def test_boto3_checksums(self):
        s3 = self.boto()
        s3.create_bucket(Bucket="checksums")
        body = random.Random(3).randbytes(300_000)
        for algorithm in ("CRC32", "SHA1", "SHA256"):
            s3.put_object(Bucket="checksums", Key=algorithm, Body=body, ChecksumAlgorithm=algorithm)
            head = s3.head_object(Bucket="checksums", Key=algorithm, ChecksumMode="ENABLED")
            self.assertTrue(head[f"Checksum{algorithm}"])
            self.assertEqual(body, s3.get_object(Bucket="checksums", Key=algorithm, ChecksumMode="ENABLED")["Body"].read())
        with self.assertRaises(botocore.exceptions.ClientError) as refused:
            s3.put_object(Bucket="checksums", Key="wrong", Body=body, ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
        self.assertEqual("BadDigest", refused.exception.response["Error"]["Code"])
        with self.assertRaises(s3.exceptions.NoSuchKey):
            s3.get_object(Bucket="checksums", Key="wrong")

    def test_boto3_multipart_and_copy(self):
        s3 = self.boto()
        s3.create_bucket(Bucket="parts")
        body = random.Random(4).randbytes(23_000_000)
        s3.upload_fileobj(io.BytesIO(body), "parts", "big", ExtraArgs={"Metadata": {"who": "me"}, "ContentType": "text/x"})
        found = s3.get_object(Bucket="parts", Key="big")
        self.assertEqual("text/x", found["ContentType"])
        self.assertEqual({"who": "me"}, found["Metadata"])
        self.assertEqual(hashlib.sha256(body).digest(), hashlib.sha256(found["Body"].read()).digest())
        s3.copy({"Bucket": "parts", "Key": "big"}, "parts", "copy")
        self.assertEqual(body[5_000_000:6_000_001],
                         s3.get_object(Bucket="parts", Key="copy", Range="bytes=5000000-6000000")["Body"].read())
        upload = s3.create_multipart_upload(Bucket="parts", Key="left", ChecksumAlgorithm="CRC32C")
        part = s3.upload_part(Bucket="parts", Key="left", UploadId=upload["UploadId"], PartNumber=1, Body=body[:6_000_000],
                              ChecksumAlgorithm="CRC32C")
        self.assertEqual(1, len(s3.list_parts(Bucket="parts", Key="left", UploadId=upload["UploadId"])["Parts"]))
        done = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC32C": part["ChecksumCRC32C"]}]}
        first = s3.complete_multipart_upload(Bucket="parts", Key="left", UploadId=upload["UploadId"], MultipartUpload=done)
        again = s3.complete_multipart_upload(Bucket="parts", Key="left", UploadId=upload["UploadId"], MultipartUpload=done)
        self.assertEqual(first["ETag"], again["ETag"])

    def test_boto3_versions_locks_and_conditions(self):
        s3 = self.boto()
        s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
        version = s3.put_object(Bucket="locked", Key="k", Body=b"one", ObjectLockMode="COMPLIANCE",
                                ObjectLockRetainUntilDate="2199-01-01T00:00:00Z")["VersionId"]
        s3.put_object(Bucket="locked", Key="k", Body=b"two")
        with self.assertRaises(botocore.exceptions.ClientError) as refused:
            s3.delete_object(Bucket="locked", Key="k", VersionId=version)
        self.assertEqual("AccessDenied", refused.exception.response["Error"]["Code"])
        marker = s3.delete_object(Bucket="locked", Key="k")
        self.assertTrue(marker["DeleteMarker"])
        listed = s3.list_object_versions(Bucket="locked")
        self.assertEqual((2, 1), (len(listed["Versions"]), len(listed["DeleteMarkers"])))
        s3.delete_object(Bucket="locked", Key="k", VersionId=marker["VersionId"])
        self.assertEqual(b"two", s3.get_object(Bucket="locked", Key="k")["Body"].read())
        self.assertEqual(b"one", s3.get_object(Bucket="locked", Key="k", VersionId=version)["Body"].read())
        with self.assertRaises(botocore.exceptions.ClientError) as refused:
            s3.put_object(Bucket="locked", Key="k", Body=b"three", IfNoneMatch="*")
        self.assertEqual("PreconditionFailed", refused.exception.response["Error"]["Code"])

    def test_presigned_urls(self):
        s3 = self.boto(signature_version="s3v4")
        s3.create_bucket(Bucket="presigned")
        s3.put_object(Bucket="presigned", Key="a b/ü", Body=b"hello")
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "presigned", "Key": "a b/ü"}, ExpiresIn=60)
        self.assertEqual("hello", run(["curl", "-sS", "--fail", url]))
        refused = subprocess.run(["curl", "-sS", url.replace("X-Amz-Expires=60", "X-Amz-Expires=61")],
                                 capture_output=True, text=True)
        self.assertIn("SignatureDoesNotMatch", refused.stdout)

    def test_roles(self):
        made = json.loads(self.daemon.cli("--output", "json", "user", "create", "--role", "append-only", "--scope", "roles/in").stdout)
        self.boto().create_bucket(Bucket="roles")
        s3 = boto3.client("s3", endpoint_url=self.daemon.endpoint, aws_access_key_id=made["access_key"],
                          aws_secret_access_key=made["secret_key"], region_name=REGION)
        s3.put_object(Bucket="roles", Key="in/x", Body=b"1")
        for refused in (lambda: s3.put_object(Bucket="roles", Key="in/x", Body=b"2"),
                        lambda: s3.put_object(Bucket="roles", Key="out", Body=b"1"),
                        lambda: s3.delete_object(Bucket="roles", Key="in/x")):
            with self.assertRaises(botocore.exceptions.ClientError) as error:
                refused()
            self.assertEqual("AccessDenied", error.exception.response["Error"]["Code"])
        self.assertEqual(b"1", s3.get_object(Bucket="roles", Key="in/x")["Body"].read())
        self.assertNotIn(made["secret_key"], self.daemon.log())

    def test_rclone(self):
        remote = "hf:"
        settings = {"type": "s3", "provider": "Other", "access_key_id": self.daemon.access_key,
                    "secret_access_key": self.daemon.secret_key, "region": REGION, "endpoint": self.daemon.endpoint}
        environment = {f"RCLONE_CONFIG_HF_{k.upper()}": v for k, v in settings.items()}
        environment |= {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}

        def rclone(*arguments):
            run(["rclone", *arguments], environment)

        rclone("mkdir", f"{remote}rclone")
        rclone("copy", self.tree, f"{remote}rclone/copy", "--s3-upload-cutoff", "5M")
        rclone("check", self.tree, f"{remote}rclone/copy", "--download")
        (self.stage.directory / "rclone-back").mkdir()
        rclone("sync", f"{remote}rclone/copy", self.stage.directory / "rclone-back")
        assert_same_tree(self, self.tree, self.stage.directory / "rclone-back")
        rclone("sync", self.tree / "deep", f"{remote}rclone/copy")
        rclone("check", self.tree / "deep", f"{remote}rclone/copy")

    def test_restic(self):
        environment = dict(self.environment, RESTIC_PASSWORD="test", RESTIC_REPOSITORY=f"s3:{self.daemon.endpoint}/restic/repo",
                           RESTIC_CACHE_DIR=str(self.stage.directory / "restic-cache"))
        run(["restic", "init"], environment)
        for _ in range(2):
            run(["restic", "backup", self.tree], environment)
            (self.tree / "changes").write_bytes(os.urandom(500_000))
        run(["restic", "backup", self.tree], environment)
        run(["restic", "check", "--read-data"], environment)
        run(["restic", "forget", "--keep-last", "1", "--prune"], environment)
        run(["restic", "check", "--read-data"], environment)
        back = self.stage.directory / "restic-back"
        run(["restic", "restore", "latest", "--target", back], environment)
        assert_same_tree(self, self.tree, back / pathlib.Path(*self.tree.parts[1:]))
        (self.tree / "changes").unlink()

    def test_s3cmd(self):
        config = self.stage.directory / "s3cfg"
        config.write_text(f"[default]\naccess_key = {self.daemon.access_key}\nsecret_key = {self.daemon.secret_key}\n"
                          f"host_base = 127.0.0.1:{self.daemon.port}\nhost_bucket = 127.0.0.1:{self.daemon.port}\n"
                          f"use_https = False\nbucket_location = {REGION}\n")
        s3cmd = ["s3cmd", "-c", config]
        run([*s3cmd, "mb", "s3://s3cmd"])
        run([*s3cmd, "put", "--multipart-chunk-size-mb=5", self.tree / "a+b&c=d", "s3://s3cmd/dir/file"])
        run([*s3cmd, "get", "s3://s3cmd/dir/file", self.stage.directory / "s3cmd-back"])
        self.assertEqual((self.tree / "a+b&c=d").read_bytes(), (self.stage.directory / "s3cmd-back").read_bytes())
        self.assertIn("dir/file", run([*s3cmd, "ls", "-r", "s3://s3cmd"]))
        run([*s3cmd, "del", "s3://s3cmd/dir/file"])

    def test_zz_everything_survives_a_restart_without_index(self):
        self.daemon.stop()
        self.daemon.drop_index()
        self.daemon.start()
        self.assertIn("0 damaged", self.daemon.cli("pool", "scrub").stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)

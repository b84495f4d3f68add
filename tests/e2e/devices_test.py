"""The device conformance suite on a loop device and on an iSCSI LUN with CHAP and header digests."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from harness import BUILD, LoopDevices, Target


class DevicesTest(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-devices-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def test_every_kind(self):
        target = Target(self.directory, size_bytes=128 << 20)
        self.addCleanup(target.kill)
        loop = LoopDevices(self.directory, 1, size_bytes=128 << 20, sector_bytes=4096)
        self.addCleanup(loop.close)
        devices = [*loop.names, target.url]
        environment = dict(os.environ, HOLDFAST_DEVICES=" ".join(devices), HOLDFAST_CHAP_USER=target.user,
                           HOLDFAST_CHAP_SECRET_FILE=str(target.secret_file))
        done = subprocess.run([BUILD / "tests" / "device_test"], capture_output=True, text=True, env=environment, timeout=300)
        self.assertEqual(0, done.returncode, done.stdout[-6000:] + done.stderr[-2000:])
        for kind in ("file", "block", "iscsi"):
            self.assertIn(f"[       OK ] Every/DeviceConformance.CarriesAPool/{kind}", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""The device conformance suite on a loop device and on an iSCSI LUN with CHAP and header digests."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from harness import BUILD, HOLDFAST, LoopDevices, Target
from iscsi_proxy import IscsiProxy


class DevicesTest(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-devices-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def conformance(self, target, devices, *arguments):
        environment = dict(os.environ, HOLDFAST_DEVICES=" ".join(devices), HOLDFAST_CHAP_USER=target.user,
                           HOLDFAST_CHAP_SECRET_FILE=str(target.secret_file))
        done = subprocess.run([BUILD / "tests" / "device_test", *arguments], capture_output=True, text=True, env=environment, timeout=300)
        self.assertEqual(0, done.returncode, done.stdout[-6000:] + done.stderr[-2000:])
        return done

    def test_every_kind(self):
        target = Target(self.directory, size_bytes=128 << 20)
        self.addCleanup(target.kill)
        loop = LoopDevices(self.directory, 1, size_bytes=128 << 20, sector_bytes=4096)
        self.addCleanup(loop.close)
        done = self.conformance(target, [*loop.names, target.url])
        for kind in ("file", "block", "iscsi"):
            self.assertIn(f"[       OK ] Every/DeviceConformance.CarriesAPool/{kind}", done.stdout)

    def test_a_target_with_little_room_gets_fewer_commands_and_loses_nothing(self):
        target = Target(self.directory, size_bytes=128 << 20)
        self.addCleanup(target.kill)
        proxy = IscsiProxy(target, room=3)
        self.addCleanup(proxy.close)
        done = self.conformance(target, [proxy.url], "--gtest_filter=*/iscsi*:-*CarriesAPool*")
        self.assertIn("has no room for", done.stdout + done.stderr)
        self.assertEqual(3, proxy.most_under_way)
        self.assertLess(0, proxy.refused)
        self.assertLess(proxy.refused, proxy.writes / 2, f"{proxy.writes} writes")
        proxy.busy = 40  # in a row, whatever is sent
        self.conformance(target, [proxy.url], "--gtest_filter=*LargeTransfers*/iscsi*")
        self.assertEqual(0, proxy.busy)

    def test_probe_says_what_commands_there_are(self):
        target = Target(self.directory, size_bytes=128 << 20)
        self.addCleanup(target.kill)
        done = subprocess.run([str(HOLDFAST), "--output", "json", "device", "probe", target.url, *target.device_arguments()],
                              capture_output=True, text=True)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        link = json.loads(done.stdout)["link"]
        self.assertEqual((512 << 10, 16), (link["command_bytes"], link["command_depth"]))
        self.assertTrue(0 < link["round_trip_us"] < 10_000_000, link)


if __name__ == "__main__":
    unittest.main(verbosity=2)

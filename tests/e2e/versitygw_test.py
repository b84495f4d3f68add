"""versitygw's client suite against holdfastd. What passes is listed and may only grow; the rest has its reason.

    versitygw/passing.txt   one case a line
    versitygw/others.txt    cases under the reason why they do not pass ("# ...")
"""

import os
import pathlib
import re
import subprocess
import unittest

from harness import Stage, versitygw

HERE = pathlib.Path(__file__).parent / "versitygw"
RESULT = re.compile(r"^(PASS|FAIL|SKIP) +(\w+)(?:: *(.*))?$")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def listed(name):
    lines = (HERE / name).read_text().splitlines()
    return {line for line in lines if line and not line.startswith("#")}


class VersitygwSuite(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = versitygw()
        cls.stage = Stage(iscsi=False)

    @classmethod
    def tearDownClass(cls):
        cls.stage.close()

    def run_suite(self):
        daemon = self.stage.daemon
        command = [self.program, "test", "--access", daemon.access_key, "--secret", daemon.secret_key,
                   "--endpoint", daemon.endpoint, "full-flow", "--vs"]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=1200)
        results = {}
        for line in COLOUR.sub("", done.stdout + "\n" + done.stderr).splitlines():
            found = RESULT.match(line.strip())
            # Some names stand for two cases: the worse result counts.
            if found and results.get(found[2], ("",))[0] != "FAIL":
                results[found[2]] = (found[1], found[3] or "")
        self.assertIn("RAN:", done.stdout + done.stderr, "the suite broke off:\n" + (done.stdout + done.stderr)[-2000:])
        return results

    def test_cases(self):
        passing, others = listed("passing.txt"), listed("others.txt")
        self.assertEqual(set(), passing & others, "listed as passing and as not passing")
        results = self.run_suite()
        passed = {name for name, (result, _) in results.items() if result == "PASS"}
        lost = {name: results.get(name, ("absent", "")) for name in passing - passed}
        self.assertEqual({}, lost, "these cases passed before")
        self.assertEqual(set(), set(results) - passing - others, "cases without an entry in passing.txt or others.txt")
        self.assertEqual(set(), others & passed, "these pass now: move them to passing.txt")
        print(f"{len(passed)} of {len(results)} cases pass", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)

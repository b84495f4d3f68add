"""Guards the house: the include table of docs/architecture.md, sizes, circles, and words that must not be there."""

import os
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CODE = ("storage", "s3gw", "k8s", "daemon", "tests")

# module -> (own folders, what it may include besides itself). The longest folder that matches names the module.
PUBLIC_STORAGE = "storage/*.h"
MODULES = {
    "storage/base": [],
    "storage/net": ["storage/base"],
    "storage/sql": ["storage/base"],
    "storage/crypto": ["storage/base"],
    "storage/device": ["storage/base"],
    "storage/log": ["storage/device/block_device.h", "storage/crypto", "storage/base"],
    "storage/index": [PUBLIC_STORAGE, "storage/sql", "storage/base"],
    "storage/object": ["storage/log", "storage/index", "storage/crypto", "storage/device/block_device.h", PUBLIC_STORAGE,
                       "storage/base"],
    "storage/remote": [PUBLIC_STORAGE, "storage/net", "storage/base"],
    "storage": ["storage/base", "storage/index/listing.h"],
    "s3gw/protocol": [PUBLIC_STORAGE, "storage/base", "storage/net"],
    "s3gw/auth": ["s3gw/protocol", PUBLIC_STORAGE, "storage/base", "storage/net"],
    "s3gw/handlers": ["s3gw", "s3gw/auth", "s3gw/protocol", PUBLIC_STORAGE, "storage/base", "storage/net"],
    "s3gw": ["s3gw/handlers", "s3gw/auth", "s3gw/protocol", PUBLIC_STORAGE, "storage/base", "storage/net"],
    "k8s": [PUBLIC_STORAGE, "storage/base"],
    "k8s/client": ["k8s", PUBLIC_STORAGE, "storage/base", "storage/net"],
    "k8s/spec": ["k8s", "k8s/client", "storage/base"],
    "k8s/velero": ["k8s", "k8s/bucket", "k8s/spec", "k8s/client", PUBLIC_STORAGE, "storage/base", "storage/net"],
    "k8s/bucket": ["k8s", "k8s/client", PUBLIC_STORAGE, "storage/base"],
    "k8s/hooks": ["k8s/bucket", "k8s/spec", "k8s/client", "storage/base"],
    "k8s/restore": ["k8s", "k8s/hooks", "k8s/bucket", "k8s/spec", "k8s/client", "storage/crypto", PUBLIC_STORAGE, "storage/base", "storage/net"],
    "k8s/trial": ["k8s", "k8s/restore", "k8s/bucket", "k8s/spec", "k8s/client", PUBLIC_STORAGE, "storage/base", "storage/net"],
    "k8s/backup": ["k8s", "k8s/hooks", "k8s/bucket", "k8s/spec", "k8s/client", PUBLIC_STORAGE, "storage/base", "storage/net"],
    "daemon/clusters": ["daemon", "k8s", PUBLIC_STORAGE, "storage/base", "storage/net"],
    "daemon/scheduler": ["daemon", "k8s", PUBLIC_STORAGE, "storage/base"],
    "daemon/verifier": ["daemon", "k8s", PUBLIC_STORAGE, "storage/base"],
    "daemon/replicator": ["daemon", "k8s", PUBLIC_STORAGE, "storage/base"],
    "daemon/notifier": ["daemon", PUBLIC_STORAGE, "storage/base", "storage/net"],
    "daemon/recovery": ["daemon", "storage/crypto", PUBLIC_STORAGE, "storage/base"],
    "daemon/admin": ["daemon", PUBLIC_STORAGE, "storage/base", "storage/net"],
    "daemon/cli": ["daemon", "storage/base", "storage/net"],
    "daemon": ["k8s", PUBLIC_STORAGE, "storage/base"],
    "daemon/app": ["*"],
    "tests": ["*"],
}


def module_of(path):
    folder = str(pathlib.PurePosixPath(path).parent)
    while folder not in MODULES:
        folder = str(pathlib.PurePosixPath(folder).parent)
        if folder == ".":
            return None
    return folder


def allowed(module, included):
    if module_of(included) == module:
        return True
    for rule in MODULES[module]:
        if rule == "*":
            return True
        if rule.endswith("*.h"):
            if str(pathlib.PurePosixPath(included).parent) == rule[:-4]:
                return True
        elif rule.endswith(".h"):
            if included == rule:
                return True
        elif str(pathlib.PurePosixPath(included).parent) == rule:
            return True
    return False


def sources():
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".h", ".cc"):
                yield path


def includes(path):
    for line in path.read_text().splitlines():
        found = re.match(r'#include "(.+)"', line)
        if found:
            yield found.group(1)


def name(path):
    return str(path.relative_to(ROOT))


class Tidy(unittest.TestCase):
    def test_includes_follow_the_table(self):
        wrong = [f"{name(p)} includes {i}" for p in sources() for i in includes(p)
                 if not (ROOT / i).exists() or not allowed(module_of(name(p)), i)]
        self.assertEqual([], wrong)

    def test_no_circles_between_folders(self):
        edges = {}
        for path in sources():
            here = str(path.relative_to(ROOT).parent)
            for i in includes(path):
                there = str(pathlib.PurePosixPath(i).parent)
                # A folder's root is its face, its subfolders its inside.
                if there != here and not here.startswith("tests") and not here.startswith(there + "/") and not there.startswith(here + "/"):
                    edges.setdefault(here, set()).add(there)
        state = {}

        def visit(node, trail):
            if state.get(node) == "done":
                return
            self.assertNotIn(node, trail, f"circle: {' > '.join(trail)} > {node}")
            for following in sorted(edges.get(node, ())):
                visit(following, trail + [node])
            state[node] = "done"

        for node in sorted(edges):
            visit(node, [])

    def test_sizes(self):
        lengths = {name(p): len(p.read_text().splitlines()) for p in sources()}
        self.assertEqual([], [f"{n}: {length} lines" for n, length in lengths.items() if length > 800])
        code = sorted(length for n, length in lengths.items() if not n.startswith("tests"))
        self.assertLessEqual(code[len(code) // 2], 150, "median of the files' lengths")

    def test_functions_are_short(self):
        long = []
        for path in sources():
            if path.suffix != ".cc":
                continue
            start = None
            for number, line in enumerate(path.read_text().splitlines(), 1):
                # A definition begins at the margin (or in a class of an anonymous namespace) and ends with its brace.
                if re.match(r"^(  )?[A-Za-z~].*\) ?(const|override|noexcept| )*(: .*)?\{$", line) and not line.lstrip().startswith("namespace"):
                    start, indent = number, len(line) - len(line.lstrip())
                elif start and re.match(r"^ {%d}\}" % indent, line):
                    if number - start > 70:
                        long.append(f"{name(path)}:{start}: {number - start} lines")
                    start = None
        self.assertEqual([], long)

    def test_no_leftovers(self):
        pattern = re.compile(r"\b(TODO|FIXME|XXX)\b")
        found = [f"{name(p)}:{n}" for p in sources() for n, line in enumerate(p.read_text().splitlines(), 1) if pattern.search(line)]
        self.assertEqual([], found)

    def test_headers_open_with_what_they_are(self):
        silent = [name(p) for p in sources() if p.suffix == ".h" and not p.read_text().startswith("//")]
        self.assertEqual([], silent)

    @unittest.skipUnless(os.environ.get("HOLDFAST_HEADERS") == "1", "takes minutes: HOLDFAST_HEADERS=1")
    def test_headers_compile_alone(self):
        broken = []
        for path in sources():
            if path.suffix != ".h":
                continue
            command = ["g++", "-std=c++23", "-fsyntax-only", "-x", "c++", "-DBOOST_ASIO_SEPARATE_COMPILATION",
                       "-DBOOST_BEAST_SEPARATE_COMPILATION", "-DSPDLOG_COMPILED_LIB", "-DSPDLOG_FMT_EXTERNAL", f"-I{ROOT}", str(path)]
            done = subprocess.run(command, capture_output=True, text=True)
            errors = [line for line in done.stderr.splitlines() if "error:" in line]
            if errors:
                broken.append(f"{name(path)}: {errors[0]}")
        self.assertEqual([], broken)


if __name__ == "__main__":
    unittest.main(verbosity=2)

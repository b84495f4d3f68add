"""The drill: a site with its appliance, its LUN and its cluster is destroyed; everything comes back from the other site.

Two appliances in network namespaces of their own, a real cluster beside the first one, a blank host and a blank cluster. What an operator
types is read out of docs/disaster-recovery.md and typed here. Prints how long each phase took; the last line is the recovery time."""

import contextlib
import json
import pathlib
import re
import shlex
import sys
import time

from buildings import Building
from harness import Certificate, Daemon, Target, wait_until
from kube_cluster import KubeCluster
from kube_content import differences, fill, live_kinds

POLICY = {"name": "everything", "cluster": "prod", "tiers": [
    {"name": "dr", "schedule": "* * * * *", "retention": {"last": 3}, "copies": [{"site": "dr", "mode": "all", "retention": {"last": 5}}]}]}


class Watch:
    """Phases of the recovery, one after the other."""

    def __init__(self):
        self.phases = []

    @contextlib.contextmanager
    def phase(self, name):
        begun = time.monotonic()
        yield
        self.phases.append((name, time.monotonic() - begun))

    def total(self):
        return sum(seconds for _, seconds in self.phases)


class FirstSite:
    """An appliance on a LUN, with TLS."""

    def __init__(self, stack):
        self.building = Building("first", 41)
        stack.callback(self.building.destroy)
        place = self.building
        self.target = Target(place.directory, address=place.address, prefix=place.inside)
        self.certificate = Certificate(place.directory, place.address)
        self.daemon = Daemon(place.directory, self.target, address=place.address, certificate=self.certificate, prefix=place.inside)

    def burn(self):
        """LUN, keys, configuration and processes."""
        self.building.destroy()
        assert not self.target.image.exists() and not self.daemon.run.exists()


class SecondSite:
    """An appliance that gives the first one a bucket, and what is written on paper there: the key of that bucket, and the recovery key of the first site."""

    def __init__(self, stack):
        self.building = Building("second", 42)
        stack.callback(self.building.destroy)
        self.certificate = Certificate(self.building.directory, self.building.address)
        self.daemon = Daemon(self.building.directory, address=self.building.address, certificate=self.certificate, prefix=self.building.inside)
        self.daemon.cli("bucket", "create", "from-first")
        user = json.loads(self.daemon.cli("--output", "json", "user", "create", "--name", "first site", "--scope", "from-first").stdout)
        self.access_key = user["access_key"]
        self.secret_file = self.building.directory / "secret"
        self.secret_file.write_text(user["secret_key"] + "\n")
        self.secret_file.chmod(0o600)
        self.recovery_key_file = self.building.directory / "recovery-key"


def units(daemon):
    return [u["backup"] for u in daemon.ask("/v1/sites/dr/copies")["units"]]


def set_up(first, second, cluster):
    """The first site as it is on a good day; gives what is in its cluster, of which a copy exists."""
    second.recovery_key_file.write_text(first.daemon.recovery_key + "\n")
    first.daemon.cli("cluster", "add", "prod", "--kubeconfig", str(cluster.kubeconfig))
    first.daemon.await_role("serving", "prod")
    first.daemon.cli("site", "add", "dr", "--endpoint", second.daemon.endpoint, "--bucket", "from-first", "--access-key", second.access_key,
                     "--secret-file", str(second.secret_file), "--ca-file", str(second.certificate.certificate))
    fill(cluster)
    policy = first.building.directory / "policy.json"
    policy.write_text(json.dumps(POLICY))
    first.daemon.cli("policy", "apply", str(policy))
    wait_until("a copy that a policy made by its cron", lambda: units(first.daemon), 180)
    dry_run = ["recover", "--dry-run", "--site", "dr", "--recovery-key-file", str(second.recovery_key_file)]
    wait_until("the settings to be at the other site", lambda: first.daemon.cli(*dry_run, check=False).returncode == 0, 120)
    first.daemon.cli("policy", "pause", "everything")  # what is compared is what the last copy holds
    wait_until("the last run to end", lambda: not any(r["state"] in ("waiting", "running") for r in first.daemon.ask("/v1/policies/everything")["tiers"][0]["runs"]), 120)
    wait_until("the last copy", lambda: not first.daemon.ask("/v1/sites/dr/copies")["copies"], 120)
    filled = live_kinds(cluster)
    first.daemon.cli("policy", "resume", "everything")
    wait_until("that to be at the other site, too", lambda: first.daemon.cli(*dry_run, check=False).returncode == 0, 120)
    return filled


class Runbook:
    """docs/disaster-recovery.md: its numbered steps, and the commands in each."""

    def __init__(self):
        self.before, self.steps = [], []
        text = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "disaster-recovery.md").read_text()
        for section in re.split(r"^## ", text, flags=re.M)[1:]:
            title = section.split("\n", 1)[0]
            for mark, block in re.findall(r"^```sh( before)?\n(.*?)^```", section, flags=re.M | re.S):
                commands = block.splitlines()
                if mark:
                    self.before += commands
                else:
                    self.steps.append((title, commands))
        assert len(self.steps) == 6 and self.before, "the runbook has changed: so must the drill"


class BlankHost:
    """Where the runbook's commands are typed."""

    def __init__(self, stack, second, kubeconfig):
        self.building = Building("blank", 43)
        stack.callback(self.building.destroy)
        certificate = Certificate(self.building.directory, self.building.address)
        self.daemon = Daemon(self.building.directory, address=self.building.address, certificate=certificate, prefix=self.building.inside, init=None)
        system = " ".join(str(word) for word in self.daemon.init_options("6G"))
        self.names = {"https://dr.example:9000": second.daemon.endpoint, "--access-key AK": f"--access-key {second.access_key}", "/root/dr-secret": second.secret_file,
                      "/root/dr-ca.pem": second.certificate.certificate, "/root/recovery-key": second.recovery_key_file, "/root/prod-new.conf": kubeconfig,
                      "--system --certificate /etc/holdfast/tls.crt --key /etc/holdfast/tls.key": system}

    def type(self, command):
        if command == "systemctl enable --now holdfastd":
            self.daemon.start()
            return ""
        if "BACKUP" in command:
            command = command.replace("BACKUP", units(self.daemon)[-1])
        try:
            return typed(self.daemon, command, self.names)
        except AssertionError:
            if command.startswith("holdfast restore create"):
                log = self.daemon.cli("restore", "logs", command.split()[3], check=False).stdout
                print("\n".join(line for line in log.splitlines() if "level=info" not in line), flush=True)
            raise


def typed(daemon, command, names):
    for name, value in names.items():
        command = command.replace(name, str(value))
    program, *words = shlex.split(command)
    assert program == "holdfast", command
    return daemon.cli(*words).stdout


def recover(host, runbook, watch):
    """Everything that is done after the fire."""
    for title, commands in runbook.steps:
        with watch.phase(title):
            for command in commands:
                print(f"  $ {command}", flush=True)
                said = host.type(command)
        print("".join(f"    {line}\n" for line in said.splitlines()), end="", flush=True)


def numbered(objects):
    """With pods that a controller made counted instead of named: while a cluster comes back, it may put a new one in the place of one."""
    counts, out = {}, {}
    for key, item in sorted(objects.items(), key=lambda entry: str(entry[0])):
        if key[0] == "pods" and "pod-template-hash" in item["metadata"].get("labels", {}):
            stem = key[2].rpartition("-")[0] + "-"
            counts[stem] = counts.get(stem, 0) + 1
            key, item = (*key[:2], f"{stem}{counts[stem]}"), json.loads(json.dumps(item))
            item["metadata"]["name"] = key[2]
        out[key] = item
    return out


def check_afterwards(daemon, original, blank_cluster):
    restored = daemon.ask("/v1/clusters/prod-new/restores")["restores"]
    assert [r["phase"] for r in restored] == ["Completed"], restored
    # What makes its server comes to a cluster a moment after it was added.
    daemon.await_role("serving", "prod-new")
    wait_until("its location", lambda: "holdfast-location" in blank_cluster.kubectl("-n", "velero", "get", "secrets", "-o", "name"), 60)
    found = differences(numbered(original), numbered(live_kinds(blank_cluster)))
    assert not found, json.dumps(found[:5], indent=1, default=str)
    assert daemon.ask("/v1/recovery")["state"] == "active"
    assert [p["name"] for p in daemon.ask("/v1/policies")["policies"]] == ["everything"]
    assert json.loads(daemon.cli("--output", "json", "user", "list").stdout)["users"], "users came back"
    # Life goes on: the next bundle is sealed for the same recovery key, under the new generation.
    wait_until("the settings at the other site", lambda: daemon.ask("/v1/recovery")["sites"][0]["bundle"] > 0, 120)


def main():
    watch, runbook = Watch(), Runbook()
    with contextlib.ExitStack() as stack:
        cluster = KubeCluster("drill", 26)
        stack.callback(cluster.close)
        blank = KubeCluster("drill-blank", 27)
        stack.callback(blank.close)
        first, second = FirstSite(stack), SecondSite(stack)
        original = set_up(first, second, cluster)
        for command in runbook.before:
            print(typed(first.daemon, command, {"/root/recovery-key": second.recovery_key_file}), end="", flush=True)
        print("the first site is destroyed: its appliance, its LUN, its cluster", flush=True)
        first.burn()
        cluster.close()
        host = BlankHost(stack, second, blank.kubeconfig)
        recover(host, runbook, watch)
        check_afterwards(host.daemon, original, blank)
    for name, seconds in watch.phases:
        print(f"{seconds:8.1f} s  {name}")
    print(f"RTO {watch.total():.1f} s")


if __name__ == "__main__":
    sys.exit(main())

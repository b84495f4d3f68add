"""Buildings that burn down: a network namespace and a directory each, with everything that runs and lies in them."""

import pathlib
import shutil
import subprocess
import tempfile

from harness import run


class Building:
    """Its address is 172.30.INDEX.2; the host, which stands for the network between buildings, is 172.30.INDEX.1."""

    def __init__(self, name, index):
        self.name, self.index = f"hf-{name}", index
        self.address = f"172.30.{index}.2"
        self.destroy()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"holdfast-{name}-"))
        pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        run(["ip", "netns", "add", self.name])
        run(["ip", "link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.name])
        run(["ip", "address", "add", f"172.30.{index}.1/24", "dev", self.link])
        run(["ip", "link", "set", self.link, "up"])
        for command in (["link", "set", "lo", "up"], ["address", "add", f"{self.address}/24", "dev", "eth0"], ["link", "set", "eth0", "up"], ["route", "add", "default", "via", f"172.30.{index}.1"]):
            run(["ip", "-n", self.name, *command])

    @property
    def link(self):
        return f"hf{self.index}h"

    @property
    def inside(self):
        return ["ip", "netns", "exec", self.name]

    def destroy(self):
        """Processes, network and files, without a word to any of them."""
        pids = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True).stdout.split()
        if pids:
            subprocess.run(["kill", "-9", *pids], capture_output=True)
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True)
        subprocess.run(["ip", "link", "delete", self.link], capture_output=True)
        if hasattr(self, "directory"):
            shutil.rmtree(self.directory, ignore_errors=True)

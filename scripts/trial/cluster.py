"""The cluster under trial, and what can be done to it.

`Cluster` says what a trial may ask for; native.py and compose.py make one. What these start is ended by whoever runs the script
(scripts/lib/trial), however that ends.
"""

import os, subprocess
from abc import ABC, abstractmethod

from .api import Api

DIR = os.environ.get("MUSTER_CLUSTER_DIR", "")
BIN = os.environ.get("MUSTER_BIN", "target/release")

class Cluster(Api, ABC):
    """What every kind has. A NAME is node1, node2, ..., redis, nginx or sidecar; an address is HOST:PORT."""

    proxy: str  # Nginx's address, as terminals and operators use it
    key: str  # an operator's, for everything
    secret: str  # what terminals' tokens are signed with, as KID=SECRET
    nodes: int  # how many there were at the start

    @abstractmethod
    def node(self, number):
        """A node's own address."""

    @abstractmethod
    def kill(self, name):
        """Ends it with SIGKILL, and waits until it is gone. Nginx comes back by itself."""

    @abstractmethod
    def start(self, name):
        """Starts it where it was, or node4 and so on anew, and waits until it serves."""

    @abstractmethod
    def stop(self, name):
        """SIGSTOP: it hangs, and its connections stay."""

    @abstractmethod
    def cont(self, name):
        """SIGCONT: it goes on."""

    @abstractmethod
    def term(self, name):
        """SIGTERM: asks it to end, and waits for nothing."""

    @abstractmethod
    def runs(self, name):
        """Whether its process is there."""

    @abstractmethod
    def reload(self):
        """SIGHUP to Nginx."""

    @abstractmethod
    def redis(self, *words):
        """What redis-cli says to this."""

    @abstractmethod
    def log(self, name):
        """What it has logged."""

    @abstractmethod
    def upstream(self):
        """The file in which Nginx has the nodes."""

    @abstractmethod
    def status(self, name):
        """What the kernel says of its process: /proc/PID/status."""

    @abstractmethod
    def files(self, name):
        """How many files it has open."""

    def memory(self, name):
        """What its process holds of its own, in bytes."""
        return next(int(line.split()[1]) << 10 for line in self.status(name).splitlines() if line.startswith("RssAnon"))

    def url(self, *numbers):
        """Where terminals connect: through Nginx, or to these nodes in turn."""
        return ",".join(f"ws://{at}/ws" for at in [self.node(n) for n in numbers] or [self.proxy])

    def id(self, number, at=None):
        """A node's id."""
        return next(row["id"] for row in self.get("/v1/nodes", at)["nodes"] if row["address"] == self.node(number))

    def online(self, at=None):
        """How many terminals the registry has on the line."""
        return self.get("/v1/fleet", at)["online"]


def node_settings(flags):
    """Each flag of the nodes with its value: those that are asked for, and what holds in every trial."""
    words = flags.split()
    # Pings that are more frequent than a fleet's; on a machine that is busy a terminal may need seconds to answer one.
    return {"--ping": "5s", "--drain": "2s", **dict(zip(words[::2], words[1::2]))}


def launch(name, command, **how):
    """Starts a client, in a session of its own and with its id noted: so it ends with the cluster, if not before."""
    process = subprocess.Popen(command, start_new_session=True, **how)
    write(f"{name}.pid", str(process.pid))
    return process


def read(name):
    with open(f"{DIR}/{name}") as file:
        return file.read().strip()


def write(name, text):
    with open(f"{DIR}/{name}", "w") as file:
        file.write(text)

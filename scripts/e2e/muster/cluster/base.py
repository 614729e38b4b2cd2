"""What a test may do to a cluster and ask of it, whatever the cluster is made of."""

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from muster.api import Api

# Flags that nodes get in every test. Pings are more frequent than a fleet's; on a busy machine a terminal may need
# seconds to answer one.
NODE_DEFAULTS = {"--ping": "5s", "--drain": "2s"}


@dataclass(frozen=True)
class Settings:
    """What the marker `cluster` asks for.

    nodes            how many nodes there are at the start
    node_flags       further flags of muster-node, as `--ping 60s --drain 3s`
    full_node_flags  flags of muster-node at full scale, which win over those of node_flags
    sidecar_flags    further flags of muster-sidecar
    durable          Redis writes to its file before it answers. As shipped, it may put a write off for up to
                     2 s while the disk is busy, and a kill loses what was put off
    lines            each node reaches Redis through a `Line` of its own, which a test can make bad
    resolve          whether Nginx may follow the nodes by DNS, which needs no reloads. Most tests want reloads
    node_program     what each node is, and the words that come before its flags
    processes_only   why the test cannot run on containers; empty if it can
    one_redis        why Redis must be one server; empty if it may be several. With `lines` it must be one
    """

    nodes: int = 3
    node_flags: str = ""
    full_node_flags: str = ""
    sidecar_flags: str = ""
    durable: bool = False
    lines: bool = False
    resolve: bool = False
    node_program: str = "muster-node"
    processes_only: str = ""
    one_redis: str = ""

    def of_node(self) -> dict[str, str]:
        """Return each flag of the nodes with its value."""
        return {**NODE_DEFAULTS, **pairs(self.node_flags)}

    def of_sidecar(self) -> dict[str, str]:
        """Return each flag of the sidecar with its value. MUSTER_RESOLVE in the environment decides for all tests."""
        resolve = self.resolve or "MUSTER_RESOLVE" in os.environ
        return {**({} if resolve else {"--resolve": "off"}), **pairs(self.sidecar_flags)}


def pairs(flags: str) -> dict[str, str]:
    """Return `--one 1 --two 2 --three` as a dictionary; a flag without a value has an empty one."""
    made: dict[str, str] = {}
    flag = ""
    for word in flags.split():
        if word.startswith("--"):
            flag = word
            made[flag] = ""
        else:
            assert flag and not made[flag], f"{word} belongs to no flag"
            made[flag] = word
    return made


class Cluster(ABC):
    """A running cluster. A name is node1, node2, …, redis, nginx or sidecar; an address is HOST:PORT."""

    directory: Path
    """Logs and other files of the test."""
    nodes: int
    """The number of nodes at the start."""
    api: Api
    """The API, asked with an operator's key for everything."""
    secret: str
    """The secret that signs terminals' tokens, as KID=SECRET."""

    @abstractmethod
    def proxy(self) -> str:
        """Return Nginx's address, as terminals and operators use it."""

    @abstractmethod
    def node(self, number: int) -> str:
        """Return a node's own address."""

    @abstractmethod
    def kill(self, name: str) -> None:
        """Send SIGKILL, and wait until the process is gone. Nginx restarts by itself."""

    @abstractmethod
    def start(self, name: str) -> None:
        """Start a process where it was, or a new node, and wait until it serves."""

    @abstractmethod
    def stop(self, name: str) -> None:
        """Send SIGSTOP: the process hangs, and its connections stay open."""

    @abstractmethod
    def cont(self, name: str) -> None:
        """Send SIGCONT: the process goes on."""

    @abstractmethod
    def term(self, name: str) -> None:
        """Send SIGTERM, and wait for nothing."""

    @abstractmethod
    def runs(self, name: str) -> bool:
        """Return whether the process is there."""

    @abstractmethod
    def reload(self) -> None:
        """Send SIGHUP to Nginx."""

    @abstractmethod
    def redis(self, *words: str) -> str:
        """Return what Redis answers to a command that disturbs or configures it.

        Tests ask for what the store holds through the API, never by keys.
        """

    @abstractmethod
    def log(self, name: str) -> str:
        """Return what a process has logged."""

    @abstractmethod
    def upstream(self) -> str:
        """Return the file from which Nginx knows the nodes."""

    @abstractmethod
    def status(self, name: str) -> str:
        """Return /proc/PID/status of a process."""

    @abstractmethod
    def files(self, name: str) -> int:
        """Return how many files a process has open."""

    @abstractmethod
    def down(self) -> None:
        """End all that belongs to the cluster."""

    def collect(self) -> None:
        """Write logs to `directory` that are elsewhere."""
        return

    def leaks(self) -> list[str]:
        """Return the places where a secret can be read. compose/test_secrets.py looks at those of containers."""
        return []

    def memory(self, name: str) -> int:
        """Return the memory of a process that is its own, in bytes."""
        return next(int(line.split()[1]) << 10 for line in self.status(name).splitlines() if line.startswith("RssAnon"))

    def url(self, *numbers: int) -> str:
        """Return where terminals connect: through Nginx, or to these nodes in turn."""
        return ",".join(f"ws://{at}/ws" for at in [self.node(n) for n in numbers] or [self.proxy()])

    def id(self, number: int, *, at: str | None = None) -> str:
        """Return a node's id."""
        return str(self.row(number, at=at)["id"])

    def sessions(self, number: int, *, at: str | None = None) -> int:
        """Return how many sessions a node has, as its lease says."""
        return int(str(self.row(number, at=at)["sessions"]))

    def row(self, number: int, *, at: str | None = None) -> dict[str, object]:
        """Return what /v1/nodes says of a node. Raises `StopIteration` if the list lacks the node."""
        rows = self.api.get("/v1/nodes", at=at)["nodes"]
        return next(dict(row) for row in rows if row["address"] == self.node(number))

    def online(self, *, at: str | None = None) -> int:
        """Return how many terminals the registry shows online."""
        return int(self.api.get("/v1/fleet", at=at)["online"])

"""The cluster under trial, and what can be done to it.

`Cluster` says what a trial may ask for; `Native` is one of processes on this machine, as scripts/cluster runs it. What it starts is
ended by whoever runs the script (scripts/lib/trial), however that ends.
"""

import glob, os, signal, subprocess
from abc import ABC, abstractmethod

from .api import Api
from .line import Line

DIR = os.environ.get("MUSTER_CLUSTER_DIR", "")
BIN = os.environ.get("MUSTER_BIN", "target/release")
# Pings that are more frequent than a fleet's; on a machine that is busy a terminal may need seconds to answer one.
NODE_FLAGS = {"--ping": "5s", "--drain": "2s"}


def begin(given, nodes=3, **wants):
    """The cluster that was asked for, up; `wants` as `Native` takes them."""
    if not given.compose:
        return Native(nodes, **wants)
    try:
        from .compose import Compose
    except ImportError:
        raise SystemExit("--compose: there is no scripts/trial/compose.py yet; leave it out for a cluster of processes")
    return Compose(nodes, **wants)


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

    def url(self, *numbers):
        """Where terminals connect: through Nginx, or to these nodes in turn."""
        return ",".join(f"ws://{at}/ws" for at in [self.node(n) for n in numbers] or [self.proxy])

    def id(self, number, at=None):
        """A node's id."""
        return next(row["id"] for row in self.get("/v1/nodes", at)["nodes"] if row["address"] == self.node(number))

    def online(self, at=None):
        """How many terminals the registry has on the line."""
        return self.get("/v1/fleet", at)["online"]


class Native(Cluster):
    """Processes of this machine, whose ids and logs are files in DIR.

    node_flags, sidecar_flags   what the programs get besides
    durable                     Redis writes to its file before it answers. As it is shipped it may put a write off for up to 2 s while
                                the disk is busy, and a kill takes what was put off
    lines                       each node reaches Redis through a `Line` of its own, which is in `lines` by the node's number
    """

    def __init__(self, nodes, node_flags="", sidecar_flags="", durable=False, lines=False):
        self.nodes, self.lines = nodes, {}
        words = node_flags.split()
        flags = {**NODE_FLAGS, **dict(zip(words[::2], words[1::2]))}
        self.flags = {"node_flags": " ".join(map(" ".join, flags.items())), "sidecar_flags": sidecar_flags}
        if lines:
            self._put_lines()
        # What hits its limit on the size of a file is to be told so, and not killed.
        self._script("up", str(nodes), before=["env", "--ignore-signal=XFSZ"])
        self.key, self.secret, self.proxy = read("key"), read("secret"), read("sidecar.address")
        self.durable = durable
        self._make_durable()

    def _put_lines(self):
        port = subprocess.run(["bash", "-c", "source scripts/lib/cluster && free_port"], capture_output=True, text=True, check=True).stdout
        write("redis.port", port)
        for number in range(1, self.nodes + 1):
            self.lines[number] = Line(f"127.0.0.1:{port.strip()}")
            write(f"node{number}.redis", f"redis://{self.lines[number].address}")

    def _make_durable(self):
        if self.durable:
            self.redis("CONFIG", "SET", "appendfsync", "always")

    def _script(self, *words, before=()):
        subprocess.run([*before, "scripts/cluster", *words], check=True, stdout=subprocess.DEVNULL, env={**os.environ, **self.flags})

    def node(self, number):
        return read(f"node{number}.address")

    def kill(self, name):
        self._script("kill", name)

    def start(self, name, files=None):
        """`files`: how many files it may open."""
        self._script("start", name, before=["prlimit", f"--nofile={files}:{files}"] if files else ())
        self._make_durable()

    def stop(self, name):
        os.kill(self.pid(name), signal.SIGSTOP)

    def cont(self, name):
        os.kill(self.pid(name), signal.SIGCONT)

    def term(self, name):
        os.kill(self.pid(name), signal.SIGTERM)

    def reload(self):
        os.kill(self.pid("nginx"), signal.SIGHUP)

    def redis(self, *words):
        return subprocess.run(["redis-cli", "-p", read("redis.port"), *words], capture_output=True, text=True).stdout

    def log(self, name):
        return read(f"{name}.log")

    def upstream(self):
        return read("nginx/current/nodes.conf")

    def runs(self, name):
        try:
            with open(f"/proc/{self.pid(name)}/stat") as file:
                return file.read().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False

    def pid(self, name):
        return int(read("nginx/nginx.pid" if name == "nginx" else f"{name}.pid"))

    def memory(self, name):
        """What a process holds of its own, in bytes."""
        with open(f"/proc/{self.pid(name)}/status") as file:
            return next(int(line.split()[1]) << 10 for line in file if line.startswith("RssAnon"))

    def files(self, name):
        """How many files it has open."""
        return len(glob.glob(f"/proc/{self.pid(name)}/fd/*"))

    def stored(self):
        """The size of the file to which Redis appends, in bytes."""
        return max(os.path.getsize(path) for path in glob.glob(f"{DIR}/appendonlydir/*.aof"))

    def cpu(self, name):
        """The CPU seconds that it has used."""
        with open(f"/proc/{self.pid(name)}/stat") as file:
            user, system = file.read().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


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

"""A cluster of processes on this machine, as scripts/cluster runs it."""

import glob, os, signal, subprocess

from .cluster import DIR, Cluster, node_settings, read, write
from .line import Line


class Native(Cluster):
    """Processes of this machine, whose ids and logs are files in DIR.

    node_flags, sidecar_flags   what the programs get besides
    durable                     Redis writes to its file before it answers. As it is shipped it may put a write off for up to 2 s while
                                the disk is busy, and a kill takes what was put off
    lines                       each node reaches Redis through a `Line` of its own, which is in `lines` by the node's number
    up                          False if a script has started it already
    """

    def __init__(self, nodes, node_flags="", sidecar_flags="", durable=False, lines=False, up=True):
        self.nodes, self.lines = nodes, {}
        self.flags = {"node_flags": " ".join(map(" ".join, node_settings(node_flags).items())), "sidecar_flags": sidecar_flags}
        if lines:
            self._put_lines()
        if up:
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

    def status(self, name):
        with open(f"/proc/{self.pid(name)}/status") as file:
            return file.read()

    def files(self, name):
        return len(glob.glob(f"/proc/{self.pid(name)}/fd/*"))

    def stored(self):
        """The size of the file to which Redis appends, in bytes."""
        return max(os.path.getsize(path) for path in glob.glob(f"{DIR}/appendonlydir/*.aof"))

    def cpu(self, name):
        """The CPU seconds that it has used."""
        with open(f"/proc/{self.pid(name)}/stat") as file:
            user, system = file.read().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

"""Redis as several servers, whose masters can be killed: behind Sentinels, and as a Redis Cluster."""

import os
import signal
import subprocess
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from redis import ConnectionError as Refused
from redis import Redis, ResponseError, TimeoutError
from redis.backoff import NoBackoff
from redis.retry import Retry

from muster import process, wait
from muster.wait import NotYet

# Seconds from one failover of `FailingOver` to the next: of three masters, each has its turn after twice `gone_after`.
BETWEEN_FAILOVERS = 4
# A replica asks for all data again as soon as it connects, and a master forgets a silent replica after 3 s.
REPLICATION = ["--repl-diskless-sync-delay", "0", "--repl-timeout", "3"]


class RedisServers(ABC):
    """Redis servers redis1, redis2, …, whose files are in `directory`. Nodes reach them by `url`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ports: dict[str, int] = {}
        self._commands: dict[str, list[str | Path]] = {}
        self._pids: dict[str, int] = {}
        self.url = self._make()

    @abstractmethod
    def _make(self) -> str:
        """Start all servers and wait until they know each other; return the URL for nodes."""

    def _add(self, name: str, *flags: str) -> int:
        """Start a new server and return its port."""
        (self.directory / name).mkdir()
        port = self.ports[name] = process.free_port()
        own = f"--bind 127.0.0.1 --port {port} --appendonly yes --loglevel notice --dir".split()
        self._commands[name] = ["redis-server", *own, self.directory / name, "--save", "", *REPLICATION, *flags]
        self.start(name)
        return port

    def start(self, *names: str) -> None:
        """Start servers as they were before, all at once, and wait until they answer."""
        for name in names:
            self._pids[name] = process.launch(self.directory, name, self._commands[name]).pid
        for name in names:
            wait.until(partial(self.ask, name, "PING"), within=20)

    def kill(self, *names: str) -> None:
        """Send SIGKILL, and wait until the servers are gone."""
        for name in names:
            os.kill(self._pids[name], signal.SIGKILL)
        for name in names:
            process.gone(self._pids[name])

    def stop(self, *names: str) -> None:
        """Send SIGSTOP: the servers hang, and their ports still accept connections."""
        for name in names:
            os.kill(self._pids[name], signal.SIGSTOP)

    def cont(self, *names: str) -> None:
        """Send SIGCONT: the servers go on."""
        for name in names:
            os.kill(self._pids[name], signal.SIGCONT)

    def ask(self, name: str, *words: str) -> Any:
        """Return what a server answers. Raises `NotYet` if it does not."""
        # Whoever asks asks again, so the client need not.
        once = Retry(NoBackoff(), 0)
        try:
            with Redis(port=self.ports[name], socket_timeout=10, retry=once, decode_responses=True) as client:
                return client.execute_command(*words)
        except (Refused, TimeoutError) as error:
            raise NotYet(f"{name}: {error}") from None

    def role(self, name: str) -> str:
        """Return "master" or "slave", as the server itself says; empty if it does not answer."""
        with suppress(NotYet):
            return str(self.ask(name, "ROLE")[0])
        return ""

    def servers(self) -> list[str]:
        """Return the names of the servers that hold data."""
        return [name for name in self.ports if name.startswith("redis")]

    def master(self) -> str:
        """Return the master that holds data. Raises `NotYet` while there is none."""
        for name in self.servers():
            if self.role(name) == "master" and self.ask(name, "DBSIZE"):
                return name
        raise NotYet("no master holds data")

    def masters(self) -> list[str]:
        """Return all masters, in the order of their names."""
        return [name for name in self.servers() if self.role(name) == "master"]

    def replicas(self, master: str) -> list[str]:
        """Return the servers that may be promoted when this master is gone."""
        ports = [int(port) for _, port, _ in self.ask(master, "ROLE")[2]]
        return [name for name, port in self.ports.items() if port in ports]

    def cut_off(self, master: str) -> None:
        """Let no replica have what the master writes from now on."""
        for name in self.servers():
            self.ask(name, "CONFIG", "SET", "masteruser", "nobody", "masterauth", "wrong")
        self.ask(master, "CLIENT", "KILL", "TYPE", "replica")

    def empty(self) -> None:
        """Delete all data."""
        for name in self.masters():
            self.ask(name, "FLUSHALL")

    def join(self) -> None:
        """Let replicas connect to their master again."""
        for name in self.servers():
            with suppress(NotYet):
                self.ask(name, "CONFIG", "SET", "masteruser", "", "masterauth", "")

    def end(self) -> None:
        """End all servers, those that watch others first. One that hangs ends too."""
        for pid in reversed(self._pids.values()):
            process.end(pid)


class Sentinels(RedisServers):
    """A master, two replicas, and three Sentinels, of which two agree on a failover. The third hangs."""

    def _make(self) -> str:
        master = self._add("redis1")
        for number in (2, 3):
            self._add(f"redis{number}", "--replicaof", "127.0.0.1", str(master))
        ports = [self._watch(f"sentinel{number}", master) for number in (1, 2, 3)]
        wait.until(lambda: self._known("sentinel1"), lambda known: known == ("2", "2"), within=20)
        self.stop("sentinel3")
        # Nodes ask the one that hangs first.
        return f"redis+sentinel://127.0.0.1:{ports[2]},127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}/mymaster"

    def replace_master(self) -> str:
        """Have the Sentinels make a replica the master while the master lives; return the replica's name."""
        old = self.master()
        self.ask("sentinel1", "SENTINEL", "FAILOVER", "mymaster")
        masters = wait.until(self.masters, lambda masters: masters != [old], within=30)
        return next(name for name in masters if name != old)

    def _watch(self, name: str, master: int) -> int:
        port = self.ports[name] = process.free_port()
        own = self.directory / f"{name}.conf"
        own.write_text(
            f"bind 127.0.0.1\nport {port}\ndir {self.directory}\n"
            f"sentinel monitor mymaster 127.0.0.1 {master} 2\n"
            "sentinel down-after-milliseconds mymaster 2500\nsentinel failover-timeout mymaster 2000\n"
        )
        self._commands[name] = ["redis-server", own, "--sentinel"]
        self.start(name)
        return port

    def _known(self, name: str) -> tuple[str, str]:
        """Return how many replicas and other Sentinels this one knows."""
        words = self.ask(name, "SENTINEL", "MASTER", "mymaster")
        about = words if isinstance(words, dict) else dict(zip(words[::2], words[1::2], strict=True))
        return str(about["num-slaves"]), str(about["num-other-sentinels"])


class ClusterMode(RedisServers):
    """A Redis Cluster of three masters, each with a replica. Nodes also know an address at which nobody listens."""

    # Milliseconds after which a silent master is taken to be gone.
    gone_after = 1000

    def _make(self) -> str:
        flags = ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"]
        flags += ["--cluster-node-timeout", str(self.gone_after)]
        flags += ["--cluster-replica-validity-factor", "0"]
        for number in range(1, 7):
            # The bus gets a free port too: its default is 10,000 above the server's.
            self._add(f"redis{number}", *flags, "--cluster-port", str(process.free_port()))
        members = [f"127.0.0.1:{port}" for port in self.ports.values()]
        create = ["redis-cli", "--cluster", "create", *members, "--cluster-replicas", "1", "--cluster-yes"]
        with (self.directory / "create.log").open("wb") as log:
            subprocess.run(create, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)
        wait.until(self._is_whole, within=20)
        return f"redis+cluster://127.0.0.1:{process.free_port()},{','.join(members)}"

    def _is_whole(self) -> bool:
        """Return whether each member knows that all is well, and each master has its replica."""
        for name in self.ports:
            role = self.ask(name, "ROLE")
            connected = len(role[2]) == 1 if role[0] == "master" else role[3] == "connected"
            if not connected or "cluster_state:ok" not in str(self.ask(name, "CLUSTER", "INFO")):
                return False
        return True


class FailingOver(ClusterMode):
    """A Redis Cluster whose masters fail over in turn, until its end.

    Each hands over to its replica, which loses nothing. On a busy machine no other failover must happen. But masters
    vote for a replica of one master only once in twice this time, and a hand-over without votes holds the master's
    writes up for seconds. A failover waits while servers are gone.
    """

    gone_after = 5000

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.failovers = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._fail_over_in_turn, daemon=True)
        self._thread.start()

    def _fail_over_in_turn(self) -> None:
        # By the names of the masters and replicas at the start: each pair has a master.
        pairs = [(name, self.replicas(name)[0]) for name in self.masters()]
        while not self._over.wait(BETWEEN_FAILOVERS):
            pair = pairs[self.failovers % len(pairs)]
            heir = next((name for name in pair if self.role(name) == "slave"), None)
            with suppress(NotYet, ResponseError):
                if heir and self.ask(heir, "CLUSTER", "FAILOVER") == "OK":
                    self.failovers += wait.happens(partial(self.role, heir), lambda role: role == "master", within=5)

    def end(self) -> None:
        self._over.set()
        self._thread.join()
        super().end()

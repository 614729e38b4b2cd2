"""A cluster of processes of this machine."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from redis import Redis

from muster import process
from muster.api import Api, Unanswered
from muster.cluster.base import Cluster, Settings
from muster.cluster.redis_topology import RedisServers
from muster.faults.line import Line
from muster.local.processes import Processes

# A terminal's token or an operator's key, whoever made it.
TOKEN = re.compile(rb"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{20,}")
# What programs write for others to read, as Redis' file and Nginx's configuration; a failure leaves most of it. At most
# so many bytes of a file are looked at.
WRITTEN = (".log", ".jsonl", ".json", ".conf", ".out", ".html", ".aof", ".rdb")
LOOKED_AT = 64 << 20


class ProcessCluster(Cluster):
    """Processes whose ids and logs are files in `directory`. `lines` has each node's way to Redis, by its number.

    `servers` are Redis servers that run already; by default the cluster has its own, which is one. All of `servers`
    that hold data are meant by the name redis. `seed` decides all that the lines leave to chance.
    """

    def __init__(self, directory: Path, settings: Settings, servers: RedisServers | None = None, seed: int = 0) -> None:
        self.directory, self.nodes, self.settings, self.servers = directory, settings.nodes, settings, servers
        self.lines: dict[int, Line] = {}
        flags = {"node": settings.of_node(), "sidecar": settings.of_sidecar()}
        self.processes = Processes(
            directory, {program: words(its) for program, its in flags.items()}, servers.url if servers else ""
        )
        self.processes.node_program = settings.node_program.split()
        if settings.lines:
            self._put_lines(seed)
        self.processes.up(settings.nodes)
        self._make_durable()
        self.secret = self.processes.read("secret")
        self.api = Api(self.proxy, self.processes.read("key"))
        # What nobody may read anywhere, beside all tokens and keys.
        self.secrets = {self.secret.partition("=")[2], self.api.key}

    def _put_lines(self, seed: int) -> None:
        for number in range(1, self.nodes + 1):
            self.lines[number] = Line(f"127.0.0.1:{self.processes.redis_port()}", seed + number)
            self.processes.redis_urls[f"node{number}"] = f"redis://{self.lines[number].address}"

    def _make_durable(self) -> None:
        if not self.settings.durable:
            return
        words = ("CONFIG", "SET", "appendfsync", "always")
        if not self.servers:
            self.redis(*words)
            return
        for name in self.servers.servers():
            self.servers.ask(name, *words)

    def proxy(self) -> str:
        return self.processes.read("sidecar.address")

    def node(self, number: int) -> str:
        return self.processes.read(f"node{number}.address")

    def kill(self, name: str) -> None:
        if name == "redis" and self.servers:
            self.servers.kill(*self.servers.servers())
        else:
            self.processes.kill(name)

    def start(self, name: str, files: int | None = None) -> None:
        """Start a process. `files`: the number of files that it may open."""
        if name == "redis" and self.servers:
            self.servers.start(*self.servers.servers())
        else:
            self.processes.start(name, files)
        if name == "redis":
            self._make_durable()

    def stop(self, name: str) -> None:
        if name == "redis" and self.servers:
            self.servers.stop(*self.servers.servers())
        else:
            process.freeze(self.pid(name))

    def cont(self, name: str) -> None:
        if name == "redis" and self.servers:
            self.servers.cont(*self.servers.servers())
        else:
            self.signal(name, signal.SIGCONT)

    def term(self, name: str) -> None:
        self.signal(name, signal.SIGTERM)

    def reload(self) -> None:
        self.signal("nginx", signal.SIGHUP)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process."""
        os.kill(self.pid(name), number)

    def runs(self, name: str) -> bool:
        return process.runs(self.pid(name))

    def redis(self, *words: str) -> str:
        """Return what Redis answers; of several masters, the sum of their numbers, or their lines together."""
        servers = self.servers
        ports = [servers.ports[name] for name in servers.masters()] if servers else [self.processes.redis_port()]
        answers = [_ask(port, *words) for port in ports]
        if all(answer.isdigit() for answer in answers):
            return str(sum(map(int, answers)))
        return "\n".join(answers)

    def log(self, name: str) -> str:
        return self.processes.read(f"{name}.log")

    def upstream(self) -> str:
        return self.processes.read("nginx/current/nodes.conf")

    def pid(self, name: str) -> int:
        """Return a process's id."""
        return self.processes.pid(name)

    def status(self, name: str) -> str:
        return Path(f"/proc/{self.pid(name)}/status").read_text()

    def files(self, name: str) -> int:
        return len(list(Path(f"/proc/{self.pid(name)}/fd").iterdir()))

    def cpu(self, name: str) -> float:
        """Return the processor time that a process has used, in seconds."""
        return process.cpu_seconds(self.pid(name))

    def stored(self) -> int:
        """Return the size of the file to which Redis appends, in bytes."""
        return max(path.stat().st_size for path in (self.directory / "appendonlydir").glob("*.aof"))

    def leaks(self) -> list[str]:
        """Return the places where a secret, a token or a key can be read.

        They are files (`WRITTEN`), the titles of processes, the metrics and states of programs, and errors of the API.
        """
        secrets = [secret.encode() for secret in self.secrets]
        return [place for place, text in self._public() if TOKEN.search(text) or any(each in text for each in secrets)]

    def _public(self) -> Iterator[tuple[str, bytes]]:
        for path in self.directory.rglob("*"):
            if path.suffix in WRITTEN and path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    yield str(path.relative_to(self.directory)), file.read(LOOKED_AT)
        for name in self.processes.names():
            # A process may have ended, or its file of the id may be empty still.
            with suppress(OSError, ValueError):
                yield f"the title of {name}", Path(f"/proc/{self.pid(name)}/cmdline").read_bytes()
        for path in self.directory.glob("*.address"):
            yield from self._served(path)
        yield "an error of the API", "\n".join(self.api.errors).encode()

    def _served(self, path: Path) -> Iterator[tuple[str, bytes]]:
        """Return the metrics and the state of the program whose address this file has, if it serves them now."""
        status = path.with_suffix(".status")
        at = (status if status.exists() else path).read_text().strip()
        for page in ("/metrics", "/state"):
            with suppress(Unanswered):
                yield f"{page} of {path.stem}", str(self.api.ask("GET", page, at=at, timeout=0.3)[1]).encode()

    def down(self) -> None:
        self.api.close()
        for line in self.lines.values():
            line.close()
        self.processes.down()


def _ask(port: int, *words: str) -> str:
    with Redis(port=port, decode_responses=True, encoding_errors="surrogateescape") as client:
        # As redis-cli shows it: the client's own parsing would hide INFO's text.
        client.response_callbacks.clear()
        answer = client.execute_command(*words)
        return "\n".join(map(str, answer)) if isinstance(answer, list) else str(answer)


def words(flags: dict[str, str]) -> list[str]:
    """Return flags and values as a command line has them."""
    return [word for pair in flags.items() for word in pair if word]

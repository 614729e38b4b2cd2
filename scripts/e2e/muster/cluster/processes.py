"""A cluster of processes of this machine."""

import os
import signal
from pathlib import Path

from redis import Redis

from muster import process
from muster.api import Api
from muster.cluster.base import Cluster, Settings
from muster.faults.line import Line
from muster.local.processes import Processes


class ProcessCluster(Cluster):
    """Processes whose ids and logs are files in `directory`. `lines` has each node's way to Redis, by its number.

    `redis` is the URL of Redis servers that run already (`redis_topology`); by default the cluster has its own. `seed`
    decides all that the lines leave to chance.
    """

    def __init__(self, directory: Path, settings: Settings, redis: str = "", seed: int = 0) -> None:
        self.directory, self.nodes, self.settings = directory, settings.nodes, settings
        self.lines: dict[int, Line] = {}
        flags = {"node": settings.of_node(), "sidecar": settings.of_sidecar()}
        self.processes = Processes(directory, {program: words(its) for program, its in flags.items()}, redis)
        if settings.lines:
            self._put_lines(seed)
        self.processes.up(settings.nodes)
        self._make_durable()
        self.secret = self.processes.read("secret")
        self.api = Api(self.proxy, self.processes.read("key"))

    def _put_lines(self, seed: int) -> None:
        for number in range(1, self.nodes + 1):
            self.lines[number] = Line(f"127.0.0.1:{self.processes.redis_port()}", seed + number)
            self.processes.redis_urls[f"node{number}"] = f"redis://{self.lines[number].address}"

    def _make_durable(self) -> None:
        if self.settings.durable:
            self.redis("CONFIG", "SET", "appendfsync", "always")

    def proxy(self) -> str:
        return self.processes.read("sidecar.address")

    def node(self, number: int) -> str:
        return self.processes.read(f"node{number}.address")

    def kill(self, name: str) -> None:
        self.processes.kill(name)

    def start(self, name: str, files: int | None = None) -> None:
        """Start a process. `files`: the number of files that it may open."""
        self.processes.start(name, files)
        if name == "redis":
            self._make_durable()

    def stop(self, name: str) -> None:
        process.freeze(self.pid(name))

    def cont(self, name: str) -> None:
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
        with Redis(
            port=self.processes.redis_port(), decode_responses=True, encoding_errors="surrogateescape"
        ) as client:
            # As redis-cli shows it: the client's own parsing would hide INFO's text.
            client.response_callbacks.clear()
            answer = client.execute_command(*words)
            return "\n".join(map(str, answer)) if isinstance(answer, list) else str(answer)

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

    def down(self) -> None:
        self.api.close()
        for line in self.lines.values():
            line.close()
        self.processes.down()


def words(flags: dict[str, str]) -> list[str]:
    """Return flags and values as a command line has them."""
    return [word for pair in flags.items() for word in pair]

"""Redis, nodes, and Nginx with its sidecar, as processes of this machine on free loopback ports."""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from muster import process, programs, wait

# Seconds that a program has to start.
STARTED = 20


class DidNotStart(RuntimeError):
    """A program of the cluster ended, or did not serve in time. The message holds the end of its log."""


class Processes:
    """The processes of one cluster, whose files are all in `directory`.

    A name is redis, node1, node2, …, sidecar, or nginx, which the sidecar starts. Any other name is a further sidecar
    with its own Nginx and its own flags. `NAME.pid` holds a process's id,
    `NAME.log` what it printed, `NAME.address` where it serves; `secret` signs tokens and `key` is an operator's key.
    `flags` are given to each program besides, by "node" and "sidecar". `redis_urls` are the URLs by which nodes reach
    Redis, by node, where that is not Redis' own address. `node_program` is what a node is, with the words before its
    flags. `redis` is the URL of Redis servers that run already; by
    default the cluster has a Redis of its own.
    """

    def __init__(self, directory: Path, flags: dict[str, list[str]] | None = None, redis: str = "") -> None:
        self.directory = directory
        self.flags = flags or {}
        self.redis_servers = redis
        self.redis_urls: dict[str, str] = {}
        self.node_program = ["muster-node"]

    def read(self, file: str) -> str:
        """Return the text of one of the cluster's files, without blanks around it."""
        return (self.directory / file).read_text().strip()

    def _write(self, file: str, text: str) -> None:
        path = self.directory / file
        # Keys and secrets are for this user alone.
        path.touch(mode=0o600)
        path.write_text(f"{text}\n")

    def up(self, nodes: int) -> None:
        """Start the whole cluster, and wait until it serves."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.directory.mkdir(parents=True, exist_ok=True)
        # Nginx's workers run as another user and must reach the folder.
        self.directory.chmod(0o711)
        self._write("secret", _output(programs.directory() / "muster-node", "secret"))
        own = [] if self.redis_servers else ["redis"]
        for name in [*own, *(f"node{number}" for number in range(1, nodes + 1)), "sidecar"]:
            self.start(name)
        environment = {"MUSTER_SECRET": self.read("secret")}
        self._write("key", _output(programs.directory() / "muster-node", "key", "--scope", "admin", env=environment))

    def start(self, name: str, files: int | None = None) -> None:
        """Start one process where it was, or a new one, and wait until it serves.

        `files`: the number of files that it may open. Default: as many as this process may.
        """
        before = ["prlimit", f"--nofile={files}:{files}"] if files else []
        if name == "redis":
            self._start_redis(before)
        elif name.startswith("node"):
            self._start_node(name, before)
        else:
            self._start_sidecar(name)

    def _start_redis(self, before: list[str]) -> None:
        port = self.redis_port()
        # A Redis that reaches its limit on the size of a file must be told so, and not be killed.
        before = ["env", "--ignore-signal=XFSZ", *before]
        options = f"--bind 127.0.0.1 --port {port} --appendonly yes --loglevel warning --dir".split()
        process.launch(self.directory, "redis", [*before, "redis-server", *options, self.directory, "--save", ""])
        self._started("redis", lambda: redis_answers(port))

    def redis_port(self) -> int:
        """Return Redis' port, which is chosen at the first call."""
        if not (self.directory / "redis.port").exists():
            self._write("redis.port", str(process.free_port()))
        return int(self.read("redis.port"))

    def redis_url(self) -> str:
        """Return the URL of Redis itself."""
        return self.redis_servers or f"redis://127.0.0.1:{self.redis_port()}"

    def _start_node(self, name: str, before: list[str]) -> None:
        redis = self.redis_urls.get(name, self.redis_url())
        program, *words = self.node_program
        command: list[str | Path] = [
            *before,
            programs.directory() / program,
            *words,
            "--listen",
            self._listen(name),
            "--redis",
            redis,
        ]
        self._serve(name, [*command, *self.flags.get("node", [])], {"MUSTER_SECRET": self.read("secret")})
        self._started(name, lambda: _is_ready(self.read(f"{name}.address")))

    def _start_sidecar(self, name: str) -> None:
        command: list[str | Path] = [programs.directory() / "muster-sidecar", "--listen", self._listen(name)]
        command += ["--dir", self.proxy_folder(name), "--redis", self.redis_url(), "--status", "127.0.0.1:0"]
        # A sidecar with a secret follows no node that lets everyone in.
        if "--insecure" not in self.flags.get("node", []):
            command += ["--secret-file", self.directory / "secret"]
        self._serve(name, [*command, *self.flags.get(name, [])], {})
        status = re.findall(r"status on ([\d.:]+)", self.read(f"{name}.log"))
        self._write(f"{name}.status", status[-1] if status else "")

    def proxy_folder(self, name: str) -> Path:
        """Return the folder in which a sidecar and its Nginx have their files."""
        return self.directory / ("nginx" if name == "sidecar" else name)

    def _listen(self, name: str) -> str:
        """Return the address of a program: the one that it had before, or a new one."""
        known = (self.directory / f"{name}.address").exists()
        return self.read(f"{name}.address") if known else f"127.0.0.1:{process.free_port()}"

    def _serve(self, name: str, command: list[str | Path], env: dict[str, str]) -> None:
        """Start a program and wait until its log says where it serves."""
        self._begin_log(name)
        process.launch(self.directory, name, command, env=env)
        self._started(name, lambda: "ready on" in self.read(f"{name}.log"))
        self._write(f"{name}.address", re.findall(r"ready on (\S+)", self.read(f"{name}.log"))[-1])

    def _begin_log(self, name: str) -> None:
        """Begin a new log. What an earlier process of this name logged is appended to `NAME.earlier.log`."""
        log = self.directory / f"{name}.log"
        if log.exists():
            with (self.directory / f"{name}.earlier.log").open("ab") as earlier:
                earlier.write(log.read_bytes())
        log.write_text("")

    def _started(self, name: str, serves: Callable[[], bool]) -> None:
        def either() -> bool:
            return serves() or not process.runs(self.pid(name))

        # A program that has ended will never serve.
        if not wait.happens(either, within=STARTED) or not process.runs(self.pid(name)):
            last = "\n".join(self.read(f"{name}.log").splitlines()[-20:])
            raise DidNotStart(f"{name} did not start; the end of its log:\n{last}")

    def pid(self, name: str) -> int:
        """Return a process's id. It was its id, if the process has ended."""
        return int(self.read("nginx/nginx.pid" if name == "nginx" else f"{name}.pid"))

    def names(self) -> list[str]:
        """Return the names of all processes that were launched in this folder, clients among them."""
        return sorted(path.stem for path in self.directory.glob("*.pid"))

    def kill(self, name: str) -> None:
        """Send SIGKILL, and wait until the process is gone. Nginx' workers would outlive it: they are killed too."""
        pids = [self.pid(name)] + (process.nginx_workers(self.directory) if name == "nginx" else [])
        for pid in pids:
            # A worker may end with its master.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # A process with much memory takes a moment to end, and holds its port for so long.
        for pid in pids:
            process.gone(pid)

    def down(self) -> None:
        """End all that runs: clients first, then the proxy, the nodes and Redis. Remove the folder."""
        order = ["sidecar", *(name for name in self.names() if re.fullmatch(r"node\d+", name)), "redis"]
        for name in [*(name for name in self.names() if name not in order), *order]:
            with suppress(FileNotFoundError, ValueError):
                # Nodes end at once, not after a drain, since all of it goes.
                process.end(self.pid(name), signal.SIGKILL if name.startswith("node") else signal.SIGTERM)
        process.end_nginx(self.directory)
        shutil.rmtree(self.directory, ignore_errors=True)


def _output(*command: str | Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env={**os.environ, **(env or {})}, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def redis_answers(port: int, password: str = "") -> bool:
    """Return whether the Redis at this port of loopback answers, and takes the password if one is given."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=2) as connection,
            connection.makefile("rb") as answers,
        ):
            if password:
                connection.sendall(f"AUTH {password}\r\n".encode())
                if answers.readline() != b"+OK\r\n":
                    return False
            connection.sendall(b"PING\r\n")
            return answers.readline() == b"+PONG\r\n"
    except OSError:
        return False

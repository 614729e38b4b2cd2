"""A proxy of the cluster: an Nginx, the sidecar that keeps its list of nodes up to date, and a small disk for it."""

import errno
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from muster import process, programs, wait
from muster.api import Json, Unanswered
from muster.cluster.base import pairs
from muster.cluster.processes import ProcessCluster, words

# Bytes. A file takes up whole pages.
PAGE = 4096
SIZE = 128 * PAGE
# Flags with which a sidecar applies each change at once, and not only when the set of nodes has been quiet for 5 s.
AT_ONCE = "--quiet 200ms --quiet-urgent 200ms --reload-every 200ms"


class Sidecar:
    """The sidecar `name` of a cluster, and its Nginx. The files of both are in `folder`."""

    def __init__(self, cluster: ProcessCluster, name: str = "sidecar") -> None:
        self.cluster, self.name = cluster, name
        self.folder = cluster.processes.proxy_folder(name)

    @property
    def address(self) -> str:
        """The address at which Nginx serves terminals and operators."""
        return self.cluster.processes.read(f"{self.name}.address")

    def status(self, path: str = "/livez", *, body: bytes | None = None, headers: dict[str, str] | None = None) -> int:
        """Return the status with which Nginx answers: to a GET, or to a POST if there is a body."""
        try:
            method = "GET" if body is None else "POST"
            url = f"http://{self.address}{path}"
            return httpx.request(method, url, content=body, headers=headers, timeout=5).status_code
        except httpx.HTTPError as error:
            raise Unanswered(f"{path}: {error}") from None

    def _ask(self, path: str) -> str:
        try:
            answer = httpx.get(f"http://{self.cluster.processes.read(f'{self.name}.status')}{path}", timeout=5)
        except httpx.HTTPError as error:
            raise Unanswered(f"the sidecar's {path}: {error}") from None
        return answer.text

    def state(self) -> Json:
        """Return the sidecar's /state."""
        return json.loads(self._ask("/state"))

    def serves(self, address: str) -> bool:
        """Return whether the sidecar says that Nginx knows this node."""
        return address in self.state()["served"]

    def leased(self, address: str) -> bool:
        """Return whether the sidecar sees the lease of this node."""
        return address in self.state()["leased"]

    def wait_until_it_trusts(self) -> None:
        """Wait until the sidecar trusts the registry, and would act on a node that left."""
        wait.until(lambda: self.state()["frozen"], lambda frozen: not frozen)

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric of the sidecar over all series with these labels; 0 if there is none.

        The name is without its beginning `muster_sidecar_`.
        """
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        total = 0.0
        for line in self._ask("/metrics").splitlines():
            series, _, value = line.rpartition(" ")
            if series.split("{")[0] == f"muster_sidecar_{name}" and all(label in series for label in wanted):
                total += float(value)
        return total

    def decisions(self, kind: str) -> list[Json]:
        """Return the decisions of one kind (reload, wait, keep, …) that the sidecar has logged since its start."""
        lines = self.cluster.log(self.name).splitlines()
        decisions = [json.loads(line) for line in lines if line.startswith('{"decision":')]
        return [decision for decision in decisions if decision["decision"] == kind]

    def reloads(self, result: str | None = None) -> int:
        """Return how many reloads there were since the sidecar's start: all, or those with this result."""
        return sum(result in (None, decision["result"]) for decision in self.decisions("reload"))

    def generation(self) -> int:
        """Return the number of the configuration with which Nginx would start."""
        return int((self.folder / "current").readlink().name)

    def running(self) -> int:
        """Return the number of the configuration that Nginx runs, as it says itself."""
        control = json.loads((self.folder / "ports.json").read_text())["control"]
        try:
            return int(httpx.get(f"http://{control}/generation", timeout=5).text)
        except (httpx.HTTPError, ValueError) as error:
            raise Unanswered(f"the generation that runs: {error}") from None

    def nodes_file(self) -> str:
        """Return the file from which Nginx knows the nodes."""
        return (self.folder / "current" / "nodes.conf").read_text()

    def nodes(self) -> set[str]:
        """Return the addresses of the nodes in that file."""
        lines = (line.split() for line in self.nodes_file().splitlines())
        return {parts[1] for parts in lines if parts[:1] == ["server"]}

    def has(self, number: int) -> bool:
        """Return whether that file names this node of the cluster."""
        return self.cluster.node(number) in self.nodes()

    def can_start(self) -> bool:
        """Return whether Nginx accepts the configuration on the disk (`nginx -t`)."""
        current = self.folder / "current" / "nginx.conf"
        command: list[str | Path] = ["nginx", "-t", "-q", "-p", self.folder, "-e", "stderr", "-c", current]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def lingering(self) -> list[int]:
        """Return the ids of old workers, which are there for their sessions only."""
        return [pid for pid in process.nginx_workers(self.cluster.directory) if "shutting down" in _command(pid)]

    def end(self, within: float = process.PATIENCE) -> None:
        """Send SIGTERM to the sidecar and wait until it has ended, and with it the Nginx that it started."""
        pid = self.cluster.pid(self.name)
        self.cluster.term(self.name)
        assert process.gone(pid, within), f"{self.name} had not ended after {within} s"

    def set_flags(self, flags: str) -> None:
        """Give these flags too, from the sidecar's next start on."""
        before = self.cluster.processes.flags.get(self.name, [])
        self.cluster.processes.flags[self.name] = words({**pairs(" ".join(before)), **pairs(flags)})

    def restart(self, flags: str = "") -> None:
        """End the sidecar with its Nginx, and start it with further flags."""
        self.end()
        self.set_flags(flags)
        self.cluster.start(self.name)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def own_memory(cluster: ProcessCluster) -> int:
    """Return the memory of Nginx's processes that they share with no other, in bytes."""
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in process.nginx_workers(cluster.directory)]
    lines = [line.split() for text in texts for line in text.splitlines() if line.startswith("Private_")]
    return sum(int(line[1]) << 10 for line in lines)


def write_program(path: Path, text: str) -> Path:
    """Write a program of the shell, for example one that stands in for Nginx, and return its path."""
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)
    return path


def sidecar_program() -> Path:
    """Return the path of muster-sidecar."""
    return programs.directory() / "muster-sidecar"


class SmallDisk:
    """A disk of 512 kB, mounted over a folder whose files nobody uses."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._filler = folder, folder / "filler"

    def mount(self) -> bool:
        """Mount the disk, which is empty; return whether this machine lets us."""
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(self._folder)]
        return subprocess.run(mount, check=False, capture_output=True).returncode == 0

    def unmount(self) -> None:
        """Unmount the disk, whoever still uses it."""
        subprocess.run(["umount", "-l", str(self._folder)], check=True)

    def fill(self, *, pages: int = 0) -> None:
        """Fill the disk, and leave room for so many pages."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(PAGE))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            file.truncate(file.tell() - pages * PAGE)

    def free(self) -> None:
        """Make room again."""
        self._filler.unlink()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Let nothing be written. A file that is open stays as it is."""
        at = str(self._folder)
        subprocess.run(["mount", "--bind", at, at], check=True)
        try:
            subprocess.run(["mount", "-o", "remount,bind,ro", at], check=True)
            yield
        finally:
            subprocess.run(["umount", "-l", at], check=True)


def unmount_all(folder: Path) -> None:
    """Unmount each disk below `folder`, which a test that was killed has left."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        if (at := line.split()[1]).startswith(f"{folder}/"):
            subprocess.run(["umount", "-l", at], check=False)

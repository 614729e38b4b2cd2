"""Processes by their ids: start one, look at it, end it; find an Nginx; keep cores busy.

Uses the standard library alone.
"""

import itertools
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from muster import wait

# Seconds that a process has to end after SIGTERM, before SIGKILL.
PATIENCE = 10


def launch(
    directory: Path,
    name: str,
    command: Sequence[str | Path],
    *,
    env: dict[str, str] | None = None,
    stdout: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, and write its id to `NAME.pid` in `directory`.

    A session of its own keeps a Ctrl-C from the process: whoever started it ends it in the right order.
    What it prints is appended to `NAME.log`, and its standard output to `stdout` if given. `env` is added to the
    environment.
    """
    with (
        (directory / f"{name}.log").open("ab") as log,
        (stdout or directory / f"{name}.log").open("ab") as out,
    ):
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=log,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    (directory / f"{name}.pid").write_text(f"{process.pid}\n")
    _children.add(process)
    return process


# A child that nobody waits for stays a zombie; `runs` reaps those that have ended. Threads of a test do so at once.
_children: set[subprocess.Popen[bytes]] = set()


def stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the program's name: the state, the parent, the group, the session, …

    The list is empty if there is no such process.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


def runs(pid: int) -> bool:
    """Return whether a thread of the process is there and has not ended.

    The last thread that ends closes the files of the process, such as the port on which it listens. The first thread
    may be a zombie by then.
    """
    for child in tuple(_children):
        if child.poll() is not None:
            _children.discard(child)
    return any(state not in ("", "Z") for state in _thread_states(pid))


def _thread_states(pid: int) -> list[str]:
    """Return the state of each thread; "" for one that has just gone. The list is empty if there is no such process."""
    try:
        return ["".join(stat(int(thread.name))[:1]) for thread in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []


def cpu_seconds(pid: int) -> float:
    """Return the processor time that the process has used, in seconds."""
    user, system = stat(pid)[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def precise_cpu_seconds(pid: int) -> float:
    """Return the same for the threads that run now, in steps of a nanosecond instead of 10 ms."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def gone(pid: int, within: float = PATIENCE) -> bool:
    """Wait until the process has ended; return whether it has."""
    return wait.happens(lambda: not runs(pid), within=within, every=0.02)


def freeze(pid: int) -> None:
    """Send SIGSTOP, and wait until each thread has stopped: on a busy machine they run on for a moment."""
    os.kill(pid, signal.SIGSTOP)
    wait.happens(lambda: _is_frozen(pid), within=PATIENCE, every=0.005)


def _is_frozen(pid: int) -> bool:
    # A thread that has ended is as good as one that has stopped.
    return all(state in ("", "T", "Z") for state in _thread_states(pid))


def end(pid: int, first: signal.Signals = signal.SIGTERM) -> None:
    """End a process that `launch` started: with the signal `first`, and after `PATIENCE` with SIGKILL.

    SIGKILL goes to all processes of its group. A process that leads no session is left alone: its id has a new owner.
    """
    if stat(pid)[3:4] != [str(pid)]:
        return
    try:
        # A stopped process hears nothing but SIGKILL until it goes on.
        os.kill(pid, first)
        os.kill(pid, signal.SIGCONT)
        gone(pid)
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def end_those_that_log_to(directory: Path) -> None:
    """Kill each process that logs to a file below `directory`: what `launch` started, and what that did."""
    # Until it is gone itself, a process may start others, as Nginx does when its workers end.
    for _ in range(3):
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _logs_to(path, directory)]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in pids:
            gone(pid)


def _logs_to(path: Path, directory: Path) -> bool:
    # The standard error of Nginx goes through a filter.
    with suppress(OSError):
        files = (path / "fd").iterdir() if (path / "comm").read_text().strip() == "nginx" else [path / "fd" / "2"]
        return any(_target(file).startswith(f"{directory.resolve()}/") for file in files)
    return False


def free_port() -> int:
    """Return a port of loopback that nothing listens on.

    The port lies above the range of outgoing connections, and of a thousand that belong to this worker of the tests, so
    that nobody takes it while its owner restarts. It is not returned again before all others were: its owner may need a
    while until it listens.
    """
    while True:
        port = next(_ports)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _own_ports() -> range:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 61000 + worker % 4 * 1000
    return range(first, first + 1000)


_ports = itertools.cycle(random.SystemRandom().sample(_own_ports(), 1000))


def address(listener: socket.socket) -> str:
    """Return HOST:PORT of a socket that listens."""
    return "{}:{}".format(*listener.getsockname())


def nginx_workers(directory: Path) -> list[int]:
    """Return the ids of the Nginx processes that write the access log of the cluster in `directory`.

    Nginx outlives a sidecar that was killed, and its workers outlive it.
    """
    log = directory.resolve() / "nginx" / "access.log"
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _writes(path, log)]


def naming(directory: Path) -> list[str]:
    """Return the command lines that name a file of this folder: those of sidecars, and of Nginx but for its workers."""
    lines = [_command_line(path) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return sorted(line for line in lines if f"{directory.resolve()}/" in line)


def _command_line(path: Path) -> str:
    try:
        return (path / "cmdline").read_text(errors="replace").replace("\0", " ").strip()
    except OSError:
        return ""


def _writes(path: Path, log: Path) -> bool:
    # A process may end, or its worker change its user, while it is looked at.
    with suppress(OSError):
        if (path / "comm").read_text().strip() == "nginx":
            return any(_target(file) == str(log) for file in (path / "fd").iterdir())
    return False


def _target(file: Path) -> str:
    try:
        return str(file.readlink())
    except OSError:
        return ""


def end_nginx(directory: Path) -> None:
    """Kill the Nginx of this cluster, master and workers, and wait until they are gone."""
    for pid in nginx_workers(directory):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        gone(pid)


# The loop ends with its parent, also where the parent was killed.
LOOP = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"


@contextmanager
def busy_cores(for_each_core: int = 1) -> Iterator[None]:
    """Keep each core of this machine busy with so many processes, to see that what passes once passes always.

    Each has a session of its own: the kernel weighs sessions against each other before it weighs the processes in them.
    """
    count = for_each_core * (os.cpu_count() or 1)
    loops = [subprocess.Popen([sys.executable, "-c", LOOP], start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()

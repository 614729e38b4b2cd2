"""Processes by their ids: start one, look at it, end it. Uses the standard library alone."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

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
    _children.append(process)
    return process


# A child that nobody waits for stays a zombie; `runs` reaps those that have ended.
_children: list[subprocess.Popen[bytes]] = []


def stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the program's name: the state, the parent, the group, the session, …

    The list is empty if there is no such process.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


def runs(pid: int) -> bool:
    """Return whether the process is there and has not ended."""
    for child in _children[:]:
        if child.poll() is not None:
            _children.remove(child)
    return stat(pid)[:1] not in ([], ["Z"])


def cpu_seconds(pid: int) -> float:
    """Return the processor time that the process has used, in seconds."""
    user, system = stat(pid)[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def gone(pid: int, within: float = PATIENCE) -> bool:
    """Wait until the process has ended; return whether it has."""
    end = time.monotonic() + within
    while runs(pid):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


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


def free_port() -> int:
    """Return a port of loopback that nothing listens on.

    The port lies above the range of outgoing connections, so that none takes it while its owner restarts.
    """
    while True:
        port = random.SystemRandom().randrange(61000, 65000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port

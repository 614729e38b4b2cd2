"""The Nginx of a cluster of processes. It outlives a sidecar that was killed, and its workers outlive it."""

import os
import signal
from contextlib import suppress
from pathlib import Path

from muster import process


def workers(directory: Path) -> list[int]:
    """Return the ids of the Nginx processes that write the cluster's access log."""
    log = directory.resolve() / "nginx" / "access.log"
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _writes(path, log)]


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


def end(directory: Path) -> None:
    """Kill the Nginx of this cluster, master and workers, and wait until they are gone."""
    for pid in workers(directory):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        process.gone(pid)

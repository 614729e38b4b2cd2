"""Runs steps, beside each other and after each other, and the commands of a step. No command outlives its run."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar
from itertools import chain
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from muster import programs

# What it is called, and what it does: it returns 0 if it passed.
Step = tuple[str, Callable[[], int]]
# Steps that follow each other.
Track = list[Step]
# Tracks that run at once. The next part begins when all of them are over.
Part = list[Track]

# Without what these steps make, others would run with older programs, or with none.
NEEDED = {"build", "tools"}
# What `run` returns for a command that is not begun, since the run is to end.
ENDED = 130

# The name of the step that this thread runs beside others; empty if it runs by itself.
_beside = ContextVar("_beside", default="")
# The commands that run. The lock is held from the question whether all is over until the command is among them.
_commands: set[subprocess.Popen[str]] = set()
_lock = threading.Lock()
_over = threading.Event()


def end(number: int, _frame: FrameType | None) -> NoReturn:
    """End this process, as a signal asks."""
    sys.exit(128 + number)


def run_all(parts: list[Part]) -> tuple[list[str], list[str]]:
    """Run the parts; return which steps passed and which failed. None follows a step of `NEEDED` that failed."""
    passed: list[str] = []
    failed: list[str] = []
    for part in parts:
        for name, well in _run_part(part):
            (passed if well else failed).append(name)
        if NEEDED & set(failed):
            break
    return passed, failed


def _run_part(part: Part) -> list[tuple[str, bool]]:
    with ThreadPoolExecutor(len(part)) as threads:
        tracks = [threads.submit(_run_track, track, len(part) > 1) for track in part]
        try:
            return list(chain.from_iterable(track.result() for track in tracks))
        except BaseException as error:
            # Each command has a session of its own, which a Ctrl-C at this one does not reach.
            _end_commands(signal.SIGINT if isinstance(error, KeyboardInterrupt) else signal.SIGTERM)
            raise


def _run_track(track: Track, beside_others: bool) -> list[tuple[str, bool]]:
    results: list[tuple[str, bool]] = []
    for name, step in track:
        _beside.set(name if beside_others else "")
        results.append((name, _timed(name, step)))
        if _over.is_set() or (name in NEEDED and not results[-1][1]):
            break
    return results


def _timed(name: str, step: Callable[[], int]) -> bool:
    """Run one step; print and return whether it passed."""
    _print(f"== {name}")
    began = time.monotonic()
    try:
        passed = step() == 0
    except (subprocess.CalledProcessError, SystemExit) as error:
        say(str(error))
        passed = False
    _print(f"{'ok   ' if passed else 'FAIL '} {name} ({time.monotonic() - began:.0f} s)")
    return passed


def _end_commands(number: signal.Signals) -> None:
    with _lock:
        _over.set()
        for child in _commands:
            with suppress(ProcessLookupError):
                if child.poll() is None:
                    os.killpg(child.pid, number)


def say(text: str) -> None:
    """Print a line. Where steps run beside each other it begins with the name of its step."""
    name = _beside.get()
    _print(f"{name} | {text}" if name else text)


def _print(line: str) -> None:
    # In one piece, or the lines of two steps would be mixed.
    print(f"{line}\n", end="", flush=True)


def run(*command: str, at: Path | None = None, said: list[str] | None = None, **variables: str) -> int:
    """Run one command and return its exit code; it runs in the project's root, or in `at`.

    Its lines are added to `said` if that is given. If this process is asked to end, the command is asked too, and
    cleans up before this process ends.
    """
    options: dict[str, Any] = {"cwd": at or programs.ROOT, "env": {**os.environ, **variables}}
    if said is not None or _beside.get():
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with _lock:
        if _over.is_set():
            return ENDED
        child = subprocess.Popen(command, text=True, errors="replace", start_new_session=True, **options)
        _commands.add(child)
    try:
        for line in child.stdout or ():
            say(line.removesuffix("\n"))
            if said is not None:
                said.append(line)
        return child.wait()
    finally:
        with _lock:
            _commands.discard(child)

"""The images of compose/, made once for all tests of a run."""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from muster import programs
from muster.cluster.docker import compose_command, session

# Compose leaves out the services of profiles that are not named: `build` would not make their images, and `down` would
# leave what they have started.
PROFILES = "loadgen,monitoring,tls"
DOCKERFILE = programs.ROOT / "compose" / "Dockerfile"


def build(directory: Path) -> str:
    """Make all images, unless a test of the same run did; return their tag. `directory` is a test's.

    MUSTER_BUILT is the tag of images that there are already. Runs in one source tree build one after the other: the
    second finds what the first has made, and would otherwise make all of it again beside the first.
    """
    if given := os.environ.get("MUSTER_BUILT"):
        return given
    tag, done = session(directory), directory.parent / "images.built"
    with _locked(DOCKERFILE):
        if not done.exists():
            _build(tag, directory / "build.log")
            done.touch()
    return tag


def _build(tag: str, log: Path) -> None:
    named = {"COMPOSE_FILE": "compose/compose.yaml", "COMPOSE_PROFILES": PROFILES}
    environment = {**os.environ, **named, "COMPOSE_PROJECT_NAME": tag, "MUSTER_TAG": tag}
    with log.open("wb") as out:
        command = [*compose_command(), "build"]
        done = subprocess.run(
            command, cwd=programs.ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False
        )
    if done.returncode:
        raise RuntimeError(f"the images can't be built; the end of the log:\n{log.read_text()[-4000:]}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

"""The Docker engine: its commands, what is missing, the images of compose/, and the clean-up of a whole run."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from muster import programs
from muster.api import Unanswered

# The images of others that the images of compose/ begin with.
BASE_IMAGES = ("debian:bookworm-slim", "rust:1.95-slim-bookworm")
# The C library of the first one. A program runs with the one that it was linked with, or with a newer one.
LIBC = (2, 36)
DOCKERFILE = "compose/Dockerfile"
# Compose leaves out the services of profiles that are not named: `build` would not make their images, and `down` would
# leave what they have started.
PROFILES = "loadgen,monitoring,tls"


class DockerFailed(Unanswered):
    """Docker could not do it, which may change: a container may be about to start or to end."""


def docker(*words: str, stdin: str = "") -> str:
    """Run one command of docker; return what it printed. Raises `DockerFailed`."""
    command = ["docker", *words]
    done = subprocess.run(
        command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise DockerFailed(f"docker {' '.join(words)}: {done.stdout.strip()[-2000:]}")
    return done.stdout


def works(*words: str) -> bool:
    """Return whether a command of docker succeeds."""
    return subprocess.run(["docker", *words], capture_output=True, check=False).returncode == 0


def missing() -> str:
    """Return what containers need and this machine lacks, or nothing."""
    if not shutil.which("docker") or not works("info"):
        return "no Docker engine answers; install and start one, with Compose"
    for image in BASE_IMAGES:
        if not works("image", "inspect", image) and not works("pull", "-q", image):
            return f"the image {image} is neither here nor in a registry that can be reached"
    return ""


def compose_command() -> list[str]:
    """Return how Compose is called: what MUSTER_COMPOSE says, or Docker's own, or the older program."""
    if named := os.environ.get("MUSTER_COMPOSE"):
        return named.split()
    return ["docker", "compose"] if works("compose", "version") else ["docker-compose"]


def session(directory: Path) -> str:
    """Return how the names of all projects and tags of a run begin, by the folder of one of its tests."""
    return directory.parent.name


def sweep(name: str) -> None:
    """Remove the containers, volumes, networks and images whose names begin with this one."""
    if not shutil.which("docker") or not works("info"):
        return
    by_name = f"--filter=name={name}"
    for find, remove in (
        (("ps", "-aq", by_name), ("rm", "-f", "-v")),
        (("volume", "ls", "-q", by_name), ("volume", "rm", "-f")),
        (("network", "ls", "-q", by_name), ("network", "rm")),
        (("images", "--format", "{{.Repository}}:{{.Tag}}", f"--filter=reference=muster/*:{name}*"), ("rmi",)),
    ):
        for found in docker(*find).split():
            works(*remove, found)


def build_images(directory: Path, built: Path | None) -> str:
    """Make all images, unless a test of the same run did; return their tag. `directory` is a test's.

    The images are those of compose/, with the programs of the folder `built`. Without it they are made as compose/
    says, which compiles the programs; and also where the programs need a newer C library than the images have.
    MUSTER_BUILT is the tag of images that there are already. Runs in one source tree build one after the other: the
    second finds what the first has made, and would otherwise make all of it again beside the first.
    """
    if given := os.environ.get("MUSTER_BUILT"):
        return given
    tag, done = session(directory), directory.parent / "images.built"
    with _locked(programs.ROOT / DOCKERFILE):
        if not done.exists():
            root = _with(built, directory.parent / "images") if built and _libc() <= LIBC else programs.ROOT
            _build(tag, directory / "build.log", root)
            done.touch()
    return tag


def _libc() -> tuple[int, ...]:
    version = (os.confstr("CS_GNU_LIBC_VERSION") or "").removeprefix("glibc ")
    return tuple(map(int, version.split(".")))


def _with(built: Path, context: Path) -> Path:
    """Make the folder `context`, in which the images can be made of programs that are compiled already."""
    shutil.copytree(programs.ROOT / "compose", context / "compose", dirs_exist_ok=True)
    (context / "programs").mkdir(exist_ok=True)
    for name in ("muster-node", "muster-sidecar", "muster-loadgen"):
        subprocess.run(["strip", "--strip-debug", "-o", context / "programs" / name, built / name], check=True)
    dockerfile = context / DOCKERFILE
    dockerfile.write_text(without_compiling(dockerfile.read_text()))
    return context


def without_compiling(dockerfile: str) -> str:
    """Return the Dockerfile without the stages that compile: its images get the programs in the folder `programs`."""
    before, _, compiles = dockerfile.partition("FROM base AS sources\n")
    _, node, images = compiles.partition("FROM base AS node\n")
    return before + node + images.replace("--from=build /programs/", "programs/").replace(" /programs/", " programs/")


def _build(tag: str, log: Path, root: Path) -> None:
    named = {"COMPOSE_FILE": "compose/compose.yaml", "COMPOSE_PROFILES": PROFILES}
    environment = {**os.environ, **named, "COMPOSE_PROJECT_NAME": tag, "MUSTER_TAG": tag}
    with log.open("wb") as out:
        command = [*compose_command(), "build"]
        done = subprocess.run(
            command, cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False
        )
    if done.returncode:
        raise RuntimeError(f"the images can't be built; the end of the log:\n{log.read_text()[-4000:]}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

"""The demo and scripts/cluster work as printed, and leave no process and no file, however they end."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from muster import programs, wait

SHORT = "--terminals 200 --ramp 1s --for 4s --grace 1s".split()


class Demo:
    """A short demo whose temporary folders are in `temp`."""

    def __init__(self, directory: Path, path: str | None = None) -> None:
        self.temp = directory / "temp"
        self.temp.mkdir(exist_ok=True)
        self.printed = directory / "demo.out"
        env = {**os.environ, "TMPDIR": str(self.temp), "PATH": path or os.environ["PATH"]}
        with self.printed.open("wb") as out:
            command = [str(programs.ROOT / "scripts" / "demo"), *SHORT]
            self.process = subprocess.Popen(command, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL)

    def sends(self) -> None:
        """Wait until the generator sends."""
        wait.until(self.printed.read_text, lambda text: re.search(r" [1-9]\d* sent", text))

    def ends(self) -> int:
        """Wait for the end, and return the exit code."""
        return self.process.wait(90)

    def left(self) -> list[str]:
        """Return the files and the processes that are left. Each process has a file in the folder open: its log."""
        links = [link for process in Path("/proc").glob("[0-9]*") for link in _open_files(process)]
        return [*map(str, self.temp.iterdir()), *(link for link in links if link.startswith(f"{self.temp}/"))]


def _open_files(process: Path) -> Iterator[str]:
    try:
        for file in (process / "fd").iterdir():
            yield str(file.readlink())
    except OSError:
        # The process ended meanwhile.
        return


def test_a_demo_ends_well_and_leaves_nothing(directory: Path) -> None:
    demo = Demo(directory)
    assert demo.ends() == 0, demo.printed.read_text()
    assert re.search(r"^faults  *none", demo.printed.read_text(), re.MULTILINE)
    assert demo.left() == []


def test_a_demo_that_is_interrupted_while_it_starts_leaves_nothing(directory: Path) -> None:
    demo = Demo(directory)
    wait.until(lambda: list(demo.temp.glob("*/redis.pid")))
    demo.process.send_signal(signal.SIGINT)
    assert demo.ends() == 130
    assert demo.left() == []


def test_a_demo_that_is_interrupted_while_it_runs_leaves_nothing(directory: Path) -> None:
    demo = Demo(directory)
    demo.sends()
    demo.process.send_signal(signal.SIGINT)
    assert demo.ends() == 130
    assert demo.left() == []


def test_a_demo_whose_nginx_does_not_start_fails_and_leaves_nothing(directory: Path) -> None:
    broken = directory / "broken"
    broken.mkdir()
    (broken / "nginx").symlink_to("/bin/false")
    demo = Demo(directory, path=f"{broken}:{os.environ['PATH']}")
    assert demo.ends() == 1
    assert demo.left() == []


def test_a_demo_whose_redis_is_killed_fails_and_leaves_nothing(directory: Path) -> None:
    demo = Demo(directory)
    demo.sends()
    os.kill(int(next(demo.temp.glob("*/redis.pid")).read_text()), signal.SIGKILL)
    assert demo.ends() not in (0, 130)
    assert demo.left() == []


@pytest.fixture
def scripts_cluster(directory: Path) -> Iterator[Path]:
    """The folder of a cluster that `scripts/cluster up` has started. What that printed is in `up.out`."""
    at = directory / "temp" / "cluster"
    at.parent.mkdir()
    (directory / "up.out").write_text(scripts_cluster_command(at, "up"))
    yield at
    scripts_cluster_command(at, "down")


def scripts_cluster_command(at: Path, *words: str) -> str:
    """Run scripts/cluster and return what it prints."""
    env = {**os.environ, "MUSTER_CLUSTER_DIR": str(at)}
    command = [str(programs.ROOT / "scripts" / "cluster"), *words]
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout


def test_the_commands_that_scripts_cluster_prints_work_as_printed(scripts_cluster: Path) -> None:
    printed = (scripts_cluster.parent.parent / "up.out").read_text()
    nodes, command = [line for line in printed.splitlines() if line.startswith("curl")]
    assert len(re.findall('"id"', run(nodes))) == 3
    assert '"state":' in run(command)
    scripts_cluster_command(scripts_cluster, "down")
    assert list(scripts_cluster.parent.iterdir()) == []


def run(line: str) -> str:
    """Run a line of shell as a visitor would."""
    return subprocess.run(["bash", "-c", line], check=True, capture_output=True, text=True).stdout

"""What a newcomer runs works as it is shown: the demo, scripts/cluster, and terminals whose WebSocket others wrote."""

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser
from websockets.sync.client import connect

from muster import process, programs, wait
from muster.api import Events
from muster.cluster import Cluster
from muster.traffic.terminal import token

# The demo and scripts/cluster work as printed, and leave no process and no file, however they end.

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
    # A command needs somebody to get it.
    assert "no terminal is selected" in run(command)
    terminal = re.search(r"ws://\S+=(?=ID)", printed), re.search(r"a token +(\S+) +\(for terminal t1\)", printed)
    assert terminal[0] and terminal[1]
    with connect(f"{terminal[0][0]}t1", additional_headers={"Authorization": f"Bearer {terminal[1][1]}"}) as session:
        wait.until(lambda: run(command), lambda answer: '"state":' in answer)
        assert session.recv(timeout=10) == "hi"
    scripts_cluster_command(scripts_cluster, "down")
    assert list(scripts_cluster.parent.iterdir()) == []


def run(line: str) -> str:
    """Run a line of shell as a visitor would."""
    return subprocess.run(["bash", "-c", line], check=True, capture_output=True, text=True).stdout


# Terminals whose WebSocket others wrote, in plain mode through Nginx: the files that docs/usage.md shows.

TERMINALS = programs.ROOT / "examples" / "terminals"
JDK_TERMINAL = programs.ROOT / "clients" / "java" / "src" / "test" / "java" / "examples" / "JdkTerminal.java"


@pytest.mark.parametrize("file", ["terminal.py", "terminal.js"])
def test_the_documentation_shows_the_terminal_that_is_tested(file: str) -> None:
    assert (TERMINALS / file).read_text() in (programs.ROOT / "docs" / "usage.md").read_text()


class Fleet:
    """One terminal of each library, named after the library. Each prints what it receives, a line for each message."""

    def __init__(self, cluster: Cluster, browser: Browser) -> None:
        self.cluster = cluster
        modules = {"NODE_PATH": str(programs.npm_install("ws@8.18.3"))}
        programs.install({"javac": "default-jdk-headless"})
        assert shutil.which("javac"), "a JDK is needed: apt-get install default-jdk-headless"
        self.logs = {
            "websockets": self._start("websockets", {}, sys.executable, TERMINALS / "terminal.py"),
            "ws": self._start("ws", modules, "node", TERMINALS / "terminal.js"),
            "jdk": self._start("jdk", {}, "java", JDK_TERMINAL),
        }
        self.tab = browser.new_page()
        self.logged: list[str] = []
        self._open("chromium")
        self.names = [*self.logs, "chromium"]
        for name in self.names:
            wait.until(lambda name=name: cluster.api.get(f"/v1/terminals/{name}")["status"], lambda s: s == "online")  # type: ignore[misc]

    def _start(self, name: str, env: dict[str, str], *command: str | Path) -> Path:
        log = self.cluster.directory / f"{name}.out"
        words = [*command, self.cluster.url(), name]
        process.launch(
            self.cluster.directory, name, words, env={**env, "TOKEN": token(self.cluster.secret, name)}, stdout=log
        )
        return log

    def _open(self, name: str) -> None:
        """Open terminal.html from an origin of this machine, as a page of one's own would be."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(TERMINALS)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.tab.on("console", lambda line: self.logged.append(line.text))
        said = urlencode({"url": self.cluster.url(), "terminal": name, "token": token(self.cluster.secret, name)})
        self.tab.goto(f"http://127.0.0.1:{server.server_port}/terminal.html#{said}")
        server.shutdown()

    def got(self, mark: str) -> dict[str, int]:
        """Return how often each terminal received this payload; those that did not are left out."""
        # What the page has logged meanwhile comes with the answer to a question.
        self.tab.title()
        lines = {name: log.read_text().splitlines() for name, log in self.logs.items()} | {"chromium": self.logged}
        return {name: each.count(mark) for name, each in lines.items() if mark in each}


def test_terminals_of_four_libraries_receive_once_and_their_messages_are_events(
    cluster: Cluster, browser: Browser
) -> None:
    events = Events(cluster.api, cluster.node(1))
    fleet = Fleet(cluster, browser)
    for name in fleet.names:
        mark = post(cluster, {"terminal": name})
        wait.until(lambda mark=mark: fleet.got(mark))  # type: ignore[misc]
        assert fleet.got(mark) == {name: 1}

    mark = post(cluster, {"all": True})
    wait.until(lambda: fleet.got(mark), lambda got: got == dict.fromkeys(fleet.names, 1))

    for name in fleet.names:
        wait.until(lambda: said(events), lambda seen, name=name: (name, "message", f"hello from {name}") in seen)  # type: ignore[misc]
        # Three bytes, as base64.
        wait.until(lambda: said(events), lambda seen, name=name: (name, "binary", "AQID") in seen)  # type: ignore[misc]


def post(cluster: Cluster, target: dict[str, object]) -> str:
    """Post a command with a payload of its own, and return the payload."""
    mark = secrets.token_hex(8)
    cluster.api.post({"target": target, "name": "show", "payload": mark})
    return mark


def said(events: Events) -> list[tuple[str, str, str]]:
    """Return the terminals' own events: terminal, name, payload."""
    return [(event["terminal"], event["name"], event["payload"]) for event in events.of("terminal.event")]

"""What a newcomer runs works as it is shown: the demo, scripts/cluster, muster, and terminals of others' WebSockets."""

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import termios
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser
from websockets.sync.client import connect

from muster import process, programs, wait
from muster.api import Events, Json
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


# `muster top` on the node of `muster quickstart`: it gives the terminal back as it was, however it ends.


@pytest.fixture
def quickstart(directory: Path) -> Iterator[str]:
    """The URL of the node that `muster quickstart` has started."""
    printed = directory / "quickstart.out"
    with printed.open("wb") as out:
        command = [programs.program("muster"), "quickstart", "--port", "0"]
        started = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        text = wait.until(printed.read_text, lambda text: "Ctrl-C ends it" in text)
        address = re.search(r"a node on (\S+) with three terminals", text)
        assert address, text
        url = f"http://{address[1]}"
        wait.until(lambda: answered(f"{url}/v1/fleet")["online"], lambda online: online == 3)
        yield url
    finally:
        started.send_signal(signal.SIGINT)
        assert started.wait(60) == 0


def answered(url: str, body: dict[str, object] | None = None) -> Json:
    """Ask a node that needs no key, with a body by POST."""
    data = json.dumps(body).encode() if body else None
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=60) as answer:
        return json.load(answer)


class Top:
    """`muster top` on a terminal of 24 rows, of which this process is the other side."""

    ENTERED, LEFT = "\x1b[?1049h", "\x1b[?7h\x1b[?25h\x1b[?1049l"

    def __init__(self, url: str, columns: int = 100) -> None:
        self.side, self.terminal = os.openpty()
        termios.tcsetwinsize(self.terminal, (24, columns))
        self.before = termios.tcgetattr(self.terminal)
        os.set_blocking(self.side, False)
        self.shown = b""
        command = ["setsid", "--ctty", programs.program("muster"), "top", "--url", url, "--every", "500ms"]
        tty = self.terminal
        self.process = subprocess.Popen(command, stdin=tty, stdout=tty, stderr=tty)

    def text(self) -> str:
        """Return all that was written so far."""
        with suppress(BlockingIOError):
            while more := os.read(self.side, 65536):
                self.shown += more
        return self.shown.decode(errors="replace")

    def shows(self, words: str) -> str:
        """Wait until these words were written, and return all."""
        return wait.until(self.text, lambda text: words in text)

    def ends(self) -> int:
        """Wait for the end, while what is written is read, and return the exit code."""
        code = wait.until(lambda: (self.text(), self.process.poll())[1], lambda code: code is not None)
        assert code is not None
        return code

    def close(self) -> None:
        """End it if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.side)
        os.close(self.terminal)


@pytest.mark.parametrize(
    "end",
    [
        lambda top: os.write(top.side, b"q"),
        lambda top: os.write(top.side, b"\x03"),
        lambda top: top.process.send_signal(signal.SIGTERM),
        lambda top: top.process.send_signal(signal.SIGHUP),
    ],
    ids=["q", "Ctrl-C", "SIGTERM", "SIGHUP"],
)
def test_top_gives_the_terminal_back_as_it_was(quickstart: str, end: Callable[[Top], object]) -> None:
    top = Top(quickstart)
    try:
        text = top.shows("0 RUNNING")
        assert Top.ENTERED in text and Top.LEFT not in text
        assert "3 terminals: 3 online" in text
        assert termios.tcgetattr(top.terminal) != top.before
        end(top)
        assert top.ends() == 0
        assert top.text().endswith(Top.LEFT)
        assert termios.tcgetattr(top.terminal) == top.before
    finally:
        top.close()


def test_top_ends_with_its_terminal(quickstart: str) -> None:
    top = Top(quickstart)
    top.shows("0 RUNNING")
    os.close(top.terminal)
    os.close(top.side)
    try:
        top.process.wait(60)
    finally:
        top.process.kill()


def test_no_name_harms_the_screen_of_top_and_no_line_is_wider_than_it(quickstart: str) -> None:
    name = "\x1b[31mred\u202e\n" + "long" * 20
    answered(f"{quickstart}/v1/commands", {"target": {"all": True}, "name": name, "rate": 0.001})
    top = Top(quickstart, columns=30)
    try:
        top.shows("1 RUNNING")
        # The first look. The terminal puts a carriage return before each line feed.
        text = wait.until(top.text, lambda text: text.count("\x1b[H") > 1).split("\x1b[H")[1].replace("\r", "")
        lines = text.split("\n")
        assert len(lines) == 24
        assert all(line.startswith("\x1b[K") and len(line.removeprefix("\x1b[K")) <= 30 for line in lines), lines
        assert not re.search(r"[\x00-\x1f\u202e]", text.replace("\x1b[K", "").replace("\n", "")), lines
        assert any("\\u{1b}[31mred" in line for line in lines), lines
    finally:
        top.close()


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

"""Terminals whose WebSocket others wrote, in plain mode through Nginx: the files that docs/usage.md shows."""

import secrets
import shutil
import sys
from pathlib import Path

import pytest

from muster import process, programs, wait
from muster.api import Events
from muster.cluster import Cluster
from muster.traffic.token import token

TERMINALS = Path(__file__).with_name("terminals")


@pytest.mark.parametrize("file", ["terminal.py", "terminal.js"])
def test_the_documentation_shows_the_terminal_that_is_tested(file: str) -> None:
    assert (TERMINALS / file).read_text() in (programs.ROOT / "docs" / "usage.md").read_text()


class Fleet:
    """One terminal of each library, named after the library. Each prints what it receives, a line for each message."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        modules = {"NODE_PATH": str(programs.npm_install("ws@8.18.3", "playwright-core@1.56.1"))}
        programs.install({"chromium": "chromium", "javac": "default-jdk-headless"})
        assert shutil.which("javac"), "a JDK is needed: apt-get install default-jdk-headless"
        profile = cluster.directory / "profile"
        self.logs = {
            "websockets": self._start("websockets", {}, sys.executable, TERMINALS / "terminal.py"),
            "ws": self._start("ws", modules, "node", TERMINALS / "terminal.js"),
            "chromium": self._start("chromium", modules, "node", TERMINALS / "browser.js", profile),
            "jdk": self._start("jdk", {}, "java", TERMINALS / "Terminal.java"),
        }
        for name in self.logs:
            wait.until(lambda name=name: cluster.api.get(f"/v1/terminals/{name}")["status"], lambda s: s == "online")  # type: ignore[misc]

    def _start(self, name: str, env: dict[str, str], *command: str | Path) -> Path:
        log = self.cluster.directory / f"{name}.out"
        words = [*command, self.cluster.url(), name]
        process.launch(
            self.cluster.directory, name, words, env={**env, "TOKEN": token(self.cluster.secret, name)}, stdout=log
        )
        return log

    def got(self, mark: str) -> dict[str, int]:
        """Return how often each terminal received this payload; those that did not are left out."""
        counts = {name: log.read_text().splitlines().count(mark) for name, log in self.logs.items()}
        return {name: count for name, count in counts.items() if count}


def test_terminals_of_four_libraries_receive_once_and_their_messages_are_events(cluster: Cluster) -> None:
    events = Events(cluster.api, cluster.node(1))
    fleet = Fleet(cluster)
    for name in fleet.logs:
        mark = post(cluster, {"terminal": name})
        wait.until(lambda mark=mark: fleet.got(mark))  # type: ignore[misc]
        assert fleet.got(mark) == {name: 1}

    mark = post(cluster, {"all": True})
    wait.until(lambda: fleet.got(mark), lambda got: got == dict.fromkeys(fleet.logs, 1))

    for name in fleet.logs:
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

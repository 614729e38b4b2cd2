"""Terminals with WebSocket libraries that others wrote work through Nginx; docs/clients.md says what their users see.

The programs are in clients/others: its README.md says what each is told and prints, its libraries.toml lists them.
"""

import fcntl
import hashlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from muster import process, programs, reporting, wait
from muster.api import Events, Json
from muster.cluster import ProcessCluster, Settings
from muster.cluster.sidecar import Sidecar
from muster.fixtures import missing, need
from muster.traffic.terminal import VALID, Terminal, token
from proxy.test_own_files import Authority

OTHERS = programs.ROOT / "clients" / "others"
BUILT = programs.ROOT / "target" / "others"
TABLE = tomllib.loads((OTHERS / "libraries.toml").read_text())
PAGE = (programs.ROOT / "docs" / "clients.md").read_text()
# What a session is for: how it ends, and the code or the status that its node sends. The order is that of the page.
ENDS = {
    "ended": 1001,
    "talks": 1009,
    "silent": 4001,
    "expires": 4004,
    "revoked": 4501,
    "removed": 4503,
    "replaced": 4509,
    "refused": 401,
}
# The sessions whose token is offered as a subprotocol, if the library can send it in a header too.
OFFERED = {"revoked", "removed", "replaced"}
# The ends whose code is in no event: nobody goes offline, or the terminal is forgotten.
UNTOLD = {"removed", "replaced", "refused"}
# Bytes: of a command that is larger than what a node takes from a terminal, and of what is too large for a node.
LARGE, TOO_LARGE = 100_000, 70_000


@dataclass(frozen=True)
class Library:
    """A row of libraries.toml, whose comment says what each field is. What it leaves out is that of its language."""

    name: str
    language: str
    version: str
    program: str
    set: str
    build: str
    run: str
    package: str = ""
    quick: bool = False
    compiled: bool = False
    apt: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    heads: tuple[str, ...] = ("header", "subprotocol")
    unseen: tuple[str, ...] = ()

    @property
    def slug(self) -> str:
        """The name for files and for terminals."""
        return re.sub(r"[^a-z0-9.]+", "-", self.name.lower().replace("+", "p")).strip("-")

    def filled(self, line: str, ca: Path = Path()) -> str:
        """Return a line of the table with what stands for its words in braces."""
        words = {"out": BUILT / self.language / self.slug, "program": self.program, "package": self.package}
        for word, value in {**words, "ca": ca, "python": sys.executable}.items():
            line = line.replace(f"{{{word}}}", str(value))
        return line

    def made(self) -> None:
        """Install and build what the program needs, unless that was done for these very files. Else skip the test."""
        line = self.filled(self.build)
        files = sorted(path for path in (OTHERS / self.language).rglob("*") if path.is_file() and self.compiled)
        stamp = BUILT / hashlib.sha256(line.encode() + b"".join(path.read_bytes() for path in files)).hexdigest()
        (BUILT / self.language).mkdir(parents=True, exist_ok=True)
        with (BUILT / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                programs.install({what: names for what, names in self.apt.items() if not Path(what).exists()})
            except SystemExit as error:
                missing(f"{self.name}: {error}")
            if not stamp.exists():
                done = subprocess.run(["bash", "-c", line], cwd=OTHERS, check=False, capture_output=True, text=True)
                if done.returncode != 0:
                    missing(f"{self.name} can't be built: {(done.stdout + done.stderr)[-2000:]}")
                stamp.touch()

    def row(self, cells: list[str], scheme: str) -> str:
        """Return the row of docs/clients.md. A library that shows something else by wss has a second row for that."""
        name = f"{self.name}, by wss"
        return f"| {name if scheme == 'wss' and f'| {name} |' in PAGE else self.name} | {' | '.join(cells)} |"


def of_table(row: Mapping[str, Json]) -> Library:
    """Return the library of a row."""
    language = TABLE["language"][row["language"]]
    return Library(**{**language, **row, "env": {**language.get("env", {}), **row.get("env", {})}})


LIBRARIES = [of_table(row) for row in TABLE["library"]]


class Stage:
    """A cluster of two nodes, and a second proxy, `secure`, which has TLS."""

    def __init__(self, directory: Path) -> None:
        self.cluster = ProcessCluster(directory, Settings(nodes=2))
        authority = Authority(directory, "servers")
        cert, key = authority.issue("/CN=proxy", "IP:127.0.0.1")
        flags = self.cluster.processes.flags
        flags["secure"] = [*flags["sidecar"], "--tls-cert", str(cert), "--tls-key", str(key)]
        self.cluster.start("secure")
        self.ca = authority.cert

    def trusted_by_java(self) -> None:
        """Write the CA to the file that a JVM reads."""
        store = self.ca.with_name(f"{self.ca.name}.p12")
        if not store.exists():
            words = "keytool -importcert -noprompt -storetype PKCS12 -storepass public -alias ca".split()
            command = [*words, "-file", str(self.ca), "-keystore", str(store)]
            subprocess.run(command, check=True, capture_output=True, timeout=300)


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The cluster that all libraries share: each has terminals of its own."""
    if request.config.option.compose:
        pytest.skip("processes only: the programs trust a certificate that is made for 127.0.0.1")
    need("openssl")
    directory = Path(tempfile.mkdtemp(dir=request.config.option.runs))
    directory.chmod(0o711)
    made = Stage(directory)
    yield made
    leaks = made.cluster.leaks()
    made.cluster.down()
    assert not leaks, leaks


@pytest.fixture
def logs(request: pytest.FixtureRequest, stage: Stage) -> Iterator[None]:
    """What the programs printed stays behind if the test fails."""
    yield
    reporting.leave(request.node, stage.cluster.directory)


class Program:
    """A program with one session: `end` is what the session is for. `seconds`: how long its token is valid."""

    def __init__(self, stage: Stage, library: Library, scheme: str, end: str, seconds: int = VALID) -> None:
        self.stage, self.end, self.code = stage, end, ENDS[end]
        # No other attempt has this name, whose tokens may be revoked.
        self.name = f"{library.slug}-{scheme}-{end}-{secrets.token_hex(2)}"
        secure = scheme == "wss"
        at = Sidecar(stage.cluster, "secure").address if secure else stage.cluster.proxy()
        heads = [head for head in library.heads if (head == "subprotocol") == (end in OFFERED)] or library.heads
        secret = "k1=no node knows this one" if end == "refused" else stage.cluster.secret
        env = {name: library.filled(value, stage.ca) for name, value in library.env.items()}
        env |= {"TOKEN": token(secret, self.name, seconds), "HEAD": heads[0]}
        words = [f"{scheme}://{at}/ws?terminal_id={self.name}", *([str(stage.ca)] if secure else [])]
        line = f'cd {OTHERS} && exec {library.filled(library.run, stage.ca)} "$@"'
        self._printed = stage.cluster.directory / f"{self.name}.out"
        self._printed.write_text("")
        self._process = process.launch(
            stage.cluster.directory, self.name, ["bash", "-c", line, "bash", *words], env=env, stdout=self._printed
        )

    def lines(self, *saw: str) -> list[Json]:
        """Return what was printed, or only those kinds."""
        lines = [json.loads(line) for line in self._printed.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if not saw or line["saw"] in saw]

    def opens(self) -> None:
        """Wait until the program knows that its session is open."""
        # Eight JVMs that start at once on a busy machine take their time.
        wait.until(self._opened_or_ended, within=180)
        assert self.lines("open"), f"{self.name} did not open: {self.lines()}; see {self.name}.log"

    def _opened_or_ended(self) -> bool:
        return bool(self.lines("open")) or self._process.poll() is not None

    def hears(self, size: int) -> None:
        """Wait until the program has got a message of this size."""
        wait.until(lambda: self.lines("text"), lambda lines: size in [line["size"] for line in lines])

    def post(self, payload: str) -> None:
        """Send the terminal a command."""
        self.stage.cluster.api.post({"target": {"terminal": self.name}, "name": "show", "payload": payload})

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program and its children, if they still run."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def shown(self) -> str:
        """Return what the library's user sees of the end: a cell of the page."""
        wait.happens(lambda: self.lines("close", "refused") or self._process.poll() is not None, within=30)
        ends = self.lines("close", "refused", "error")
        told = next((line for line in ends if line["saw"] != "error"), {"saw": "error"} if ends else {"saw": ""})
        number = told.get("code") or told.get("status")
        words = [str(number) if number else {"close": "no code", "": "nothing"}.get(told["saw"], "an error")]
        if number == self.code:
            words += [word for word in ("reason", "body") if told.get(word)]
        elif re.search(rf"\b{self.code}\b", json.dumps([[line.get("text"), line.get("reason")] for line in ends])):
            words.append(f"{self.code} in a text")
        return ", ".join(words)


class Trial:
    """All sessions of one library, by one scheme."""

    def __init__(self, stage: Stage, library: Library, scheme: str) -> None:
        self.api, self.stage = stage.cluster.api, stage
        self.events = Events(self.api, stage.cluster.node(1))
        self.start = partial(Program, stage, library, scheme)
        self.programs = {end: self.start(end) for end in ENDS if end not in (*library.unseen, "expires")}
        self.programs["expires"] = self.expires(seconds=8)

    def expires(self, seconds: int) -> Program:
        """Return the program whose token expires soon after it has opened, however long it takes to start."""
        program = self.start("expires", seconds=seconds)
        if wait.happens(lambda: program.lines("open"), within=seconds):
            return program
        program.send(signal.SIGKILL)
        return self.expires(2 * seconds)

    def talks(self) -> None:
        """See a program get a command, answer, live through pings, and get a large command."""
        program = self.programs["talks"]
        wait.until(lambda: self.said(program.name), lambda said: ("message", "hello") in said)
        program.post("to you")
        program.hears(len("to you"))
        before = self.last_seen(program.name)
        wait.until(lambda: self.last_seen(program.name), lambda at: at != before)
        program.post("x" * LARGE)
        program.hears(LARGE)
        program.post(f"send {TOO_LARGE}")

    def said(self, name: str) -> list[tuple[str, str]]:
        """Return the terminal's own events."""
        return [(e["name"], e.get("payload")) for e in self.events.of("terminal.event") if e["terminal"] == name]

    def last_seen(self, name: str) -> str:
        """Return when the node last heard of a terminal."""
        return str(self.api.get(f"/v1/terminals/{name}")["last_seen"])

    def act(self) -> None:
        """Have each session end, and see its node say so."""
        for end, program in self.programs.items():
            if end != "refused":
                program.opens()
        self.talks()
        assert self.api.ask("DELETE", f"/v1/terminals/{self.programs['ended'].name}/session")[0] < 300
        assert self.api.ask("DELETE", f"/v1/terminals/{self.programs['removed'].name}")[0] < 300
        assert self.api.ask("POST", "/v1/revocations", {"terminal": self.programs["revoked"].name})[0] == 201
        if silent := self.programs.get("silent"):
            silent.send(signal.SIGSTOP)
            wait.until(lambda: self.code(silent.name))
            silent.send(signal.SIGCONT)
        with Terminal(self.stage.cluster, self.stage.cluster.node(1), self.programs["replaced"].name):
            wait.until(self.codes, lambda codes: codes == {end: ENDS[end] for end in codes}, within=120)

    def codes(self) -> dict[str, int]:
        """Return the code with which the node closed each session, as far as events tell it."""
        return {end: self.code(program.name) for end, program in self.programs.items() if end not in UNTOLD}

    def code(self, name: str) -> int:
        """Return the code with which the node closed a terminal's session; 0 before that."""
        codes = [event.get("code") for event in self.events.of("terminal.offline") if event["terminal"] == name]
        return codes[0] or 0 if codes else 0

    def cells(self) -> list[str]:
        """Return what the users see of each end, in the page's order."""
        return [self.programs[end].shown() if end in self.programs else "not tried" for end in ENDS]

    def over(self) -> None:
        """End programs that run on after their sessions."""
        self.events.close()
        for program in self.programs.values():
            program.send(signal.SIGKILL)


def both(library: Library) -> Iterator[object]:
    """Return the tests of a library. The gate has those of few libraries, and by ws alone."""
    for scheme in ("ws", "wss"):
        marks = [] if library.quick and scheme == "ws" else [pytest.mark.long("libraries")]
        yield pytest.param(library, scheme, id=f"{library.slug}-{scheme}", marks=marks)


@pytest.mark.takes(seconds=25)
@pytest.mark.parametrize(("library", "scheme"), [each for library in LIBRARIES for each in both(library)])
def test_a_library_works_and_the_page_says_what_its_users_see(
    stage: Stage, logs: None, library: Library, scheme: str
) -> None:
    library.made()
    if library.language == "java":
        stage.trusted_by_java()
    trial = Trial(stage, library, scheme)
    trial.act()
    row = library.row(trial.cells(), scheme)
    trial.over()
    (reporting.OUTPUT / "libraries").mkdir(parents=True, exist_ok=True)
    (reporting.OUTPUT / "libraries" / f"{library.slug}-{scheme}.md").write_text(f"{row}\n")
    assert row in PAGE, f"docs/clients.md needs this row:\n{row}"


def test_the_page_says_of_each_library_how_its_token_travels_and_what_its_user_sets() -> None:
    rows = [f"| {it.name} | {it.version} | {', '.join(it.heads)} | {it.set} |" for it in LIBRARIES]
    lacking = [row for row in rows if row not in PAGE]
    assert not lacking, "docs/clients.md needs these rows:\n" + "\n".join(lacking)


def test_the_versions_of_the_table_are_those_that_are_built() -> None:
    files = {"java": "pom.xml", "go": "go.mod", "rust": "Cargo.toml", "python": "", "node": ""}
    for library in LIBRARIES:
        if file := files.get(library.language):
            text = (OTHERS / library.language / file).read_text()
            assert library.version in text or library.program == "JavaNetHttp", f"{library.name}: {file}"
        elif library.package and library.language in files:
            assert library.version.endswith(re.split("[=@]+", library.package)[-1]), library.name

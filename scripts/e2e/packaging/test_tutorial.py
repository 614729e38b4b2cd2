"""The tutorial from which Muster began: each of its rows, with its own libraries, on two nodes behind Nginx.

The programs are in examples/tutorial, which says what each row is.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from muster import programs, wait
from muster.api import Events, Json
from muster.cluster import ProcessCluster, Settings
from muster.cluster.sidecar import Sidecar
from muster.fixtures import missing, need
from muster.traffic.terminal import token
from proxy.test_own_files import Authority

# Each client of the tutorial, and each way to the proxy.
KINDS = ("java-websocket", "spring")
SCHEMES = ("ws", "wss")


class Stage:
    """The tutorial's programs in one JVM, and the cluster that they use. `secure` is a second proxy, which has TLS."""

    def __init__(self, directory: Path) -> None:
        settings = Settings(nodes=2, node_flags="--ws-path /chat", sidecar_flags="--ws-path /chat")
        self.cluster = ProcessCluster(directory, settings)
        authority = Authority(directory, "servers")
        cert, key = authority.issue("/CN=proxy", "IP:127.0.0.1")
        flags = self.cluster.processes.flags
        flags["secure"] = [*flags["sidecar"], "--tls-cert", str(cert), "--tls-key", str(key)]
        self.cluster.start("secure")
        self._printed = directory / "stage.out"
        self._names = 0
        self._java = self._start(authority.cert)
        self._tell(f"operator http://{self.cluster.proxy()} {self.cluster.api.key}")
        wait.until(lambda: self.lines("operator"), lambda lines: lines == ["follows 200"])

    def _start(self, authority: Path) -> subprocess.Popen[str]:
        trusted = self.cluster.directory / "trusted"
        store = ["-keystore", str(trusted), "-storepass", "public"]
        words = ["keytool", "-importcert", "-noprompt", "-file", str(authority), *store]
        subprocess.run(words, check=True, capture_output=True, timeout=60)
        classes = f"{built() / 'classes'}:{built() / 'lib'}/*"
        trust = [f"-Djavax.net.ssl.trustStore={trusted}", "-Djavax.net.ssl.trustStorePassword=public"]
        flags = ["-XX:TieredStopAtLevel=1", "-Dtutorial.reconnect=300", *trust]
        with self._printed.open("wb") as out, (self.cluster.directory / "stage.log").open("wb") as log:
            command = ["java", *flags, "-cp", classes, "tutorial.Stage"]
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=log, text=True)

    def _tell(self, line: str) -> None:
        """Give the programs a line: by their standard input, since it may hold a token."""
        assert self._java.stdin
        self._java.stdin.write(f"{line}\n")
        self._java.stdin.flush()

    def client(self, kind: str, url: str = "", scheme: str = "ws") -> str:
        """Start a client with a name of its own, and return the name when the client is online."""
        self._names += 1
        name = f"{kind}-{self._names}"
        at = Sidecar(self.cluster, "secure").address if scheme == "wss" else self.cluster.proxy()
        place = f"{url or f'{scheme}://{at}/chat'}?terminal_id={name}"
        self._tell(f"{kind} {name} {place} {token(self.cluster.secret, name)}")
        self.sees(name, "open")
        wait.until(lambda: self.status(name), lambda status: status == "online")
        return name

    def text(self, name: str, text: str) -> None:
        """Have the client send a text."""
        self._tell(f"text {name} {text}")

    def binary(self, name: str, data: bytes) -> None:
        """Have the client send bytes."""
        self._tell(f"binary {name} {data.hex()}")

    def close(self, name: str) -> None:
        """Have the client close its connection."""
        self._tell(f"close {name}")

    def lines(self, name: str) -> list[str]:
        """Return what was printed about a client, or the operator."""
        lines = self._printed.read_text().splitlines()
        return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]

    def sees(self, name: str, line: str, times: int = 1) -> None:
        """Wait until the client has seen this, so many times."""
        wait.until(lambda: self.lines(name), lambda lines: lines.count(line) >= times)

    def status(self, name: str) -> str:
        """Return the status of a terminal; none if it is not known."""
        status, answer = self.cluster.api.ask("GET", f"/v1/terminals/{name}")
        return str(answer["status"]) if status == 200 else ""

    def post(self, target: dict[str, object], at: str | None = None, **more: object) -> None:
        """Post a command."""
        self.cluster.api.post({"target": target, "name": "chat", **more}, at=at)

    def disconnect(self, name: str) -> None:
        """End a client's session, as an operator does."""
        assert self.cluster.api.ask("DELETE", f"/v1/terminals/{name}/session")[0] < 300

    def down(self) -> None:
        """End everything."""
        assert self._java.stdin
        self._java.stdin.close()
        self._java.wait(20)
        self.cluster.down()


def built() -> Path:
    """Return the folder of the tutorial's classes and libraries."""
    return programs.ROOT / "target" / "examples" / "tutorial"


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The tutorial's programs and their cluster, which all rows share: each has clients of its own."""
    if request.config.option.compose:
        pytest.skip("processes only: the JVM trusts a certificate that is made for 127.0.0.1")
    need("openssl")
    try:
        programs.maven_package(programs.ROOT / "examples" / "tutorial")
    except SystemExit as error:
        missing(str(error))
    directory = Path(tempfile.mkdtemp(dir=request.config.option.runs))
    directory.chmod(0o711)
    made = Stage(directory)
    yield made
    leaks = made.cluster.leaks()
    made.down()
    assert not leaks, leaks


@pytest.fixture
def events(stage: Stage) -> Iterator[Events]:
    """What happens from now on."""
    made = Events(stage.cluster.api, stage.cluster.node(1))
    yield made
    made.close()


def said(events: Events, name: str, what: str, payload: str) -> None:
    """Wait until the terminal's own event is there: `message` for a text, `binary` for bytes as base64."""
    wait.until(lambda: (name, what, payload) in [(e["terminal"], e["name"], e["payload"]) for e in own(events, name)])


def own(events: Events, name: str) -> list[Json]:
    """Return the terminal's own events."""
    return [event for event in events.of("terminal.event") if event["terminal"] == name]


def offline(events: Events, name: str) -> Json:
    """Wait until the terminal has gone offline, and return the first event that says so."""
    return wait.until(lambda: [event for event in events.of("terminal.offline") if event["terminal"] == name])[0]


@pytest.mark.takes(seconds=40)
def test_java_websocket_server(stage: Stage, events: Events) -> None:
    first, second = stage.client("java-websocket"), stage.client("java-websocket")
    stage.sees(second, f"text welcome, {second}")
    stage.sees(first, f"text {second} has come")
    stage.binary(second, b"\x01\x02\x03")
    said(events, second, "binary", "AQID")
    stage.close(second)
    stage.sees(first, f"text {second} has left: left 1000")
    assert offline(events, second)["reason"] == "left"
    stage.sees(first, f"text {second} has come", times=2)
    assert "ready on" in stage.cluster.log("node1")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_java_websocket_client(stage: Stage, events: Events, scheme: str) -> None:
    sends_gets_and_sees_the_close(stage, events, "java-websocket", scheme)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_spring_client(stage: Stage, events: Events, scheme: str) -> None:
    sends_gets_and_sees_the_close(stage, events, "spring", scheme)


def sends_gets_and_sees_the_close(stage: Stage, events: Events, kind: str, scheme: str) -> None:
    """See a client send on open and later, get text and binary, and see why an operator closes it."""
    name = stage.client(kind, scheme=scheme)
    said(events, name, "message", f"hello from {name}")
    stage.text(name, "and later")
    said(events, name, "message", "and later")
    stage.post({"terminal": name}, payload="to you")
    stage.post({"terminal": name}, payload_base64="AP8=")
    stage.sees(name, "text to you")
    stage.sees(name, "binary 00ff")
    stage.disconnect(name)
    closed = wait.until(lambda: [line for line in stage.lines(name) if line.startswith("close")])[0]
    assert closed.startswith('close 1001 {"retry_ms":'), closed


def test_spring_websocket_server(stage: Stage) -> None:
    """A handler on a path, and sessions that are told apart: each gets what is for it."""
    names = [stage.client(kind) for kind in KINDS]
    for name in names:
        stage.post({"terminal": name}, payload=f"for {name}")
    for name in names:
        stage.sees(name, f"text for {name}")
        assert [line for line in stage.lines(name) if line.startswith("text for ")] == [f"text for {name}"]
    status, _ = stage.cluster.api.ask("GET", "/ws?terminal_id=t1")
    assert status == 404, "another path is not the handler's"


def test_nginx_proxy(stage: Stage) -> None:
    """Two servers behind one location, with sessions on both; one that is idle is kept by pings."""
    nodes: dict[str, str] = {}

    def another() -> set[str]:
        name = stage.client(KINDS[len(nodes) % 2])
        nodes[name] = str(stage.cluster.api.get(f"/v1/terminals/{name}")["node"])
        return set(nodes.values())

    # Between two nodes that are as good, chance decides.
    wait.until(another, lambda seen: len(seen) == 2)
    idle = next(iter(nodes))
    configuration = (Sidecar(stage.cluster).folder / "current" / "http.conf").read_text()
    assert "/chat" in configuration and "proxy_http_version 1.1" in configuration

    def seen() -> str:
        return str(stage.cluster.api.get(f"/v1/terminals/{idle}")["last_seen"])

    before = wait.until(seen, lambda at: at != "None")
    wait.until(seen, lambda at: at != before)
    assert "close" not in " ".join(stage.lines(idle))


def test_cluster(stage: Stage) -> None:
    """Each node hears of what is posted at any, and pushes to its own sessions what is for them."""
    here, there = (stage.client("spring", f"ws://{stage.cluster.node(number)}/chat") for number in (1, 2))
    for number in (1, 2):
        stage.post({"terminals": [here, there]}, at=stage.cluster.node(number), payload=f"from {number}")
        stage.sees(here, f"text from {number}")
        stage.sees(there, f"text from {number}")


def test_session_state(stage: Stage, events: Events) -> None:
    """What is known of a session is right, also after its node was killed and it moved."""
    name = stage.client("java-websocket", f"ws://{stage.cluster.node(2)}/chat")
    stage.cluster.kill("node2")
    wait.until(lambda: stage.status(name), lambda status: status == "offline")
    assert offline(events, name)["reason"] == "node_lost"
    stage.cluster.start("node2")
    wait.until(lambda: stage.status(name), lambda status: status == "online")
    stage.post({"terminal": name}, payload="after all")
    stage.sees(name, "text after all")


@pytest.mark.parametrize("kind", KINDS)
def test_client_to_server(stage: Stage, events: Events, kind: str) -> None:
    name = stage.client(kind)
    for number in range(3):
        stage.text(name, f"push {number}")
    stage.binary(name, bytes(3))
    said(events, name, "binary", "AAAA")
    assert [event["payload"] for event in own(events, name)] == [
        f"hello from {name}",
        "push 0",
        "push 1",
        "push 2",
        "AAAA",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_reconnect(stage: Stage, kind: str) -> None:
    """A client listens for the close, comes back, and gets what was sent to it meanwhile."""
    name = stage.client(kind)
    stage.disconnect(name)
    stage.post({"terminal": name}, payload="meanwhile")
    stage.sees(name, "open", times=2)
    stage.sees(name, "text meanwhile")


@pytest.mark.parametrize("kind", KINDS)
def test_server_to_one(stage: Stage, kind: str) -> None:
    """A client's id is tied to its session at the handshake, and found when something is pushed."""
    name, other = stage.client(kind), stage.client(kind)
    for number in (1, 2):
        stage.post({"terminal": name}, at=stage.cluster.node(number), payload=f"only {name}")
    stage.sees(name, f"text only {name}", times=2)
    stage.post({"terminal": other}, payload="done")
    stage.sees(other, "text done")
    assert f"text only {name}" not in stage.lines(other)


def test_server_to_many(stage: Stage) -> None:
    """A group gets what is sent to it, and all get what is sent to all, whichever node is asked."""
    names = [stage.client(KINDS[number % 2]) for number in range(4)]
    stage.post({"terminals": names[:2]}, at=stage.cluster.node(1), payload="to the group")
    stage.post({"all": True}, at=stage.cluster.node(2), payload="to everybody")
    for name in names:
        stage.sees(name, "text to everybody")
    for name in names[:2]:
        stage.sees(name, "text to the group")
    assert not any("text to the group" in stage.lines(name) for name in names[2:])


def test_one_port(stage: Stage) -> None:
    """HTTP and WebSocket share the port of a node."""
    node = stage.cluster.node(1)
    name = stage.client("java-websocket", f"ws://{node}/chat")
    assert stage.cluster.api.ask("GET", "/livez", at=node)[0] == 200
    assert stage.cluster.api.get(f"/v1/terminals/{name}", at=node)["status"] == "online"


def test_tls(stage: Stage) -> None:
    """TLS ends at Nginx: by wss a client is a terminal as any other, and the nodes know nothing of it."""
    names = [stage.client(kind, scheme="wss") for kind in KINDS]
    stage.post({"terminals": names}, payload="by TLS")
    for name in names:
        stage.sees(name, "text by TLS")
    assert not any("--tls" in word for word in stage.cluster.processes.flags["node"])

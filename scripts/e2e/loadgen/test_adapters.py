"""Servers of other protocols, as they are: the ledger closes, and a lie is found."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema_rs
import pytest

from muster import process, programs, wait
from muster.api import Json
from muster.fixtures import need
from muster.traffic.loadgen import DELIVERED_WRONGLY, OK, Generator, Run, Server

SERVERS = programs.ROOT / "loadgen" / "tests" / "servers"
PACKAGES = ("socket.io@4.8.4", "ws@8.18.3", "graphql@16.11.0", "graphql-ws@6.0.6", "stomp-broker-js@1.3.0")
LOAD = "--terminals 50 --ramp 1s --for 3s --broadcasts 10 --grace 1s --seed 1".split()
OBJECTIVE_MISSED = 10
# Terminals that are cut off without a word come back within a second.
CHURN = "--churn 20%/s --leave reset --away 300ms --backoff 100ms".split()

StartServer = Callable[..., Server]


@pytest.fixture
def node(directory: Path) -> Iterator[StartServer]:
    """A server of `SERVERS`, by Node: `node("socket_io.js", "0")`."""
    made: list[Server] = []
    modules = programs.npm_install(*PACKAGES)

    def start(file: str, *words: str) -> Server:
        command = ["node", str(SERVERS / file), *words]
        made.append(Server(directory, f"{file}{len(made)}", command, {"NODE_PATH": str(modules)}))
        return made[-1]

    yield start
    for server in made:
        server.end()


@pytest.fixture
def mosquitto(directory: Path) -> Iterator[str]:
    """The URL of a mosquitto that speaks WebSocket."""
    need("mosquitto")
    port = process.free_port()
    # Version 2.0.11 does not start with listeners for WebSocket alone, and has those on all addresses.
    listeners = f"listener {process.free_port()} 127.0.0.1\nlistener {port} 127.0.0.1\nprotocol websockets\n"
    settings = f"{listeners}allow_anonymous true\nmax_queued_messages 0\n"
    (directory / "mosquitto.conf").write_text(settings)
    broker = process.launch(directory, "mosquitto", ["mosquitto", "-c", str(directory / "mosquitto.conf")])
    wait.until(lambda: listens(port))
    yield f"ws://127.0.0.1:{port}/"
    process.end(broker.pid)


def listens(port: int) -> bool:
    """Return whether something accepts connections on this port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def closes(run: Run, replayed: bool = False) -> None:
    """Demand that all that was owed came, and by replay too if asked."""
    assert run.code == OK, run.out
    assert run.closes() and not run.report["faults"]
    assert run.owed() > 1000
    assert not replayed or run.report["ledger"]["resumable"]["replayed"] > 50, run.out


def names_one_loss(run: Run) -> None:
    """Demand that one delivery is found lost, and nothing else wrong."""
    assert run.code == DELIVERED_WRONGLY, run.out
    assert run.closes() and run.report["faults"] == {"silently lost": 1}
    assert [example["kind"] for example in run.report["examples"]] == ["silently_lost"]


def socket_io(server: Server) -> list[str]:
    """Return the flags of a run against a server of Socket.IO."""
    return ["--adapter", "socket.io", "--url", f"ws://{server.address}/socket.io/"]


@pytest.mark.takes(seconds=15)
def test_socket_io_delivers_all_and_its_lie_is_found(generator: Generator, node: StartServer) -> None:
    closes(generator.run(*socket_io(node("socket_io.js", "0")), *LOAD, "--publish-ack"))
    names_one_loss(generator.run(*socket_io(node("socket_io.js", "0", "7")), *LOAD))


@pytest.mark.long("adapters")
def test_socket_io_replays_to_sessions_that_it_recovers(generator: Generator, node: StartServer) -> None:
    closes(generator.run(*socket_io(node("socket_io.js", "0")), *LOAD, *CHURN), replayed=True)


@pytest.mark.long("adapters")
def test_mosquitto_delivers_all_and_a_lie_about_it_is_found(
    generator: Generator, node: StartServer, mosquitto: str
) -> None:
    closes(generator.run("--adapter", "mqtt", "--url", mosquitto, *LOAD, *CHURN))
    proxy = node("lying_proxy.js", "0", mosquitto, "drop", "777")
    names_one_loss(generator.run("--adapter", "mqtt", "--url", f"ws://{proxy.address}/", *LOAD))


@pytest.mark.long("adapters")
def test_mosquitto_replays_with_qos_1(generator: Generator, mosquitto: str) -> None:
    closes(generator.run("--adapter", "mqtt", "--qos", "1", "--url", mosquitto, *LOAD, *CHURN), replayed=True)


@pytest.mark.takes(seconds=15)
@pytest.mark.parametrize(
    ("file", "path", "flags"), [("graphql.js", "graphql", "graphql"), ("stomp.js", "stomp", "stomp --unconfirmed")]
)
def test_a_server_delivers_all_and_a_lie_about_it_is_found(
    generator: Generator, node: StartServer, file: str, path: str, flags: str
) -> None:
    server = node(file, "0")
    adapter = ["--adapter", *flags.split(), "--url"]
    closes(generator.run(*adapter, f"ws://{server.address}/{path}", *LOAD))
    proxy = node("lying_proxy.js", "0", f"ws://{server.address}/", "drop", "777")
    names_one_loss(generator.run(*adapter, f"ws://{proxy.address}/{path}", *LOAD))


@pytest.mark.takes(seconds=10)
def test_what_at_most_once_does_not_promise_is_counted_and_is_no_fault(
    generator: Generator, node: StartServer, mosquitto: str
) -> None:
    # The proxy ends the connections of all terminals in the middle of the run.
    proxy = node("lying_proxy.js", "0", mosquitto, "cut", "777")
    run = generator.run(
        "--adapter", "mqtt", "--url", f"ws://{proxy.address}/", *LOAD, "--backoff", "100ms", "--slo", "lost==0"
    )
    assert run.code == OBJECTIVE_MISSED, run.out
    assert run.closes() and not run.report["faults"]
    assert run.report["ledger"]["interrupted"]["not_promised"] > 0
    assert "the protocol promises no more" in run.out


@pytest.fixture
def redis_relay(directory: Path) -> Iterator[tuple[Server, int]]:
    """A server that relays what is published in Redis, and the port of that Redis."""
    port = process.free_port()
    redis = process.launch(
        directory, "redis", ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    )
    wait.until(lambda: listens(port))
    server = Server(directory, "redis-relay", [sys.executable, SERVERS / "redis_relay.py", str(port)])
    yield server, port
    server.end()
    process.end(redis.pid)


@pytest.mark.takes(seconds=10)
def test_messages_that_are_published_in_redis_arrive(generator: Generator, redis_relay: tuple[Server, int]) -> None:
    server, port = redis_relay
    flags = ["--target", "raw", "--url", f"ws://{server.address}/", "--send-by", f"redis://127.0.0.1:{port} load"]
    closes(generator.run(*flags, *LOAD))


@pytest.fixture
def own_protocol(directory: Path) -> Iterator[StartServer]:
    """A server with a protocol of its own: `own_protocol("json")`."""
    made: list[Server] = []

    def start(*words: str) -> Server:
        made.append(Server(directory, f"own{len(made)}", [sys.executable, SERVERS / "own_protocol.py", *words]))
        return made[-1]

    yield start
    for server in made:
        server.end()


def by_flags(server: Server) -> list[str]:
    """Return flags that describe the protocol `json` of that server."""
    join, say = '{"op":"join","room":"load"}', 'socket {"op":"say","text":"{message}"}'
    ping = '{"op": "ping", "t": *}={"op":"pong","t":{match}}'
    flags = ["--target", "raw", "--first-message", join, "--ready-when", '{"op": "joined"*', "--answer", ping]
    return [*flags, "--payload-at", "/data/0/text", "--send-by", say, "--url", f"ws://{server.address}/"]


def by_program(server: Server) -> list[str]:
    """Return the flags with which a program speaks the protocol `proof` of that server."""
    program = programs.ROOT / "loadgen" / "examples" / "adapter.py"
    return ["--adapter-cmd", f"{sys.executable} {program}", "--url", f"ws://{server.address}/"]


@pytest.mark.takes(seconds=15)
@pytest.mark.parametrize(("kind", "flags"), [("json", by_flags), ("proof", by_program)])
def test_a_protocol_of_its_own_is_measured_and_a_lie_is_found(
    generator: Generator, own_protocol: StartServer, kind: str, flags: Callable[[Server], list[str]]
) -> None:
    run = generator.run(*flags(own_protocol(kind)), *LOAD)
    closes(run)
    # The server closes whoever does not answer its pings.
    assert run.report["connections"]["lost"] == 0 and run.report["messages"]["accepted"] > 20
    names_one_loss(generator.run(*flags(own_protocol(kind, "17")), *LOAD))


CENTRIFUGO = "github.com/centrifugal/centrifugo/v6@v6.9.1"


@pytest.fixture
def centrifugo(directory: Path) -> Iterator[str]:
    """The address of a Centrifugo, which is compiled if it is missing."""
    programs.install({"go": "golang-go"})
    tools = programs.ROOT / "target" / "e2e-go"
    if not (tools / "centrifugo").exists():
        subprocess.run(["go", "install", CENTRIFUGO], check=True, env={**os.environ, "GOBIN": str(tools)})
    port = process.free_port()
    settings = json.loads((SERVERS / "centrifugo.json").read_text())
    settings["http_server"]["port"] = str(port)
    (directory / "centrifugo.json").write_text(json.dumps(settings))
    command = [str(tools / "centrifugo"), "--config", str(directory / "centrifugo.json")]
    server = process.launch(directory, "centrifugo", command)
    wait.until(lambda: listens(port), within=30)
    yield f"127.0.0.1:{port}"
    process.end(server.pid)


@pytest.mark.long("adapters")
def test_centrifugo_delivers_replays_and_a_lie_about_it_is_found(
    generator: Generator, node: StartServer, centrifugo: str
) -> None:
    flags = ["--adapter", "centrifugo", "--url"]
    url = f"ws://{centrifugo}/connection/websocket"
    publish = f'POST http://{centrifugo}/api/publish {{"channel":"load","data":"{{message}}"}}'
    closes(generator.run(*flags, url, *LOAD, *CHURN, "--send-by", publish), replayed=True)
    closes(generator.run(*flags, url, *LOAD))
    proxy = node("lying_proxy.js", "0", f"ws://{centrifugo}/", "drop", "777")
    names_one_loss(generator.run(*flags, f"ws://{proxy.address}/connection/websocket", *LOAD))


# Cards.

CARDS = ("muster", "ws", "socket-io", "centrifugo", "mosquitto")


def make_card(name: str, out: Path, *flags: str) -> Json:
    """Make the card of this server in the folder `out`, and return it. It is of the published format."""
    target = programs.ROOT / "loadgen" / "servers" / f"{name}.toml"
    work = programs.ROOT / "target" / "cards"
    made_by = [*programs.PRIORITY, programs.program("muster-loadgen"), "card"]
    command: list[str | Path] = [*made_by, "--target", target, "--out", out, "--work", work, *flags]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == OK, done.stderr
    card: Json = json.loads((out / f"{name}.json").read_text())
    schema = json.loads((programs.ROOT / "loadgen" / "card.schema.json").read_text())
    jsonschema_rs.validator_for(schema).validate(card)
    assert (out / f"{name}.md").read_text().count("\n## ") == len(card["scenarios"]) + 2
    return card


def verdicts(card: Json) -> dict[str, str]:
    """Return the verdict of each scenario of a card."""
    return {scenario["name"]: scenario["verdict"] for scenario in card["scenarios"]}


@pytest.mark.long("cards")
def test_cards_say_what_was_delivered_and_what_was_not_promised(directory: Path) -> None:
    need("curl")
    programs.install({"node": "nodejs", "npm": "npm"})
    asked = ("--small", "--scenarios", "steady,restart")
    muster, plain = (make_card(name, directory, *asked) for name in ("muster", "ws"))
    assert verdicts(muster) == {"steady": "delivered", "restart": "delivered"}
    assert verdicts(plain) == {"steady": "delivered", "restart": "not_promised"}
    for card in (muster, plain):
        steady, restart = (scenario["repeats"][0] for scenario in card["scenarios"])
        assert steady["cpu_ratio"] > 0 and steady["deliveries"]["owed"] == 50 * 30
        assert len(restart["marks"]) == 1 and restart["sessions"]["lost"] >= 50
    cards = [directory / f"{name}.json" for name in ("muster", "ws")]
    compare: list[str | Path] = [programs.program("muster-loadgen"), "compare", *cards]
    compared = subprocess.run(compare, capture_output=True, text=True, check=True).stdout
    rows = [re.split(r"\s{2,}", line) for line in compared.splitlines()]
    assert ["Server restart", "delivered", "not promised"] in rows


@pytest.mark.long("cards")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", CARDS)
def test_a_card_that_is_made_twice_has_the_same_verdicts(name: str, directory: Path) -> None:
    need("curl", "mosquitto")
    programs.install({"node": "nodejs", "npm": "npm", "go": "golang-go"})
    made = []
    for time in ("first", "second"):
        (directory / time).mkdir()
        made.append(verdicts(make_card(name, directory / time)))
    assert made[0] == made[1] and len(made[0]) == 8


@pytest.fixture
def artemis(directory: Path) -> Iterator[str]:
    """The URL of an ActiveMQ Artemis: a broker of STOMP that answers each receipt."""
    project = SERVERS / "artemis"
    programs.maven_package(project)
    libraries = str(programs.ROOT / "target" / "e2e-artemis" / "dependency" / "*")
    command: list[str | Path] = ["java", "-cp", libraries, project / "Broker.java", str(process.free_port())]
    server = Server(directory, "artemis", command)
    yield f"ws://{server.address}/"
    server.end()


@pytest.mark.long("adapters")
def test_a_broker_with_receipts_says_what_it_took_and_a_lie_about_it_is_found(
    generator: Generator, node: StartServer, artemis: str
) -> None:
    run = generator.run("--adapter", "stomp", "--url", artemis, *LOAD)
    closes(run)
    # An answer, and not that the message was written: it takes longer than the write.
    assert run.report["latencies"]["accept"]["count"] == run.report["messages"]["accepted"] > 20
    proxy = node("lying_proxy.js", "0", artemis, "drop", "777")
    names_one_loss(generator.run("--adapter", "stomp", "--url", f"ws://{proxy.address}/", *LOAD))


SOCKUDO = "5.2.0"


@pytest.fixture
def sockudo(directory: Path) -> Iterator[str]:
    """The URL of a server of Pusher's protocol, which is compiled if it is missing."""
    path = programs.cargo_tool("sockudo", SOCKUDO, "--no-default-features", "--features", "local")
    settings = json.loads((SERVERS / "sockudo.json").read_text())
    settings["port"] = port = process.free_port()
    (directory / "sockudo.json").write_text(json.dumps(settings))
    command = ["sockudo", "--config", str(directory / "sockudo.json")]
    server = process.launch(directory, "sockudo", command, env={**os.environ, "PATH": path})
    wait.until(lambda: listens(port), within=30)
    yield f"ws://127.0.0.1:{port}/app/load-key"
    process.end(server.pid)


@pytest.mark.long("adapters")
def test_a_server_of_pushers_protocol_delivers_all_and_a_lie_about_it_is_found(
    generator: Generator, node: StartServer, sockudo: str
) -> None:
    # A client event needs a private channel, and so a signature.
    flags = ["--adapter", "pusher", "--channel", "private-load", "--login", "load-key:load-secret", "--url"]
    closes(generator.run(*flags, sockudo, *LOAD))
    proxy = node("lying_proxy.js", "0", sockudo.removesuffix("app/load-key"), "drop", "777")
    names_one_loss(generator.run(*flags, f"ws://{proxy.address}/app/load-key", *LOAD))

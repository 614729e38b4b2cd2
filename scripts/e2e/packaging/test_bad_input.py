"""Bad input is refused with a reason: by programs, and by a cluster that is up."""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest
from kosoku import FailureError, run_fuzzingclient, run_fuzzingserver
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from muster import process, programs, wait
from muster.api import Json
from muster.cluster import Cluster, ProcessCluster, Settings
from muster.fixtures import AgentsFactory, missing
from muster.traffic.terminal import UPGRADE

# A program with bad flags or in bad surroundings ends, and says in one line which flag is wrong and what to do.

# No program may repeat this, which is given as a secret and as a password.
SECRET = "guess-me"


@dataclass(frozen=True)
class Surroundings:
    """The addresses that the commands below name."""

    proxy: str
    redis: str
    locked: str
    """A Redis with a password."""
    directory: str


@pytest.fixture(scope="module")
def surroundings(request: pytest.FixtureRequest) -> Iterator[Surroundings]:
    """A cluster of one node, and a Redis with a password."""
    directory = Path(tempfile.mkdtemp(dir=request.config.option.runs))
    cluster = ProcessCluster(directory, Settings(nodes=1))
    port = process.free_port()
    options = f"--bind 127.0.0.1 --port {port} --requirepass right --dir {directory}".split()
    process.launch(directory, "locked", ["redis-server", *options, "--save", ""])
    wait.until(lambda: "Ready to accept" in (directory / "locked.log").read_text())
    redis = f"127.0.0.1:{cluster.processes.redis_port()}"
    yield Surroundings(cluster.proxy(), redis, f"127.0.0.1:{port}", str(directory))
    cluster.down()


LOCKED = r"--redis: .*{locked}.*password"
# What a program that needs Redis refuses.
REDIS = {
    "a wrong Redis URL": ("--redis {redis}", r"--redis .*redis://HOST:PORT"),
    "the wrong Redis password": ("--redis redis://:guess-me@{locked}", LOCKED),
    "no Redis password": ("--redis redis://{locked}", LOCKED),
    "Sentinels without a name for the master": ("--redis redis+sentinel://:guess-me@{redis}", r"--redis .*/NAME"),
}

FREE = "--insecure --listen 127.0.0.1:0"
NODE = {
    "no secrets": ("", r"--secret .* or --insecure"),
    "a secret that is too short": ("--secret k1=guess-me", r"--secret.* KID=SECRET"),
    "a public key that is not there": ("--public-key k1=/nonexistent", r"--public-key k1: .*/nonexistent"),
    "an address that is none": ("--insecure --listen nowhere", r"--listen"),
    "a port that is taken": ("--insecure --listen {proxy}", r"--listen {proxy}: .*taken"),
    **{what: (f"{FREE} {flags}", message) for what, (flags, message) in REDIS.items()},
    "a Redis that is not there": (f"{FREE} --redis redis://127.0.0.1:1", r"--redis: .*127.0.0.1:1 .*running"),
    "Sentinels that are none": (
        f"{FREE} --redis redis+sentinel://:guess-me@{{redis}}/mymaster",
        r"--redis: .*Sentinels.*mymaster",
    ),
    "a Redis Cluster with a path": (
        f"{FREE} --redis redis+cluster://:guess-me@{{redis}}/0",
        r"--redis .*no path",
    ),
    "replicas of no Redis": ("--insecure --redis-replicas 1", r"--redis-replicas.*--redis URL"),
    "an address that Nginx can't reach": ("--insecure --redis redis://{redis}", r"--advertise"),
    "a token for an impossible id": ("token --terminal a\\ b", r"--terminal"),
    "a token without a secret to sign it": ("token --terminal t1", r"--secret"),
    "a key of an unknown scope": ("key --scope root", r"--scope"),
}

SIDECAR = {
    "no Redis": ("", r"--redis"),
    **REDIS,
    "a Redis that is not there": ("--redis redis://127.0.0.1:1", r"--redis: .*127.0.0.1:1; check that it runs"),
    "no Nginx": (
        "--redis redis://{redis} --listen 127.0.0.1:0 --nginx /nonexistent",
        r"--nginx /nonexistent: .*apt-get install",
    ),
    "a port that is taken": (
        "--redis redis://{redis} --listen {proxy}",
        r"--listen {proxy}: .*no other process has the port",
    ),
    "a folder that can't be written": ("--redis redis://{redis} --listen 127.0.0.1:0 --dir /dev/null/x", r"--dir"),
}

TO = "run --url ws://{proxy}/ws --api http://{proxy}"
LOADGEN = {
    "nowhere to connect to": ("run --api http://{proxy}", r"--url"),
    "a URL that is none": ("run --url http://{proxy}/ws --api http://{proxy}", r"--url"),
    "an API that is none": ("run --url ws://{proxy}/ws --api {proxy}", r"--api"),
    "more churn than there is": (f"{TO} --churn 500%/s", r"--churn"),
    "no terminals": (f"{TO} --terminals 0", r"--terminals"),
    "a secret that is too short": (f"{TO} --secret k1=guess-me", r"--secret.* KID=SECRET"),
    "an API that is not there": ("run --url ws://{proxy}/ws --api http://127.0.0.1:1", r"--api .*127.0.0.1:1"),
    "a key that is refused": (f"{TO} --key guess-me", r"--key.*401"),
}

CASES = [
    pytest.param(program, flags, message, id=f"{program}: {what}")
    for program, cases in (("muster-node", NODE), ("muster-sidecar", SIDECAR), ("muster-loadgen", LOADGEN))
    for what, (flags, message) in cases.items()
]


@pytest.mark.parametrize(("program", "flags", "message"), CASES)
def test_a_program_refuses(program: str, flags: str, message: str, surroundings: Surroundings) -> None:
    refuses(program, flags, message, surroundings)


def test_a_node_refuses_a_secret_of_the_environment_that_has_no_name(surroundings: Surroundings) -> None:
    refuses("muster-node", "", r"--secret.* KID=SECRET", surroundings, {"MUSTER_SECRET": SECRET})


def refuses(program: str, flags: str, message: str, at: Surroundings, env: dict[str, str] | None = None) -> None:
    """Demand that a program ends by itself with 1 or 2, and that the one error that it prints fits."""
    words = [word.replace("\0", " ").format(**vars(at)) for word in flags.replace("\\ ", "\0").split()]
    if program == "muster-sidecar" and "--dir" not in words:
        words += ["--dir", f"{at.directory}/other"]
    done = subprocess.run(
        [programs.program(program), *words],
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode in (1, 2), done
    assert len(re.findall(r"^(?:error|muster-[a-z]+): ", done.stderr, re.MULTILINE)) == 1, done.stderr
    # What the parser of a command line says ends at its first empty line.
    said = done.stderr.split("\n\n")[0].replace("\n", " ")
    wanted = message.replace("{proxy}", at.proxy).replace("{locked}", at.locked)
    assert re.search(rf"(?:error|muster-[a-z]+): .*{wanted}", said), said
    assert SECRET not in done.stdout + done.stderr and "panicked" not in done.stderr


# A bad request, handshake or session is refused through Nginx with a status or a close code and a reason.


@pytest.fixture
def sound(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster of which, whatever a test sends, no program panics, and which stays ready."""
    yield cluster
    assert cluster.api.ask("GET", "/readyz")[0] == 200
    assert not re.search("panicked|guess-me", cluster.log("node1") + cluster.log("node2") + cluster.log("sidecar"))


def refused(answer: httpx.Response, status: int, says: str) -> None:
    """Demand a problem (RFC 9457) of this status that says why."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem: Json = answer.json()
    assert problem["status"] == status and says in answer.text


@pytest.mark.cluster(nodes=2)
def test_requests_that_are_wrong(sound: Cluster) -> None:
    key = {"Authorization": f"Bearer {sound.api.key}"}
    nobody = '{"target":{"terminal":"nobody"},"name":"x"}'
    with httpx.Client(base_url=f"http://{sound.proxy()}", headers=key) as http:
        refused(http.get("/nowhere"), 404, "no such path")
        refused(http.get("/v1/nowhere"), 404, "no such path")
        refused(http.delete("/v1/nodes"), 405, "takes GET")
        refused(http.get("/v1/nodes", headers={"Authorization": ""}), 401, "operator key")
        refused(http.post("/v1/commands", content='{"target":'), 400, "no command")
        unknown = '{"target":{"site":"bj"},"name":"x"}'
        refused(http.post("/v1/commands", content=unknown), 400, "unknown field `site`")
        refused(http.post("/v1/commands", content=nobody), 404, "nobody")
        refused(http.get("/v1/terminals/nobody"), 404, "nobody")


@pytest.mark.cluster(nodes=2)
def test_requests_that_are_too_large_or_no_handshake(sound: Cluster) -> None:
    key = {"Authorization": f"Bearer {sound.api.key}"}
    with httpx.Client(base_url=f"http://{sound.proxy()}", headers=key) as http:
        refused(http.post("/v1/commands", content="x" * 300_000), 413, "max-body")
        refused(http.post("/v1/commands", content="x" * 2_000_000), 413, "larger than")
        refused(http.get("/v1/nodes", headers={"X-Large": "x" * 9000}), 400, "Bad Request")
        refused(http.get("/ws?terminal_id=t1"), 426, "handshake")


@pytest.mark.cluster(nodes=2)
def test_bytes_that_are_no_http(sound: Cluster) -> None:
    # Python's own client sends a method with a blank in it, which httpx refuses.
    connection = HTTPConnection(sound.proxy(), timeout=10)
    connection.request("no method", "/v1/nodes")
    answer = connection.getresponse()
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert b"no valid HTTP request" in answer.read()


def printed_token(cluster: Cluster, terminal: str, *flags: str) -> str:
    """Return a token as `muster-node token` prints it."""
    command = [programs.program("muster-node"), "token", "--terminal", terminal, *flags]
    done = subprocess.run(command, env={"MUSTER_SECRET": cluster.secret}, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.cluster(nodes=2)
def test_handshakes_that_are_refused(sound: Cluster) -> None:
    good, other = printed_token(sound, "t1"), printed_token(sound, "t2")
    # {"alg":"none","kid":"k1"}, with the claims of a good one.
    none = f"eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.{good.split('.')[1]}."

    def shake(query: str, bearer: str | None = None) -> httpx.Response:
        headers = {**UPGRADE, **({"Authorization": f"Bearer {bearer}"} if bearer else {})}
        return httpx.get(f"http://{sound.proxy()}/ws?terminal_id={query}", headers=headers)

    refused(shake("t1"), 401, "Authorization: Bearer")
    refused(shake("t1", other), 403, "another terminal")
    refused(shake("t1", none), 401, "refused")
    refused(shake("t1", sound.api.key), 401, "not a terminal")
    refused(shake(f"t1&token={good}"), 400, "in the URL")
    refused(shake("a%20b", good), 400, "terminal id must be")
    late = printed_token(sound, "t1", "--ttl", "1s")
    # The token is valid up to and with its last second, and here no clock but this one counts.
    time.sleep(2)
    refused(shake("t1", late), 401, "expired")


@pytest.mark.cluster(nodes=2)
@pytest.mark.parametrize(
    "first", ["hello", '{"type":"ack","id":"x"}', None], ids=["no JSON", "no hello", "nothing for 5 s"]
)
def test_a_session_whose_first_message_is_no_hello_is_closed_with_4500(sound: Cluster, first: str | None) -> None:
    headers = {"Authorization": f"Bearer {printed_token(sound, 't1')}"}
    url = f"ws://{sound.proxy()}/ws?terminal_id=t1"
    with connect(url, subprotocols=["muster.v1"], additional_headers=headers) as session:  # type: ignore[list-item]
        if first is not None:
            session.send(first)
        with pytest.raises(ConnectionClosed) as closed:
            session.recv(timeout=8)
        assert closed.value.rcvd and closed.value.rcvd.code == 4500


# The document of the API is true: a generator of requests makes each call of it, with what fits it and with what does
# not, and each answer is one that the document has.

GENERATOR = "schemathesis==4.32.5"
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance,unsupported_method,allow_header_conformance,ignored_auth"
)
# A stream of events does not end, a node that drains does, and a revocation may be of the key of all calls.
APART = " ".join(f"--exclude-operation-id {name}" for name in ("get_events", "post_nodes_id_drain", "post_revocations"))
# Calls about one terminal, command or rollout that change nothing.
READING = "--include-path-regex /v1/[a-z]+/.id --exclude-method POST --exclude-method PUT --exclude-method DELETE"
# Of rollouts 16 may be open.
BOUNDED = """
[[operations]]
include-operation-id = "post_rollouts"
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503"]
"""
KNOWN = """
[[operations]]
include-path-regex = "^/v1/{what}/"
parameters = {{ "path.id" = "{id}" }}
"""


@pytest.fixture(scope="session")
def generator() -> Path:
    """The folder of a generator of requests, from PyPI."""
    try:
        return programs.pip_install(GENERATOR)
    except SystemExit as error:
        missing(str(error))


def generate(generator: Path, cluster: Cluster, settings: str, flags: str) -> None:
    """Demand that a node answers generated calls as its document says."""
    (cluster.directory / "generator.toml").write_text(settings)
    words = [
        *("--config-file", "generator.toml", "run", f"http://{cluster.node(1)}/v1/openapi.json"),
        *("--checks", CHECKS, "--no-color", "--warnings", "off", "--generation-database", "none"),
        # A busy machine generates slowly.
        *("--suppress-health-check", "all"),
        *("--header", f"Authorization: Bearer {cluster.api.key}", *flags.split()),
    ]
    command = [sys.executable, str(generator / "bin" / "st"), *words]
    env = {**os.environ, "PYTHONPATH": str(generator)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=env, cwd=cluster.directory)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def generate_all(generator: Path, cluster: Cluster, agents: AgentsFactory, flags: str) -> None:
    """Make calls about what is there, then calls about anything, and at last those that may revoke the key."""
    agents(3, "--results", prefix="till-").online()
    everyone, show = {"all": True}, {"name": "show", "payload": {"text": "hi"}}
    command = {"target": everyone, **show, "confirm": "result"}
    rollout = {"target": everyone, "command": show, "waves": [{"rest": True}]}
    sent = cluster.api.ask("POST", "/v1/commands?wait=5s", command)[1]
    made = cluster.api.ask("POST", "/v1/rollouts", rollout)[1]
    known = {"terminals": "till-1", "commands": sent["id"], "rollouts": made["id"]}
    settings = "".join(KNOWN.format(what=what, id=id) for what, id in known.items())
    generate(generator, cluster, settings, f"{flags} {READING}")
    generate(generator, cluster, BOUNDED, f"{flags} {APART}")
    generate(generator, cluster, BOUNDED, f"{flags} --include-operation-id post_revocations")


@pytest.mark.long("openapi")
@pytest.mark.cluster(nodes=2)
def test_a_node_answers_generated_calls_as_the_document_of_the_api_says(
    generator: Path, sound: Cluster, agents: AgentsFactory, seed: int
) -> None:
    generate_all(generator, sound, agents, f"--seed {seed} --phases coverage,fuzzing --max-examples 100")


# Frames are read as RFC 6455 says, and what breaks it is refused: Autobahn's cases, by their numbers. Not 12 and 13,
# which are about compression: nodes and clients have none. docs/protocol.md says why the cases below are no failures.

LATE = {"6.4.3", "6.4.4"}
SHORT = {"1.*": 16, "2.*": 11, "3.*": 7, "4.*": 10, "5.*": 20, "6.*": 145, "7.*": 37, "10.*": 1}
LARGE = {"9.*": 54}
# A node that sends back what it is told. The cases meet none of its limits and none of its pings.
ECHO = "--insecure --ping 10m --max-message 16777216 --queue 67108864 --max-rate 1000000 --handshakes-per-terminal 1000"
echoing = pytest.mark.cluster(
    nodes=1, node_program="conformance node", node_flags=ECHO, processes_only="the program is in no image"
)


@pytest.fixture
def conformance() -> str:
    """The program that sends back what it receives, which is built with the tests."""
    program = programs.program("conformance")
    if not os.access(program, os.X_OK):
        missing(f"{program} is missing: cargo build --release -p muster-testkit --features nodes --bin conformance")
    return program


async def verdicts(url: str, *cases: str, attempts: int = 3) -> dict[str, str]:
    """Return what is said of each of the cases, which run one after another.

    A case to which nothing was answered runs again: it waits for half a second, and a busy machine is later. A wrong
    answer counts at once.
    """
    try:
        results = await run_fuzzingclient(url, list(cases))
    except FailureError as failure:
        results = failure.results
    said = {result.case_id: f"{result.behavior.value}, {result.behavior_close.value}" for result in results}
    late = [result.case_id for result in results if "FAILED" in said[result.case_id] and not result.received]
    if late and attempts > 1:
        said |= await verdicts(url, *late, attempts=attempts - 1)
    return said


async def through_both(cluster: Cluster, groups: dict[str, int]) -> None:
    """Demand that a node passes the cases of these groups, straight and through Nginx.

    Each group has a terminal of its own, since a terminal has one session at a time.
    """
    ways = {"node": cluster.node(1), "nginx": cluster.proxy()}
    runs = {
        (way, group): f"ws://{at}/ws?terminal_id={way}-{group[:-2]}" for way, at in ways.items() for group in groups
    }
    said = await asyncio.gather(*(verdicts(url, group) for (_, group), url in runs.items()))
    for (way, group), of_group in zip(runs, said, strict=True):
        print(way, group, {case: verdict for case, verdict in of_group.items() if verdict != "OK, OK"})
        assert len(of_group) == groups[group]
        assert not [case for case, verdict in of_group.items() if "FAILED" in verdict or "WRONG" in verdict]
        assert {case for case, verdict in of_group.items() if "NON-STRICT" in verdict} <= LATE


@pytest.mark.takes(seconds=30)
@echoing
def test_a_node_passes_autobahns_cases(conformance: str, cluster: Cluster) -> None:
    asyncio.run(through_both(cluster, SHORT))


@pytest.mark.long("conformance")
@echoing
def test_a_node_passes_autobahns_large_cases(conformance: str, cluster: Cluster) -> None:
    asyncio.run(through_both(cluster, LARGE))


@pytest.mark.long("conformance")
def test_a_client_passes_autobahns_cases(conformance: str) -> None:
    async def run() -> None:
        # What a client takes and sends is at most 1 MiB.
        async with run_fuzzingserver(exclude_cases=["9.*", "12.*", "13.*"], port=0) as server:
            url = f"ws://{server.address}:{server.port}"
            client = await asyncio.create_subprocess_exec(conformance, "terminal", url)
            assert await client.wait() == 0
            results = await server.get_result()
        assert len(results) == sum(SHORT.values())

    asyncio.run(run())


# No program panics because its output can't be written: the disk is full, the reader has gone, or there is none.

NOWHERE = "--url ws://127.0.0.1:1/ws"
# Each command ends by itself. At {directory} there is nothing that it needs.
SPEAKING = [
    "muster-node secret",
    "muster-node token --terminal t1 --secret k1=0123456789abcdef0123456789abcdef",
    "muster-node --listen 127.0.0.1:0",
    "muster-node store export --redis redis://nowhere",
    "muster-node --help",
    "muster-sidecar render --once --redis redis://127.0.0.1:1 --dir {directory}",
    "muster-sidecar --redis redis://127.0.0.1:1 --dir {directory} --status 127.0.0.1:0 --proxy-protocol",
    "muster-sidecar --help",
    f"muster-loadgen run {NOWHERE} --for 1s",
    "muster-loadgen --help",
    f"attackers run {NOWHERE} --kinds silent:1 --for 1s",
    "agents --help",
    "witness --help",
    "conformance --help",
]
# What the shell makes of an output that is a pipe without a reader.
OUTPUTS = {"a full disk": ">/dev/full 2>&1", "no reader": "", "no output": ">&- 2>&-"}
# The exit status of a panic in Rust.
PANIC = 101


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
@pytest.mark.parametrize("command", SPEAKING)
def test_a_program_that_cannot_write_its_output_does_not_panic(command: str, output: str, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    words = command.format(directory=tmp_path).split()
    line = ["sh", "-c", f'exec "$@" {output}', "sh", programs.program(words[0]), *words[1:]]
    try:
        done = subprocess.run(line, check=False, stdout=writer, stderr=writer, timeout=60)
    finally:
        os.close(writer)
    assert 0 <= done.returncode != PANIC

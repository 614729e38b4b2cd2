"""The sidecar itself: it is killed, loses its output, works beside another one, and tells the nodes of its proxy."""

import os
import random
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pytest

from muster import process, programs, wait
from muster.api import Json
from muster.cluster import ProcessCluster
from muster.cluster.sidecar import AT_ONCE, Sidecar, sidecar_program, write_program
from muster.faults import lease
from muster.fixtures import AgentsFactory, KnockFactory, Scale
from muster.traffic.knock import Knock

# A sidecar is killed at each step of a change: Nginx goes on, can be started, and the next sidecar ends the change.

FAST = "--quiet 100ms --quiet-urgent 100ms --reload-every 100ms --lingering 1000 --poll 100ms"


@pytest.fixture
def steps(proxy: Sidecar, seed: int) -> dict[str, Callable[[], object]]:
    """What shows that each step of a change has begun. The sidecar's Nginx takes its time with a check."""
    folder = proxy.cluster.directory
    program = write_program(
        folder / "slow-nginx",
        f"""case " $* " in *" -t "*)
          touch {folder}/checking; sleep 0.05; nginx "$@"; status=$?
          touch {folder}/checked; sleep 0.05; exit $status ;;
        esac
        exec nginx "$@"
        """,
    )
    proxy.restart(f"--nginx {program}")
    return {
        "checking": (folder / "checking").exists,
        "checked": (folder / "checked").exists,
        # The link to the new configuration is there; and soon after that Nginx gets the signal.
        "switched": Moved(proxy.folder / "current"),
        "signalled": Moved(proxy.folder / "current", after=0.09),
    }


class Moved:
    """Whether a link points elsewhere than at first, and has for a random time of up to `after` seconds."""

    def __init__(self, link: Path, after: float = 0) -> None:
        self._link, self._after, self.first = link, after, link.readlink()

    def __call__(self) -> bool:
        """Return whether it does."""
        if self._link.readlink() == self.first:
            return False
        time.sleep(random.uniform(0, self._after))
        return True


@pytest.mark.cluster(nodes=2, sidecar_flags=FAST)
def test_a_sidecar_killed_at_any_step_leaves_a_whole_configuration_and_the_next_one_ends_the_change(
    process_cluster: ProcessCluster,
    proxy: Sidecar,
    steps: dict[str, Callable[[], object]],
    agents: AgentsFactory,
    knock: KnockFactory,
    scale: Scale,
) -> None:
    fleet = agents(200).online()
    master = process_cluster.pid("nginx")
    knocking = knock(50)
    times = scale(12, 100)
    for number in range(1, times + 1):
        step = list(steps.values())[number % len(steps)]
        killed_at(process_cluster, proxy, step, number)
        assert proxy.can_start()
        process_cluster.start("sidecar")
        assert finishes(proxy, f"127.0.0.9:{number}")
        assert process_cluster.pid("nginx") == master
    assert not fleet.ends()
    process_cluster.kill("sidecar")
    decided = knocking.decided()
    wait.until(lambda: knocking.decided() - decided, lambda without_a_sidecar: without_a_sidecar >= 150)
    knocking.finish()
    assert knocking.decided() > times and not knocking.failures() and not fleet.ends()


def killed_at(cluster: ProcessCluster, proxy: Sidecar, step: Callable[[], object], number: int) -> None:
    """Begin a change, and kill the sidecar once it is at this step."""
    for name in ("checking", "checked"):
        (cluster.directory / name).unlink(missing_ok=True)
    if isinstance(step, Moved):
        step.first = (proxy.folder / "current").readlink()
    lease.publish(cluster, f"ghost-{number}", f"127.0.0.9:{number}")
    wait.until(step, within=5, every=0.002)
    cluster.kill("sidecar")


def finishes(proxy: Sidecar, address: str) -> bool:
    """Wait until the node is in the file and Nginx runs with it."""
    wait.until(proxy.nodes, lambda nodes: address in nodes, within=10)
    wait.until(lambda: (proxy.running(), proxy.generation()), lambda two: two[0] == two[1], within=20)
    return True


@pytest.mark.cluster(nodes=2)
def test_a_second_sidecar_in_the_same_folder_is_refused(proxy: Sidecar) -> None:
    command: list[str | Path] = [sidecar_program(), "--redis", "redis://127.0.0.1:1", "--dir", proxy.folder]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)
    assert done.returncode != 0
    assert "another sidecar works there" in done.stdout + done.stderr


def ping_cpu_seconds(cluster: ProcessCluster) -> float:
    """Return what `redis-cli` uses for one of the cheapest queries there are: it wakes up, asks, and reads."""
    pings = 200
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["redis-cli", "-p", str(cluster.processes.redis_port()), "-r", str(pings), "-i", "0.02", "ping"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / pings


@pytest.mark.alone
@pytest.mark.cluster(nodes=2)
def test_a_sidecar_at_rest_costs_no_more_than_fifty_pings_a_second(
    process_cluster: ProcessCluster, proxy: Sidecar, scale: Scale
) -> None:
    wait.until(lambda: proxy.state()["waits"] is None)
    pid, seconds = process_cluster.pid("sidecar"), scale(10, 60)
    before = process.precise_cpu_seconds(pid)
    time.sleep(seconds)
    used = process.precise_cpu_seconds(pid) - before
    assert used / seconds <= 50 * ping_cpu_seconds(process_cluster)
    assert process_cluster.memory("sidecar") <= 10 << 20


# The reader of an output goes away, or the disk of the log is full: sidecar and node start, live and do their work.

FULL, PIPE, LOG = "/dev/full", "pipe", "log"


@pytest.mark.parametrize(("out", "err"), [(FULL, FULL), (PIPE, LOG), (PIPE, PIPE)])
@pytest.mark.cluster(nodes=1, sidecar_flags=AT_ONCE)
def test_a_sidecar_lives_and_follows_the_nodes_without_its_output(
    out: str, err: str, process_cluster: ProcessCluster, proxy: Sidecar
) -> None:
    cluster = process_cluster
    proxy.end()
    files = {PIPE: unread_pipe(cluster.directory / "pipe"), LOG: str(cluster.directory / "other.log"), FULL: FULL}
    flags = cluster.processes.flags["sidecar"]
    status = cluster.processes.read("sidecar.status")
    command: list[str | Path] = [sidecar_program(), "--listen", proxy.address, "--dir", proxy.folder]
    command += ["--redis", cluster.processes.redis_url(), "--secret-file", cluster.directory / "secret"]
    command += ["--status", status, *flags]
    shell = ["sh", "-c", f'exec "$@" >{files[out]} 2>{files[err]}', "sh"]
    process.launch(cluster.directory, "sidecar", [*shell, *command])

    wait.until(lambda: proxy.state()["served"])
    cluster.start("node2")
    wait.until(lambda: proxy.has(2), within=5)
    assert cluster.runs("sidecar")
    wait.until(lambda: proxy.metric("dropped_lines_total"))


def unread_pipe(path: Path) -> str:
    """Make a pipe of which one line is read, and then nobody reads."""
    os.mkfifo(path)
    process.launch(path.parent, "reader", ["sh", "-c", 'read -r line <"$0"', path])
    return str(path)


@pytest.mark.cluster(nodes=1)
def test_a_node_starts_with_a_full_log(process_cluster: ProcessCluster) -> None:
    cluster = process_cluster
    address = cluster.node(1)
    cluster.kill("node1")
    node: list[str | Path] = [programs.directory() / "muster-node", "--listen", address]
    node += ["--redis", cluster.processes.redis_url()]
    shell = ["sh", "-c", 'exec "$@" >/dev/full 2>&1', "sh"]
    process.launch(cluster.directory, "node1", [*shell, *node], env={"MUSTER_SECRET": cluster.secret})
    wait.until(lambda: cluster.api.is_ready(address), within=10)


# Two proxies agree on the nodes without a word between them, and the sessions of one that stops come back.


def start_other(cluster: ProcessCluster) -> Sidecar:
    """Start a second proxy."""
    cluster.processes.flags["other"] = ["--edge", "other", "--resolve", "off"]
    cluster.start("other")
    return Sidecar(cluster, "other")


@pytest.mark.cluster(nodes=3, node_flags="--placement sticky")
def test_two_proxies_write_the_same_file_and_send_each_terminal_to_the_same_node(
    process_cluster: ProcessCluster, proxy: Sidecar, knock: KnockFactory
) -> None:
    for port in (5, 1, 9, 3):
        lease.publish(process_cluster, f"ghost-{port}", f"127.0.0.9:{port}")
    wait.until(lambda: len(proxy.nodes()), lambda nodes: nodes == 7)
    # It learns of all of them at once.
    other = start_other(process_cluster)
    assert len(other.nodes()) == 7
    assert proxy.nodes_file() == other.nodes_file()

    by_one = nodes_by_terminal(knock(100, name="one", prefix="same", url=f"ws://{proxy.address}/ws"))
    by_other = nodes_by_terminal(knock(100, name="two", prefix="same", url=f"ws://{other.address}/ws"))
    assert by_one == by_other
    assert len(set(by_one.values())) == 3


def nodes_by_terminal(knocking: Knock) -> dict[str, str]:
    """Return on which node each of the first 300 terminals came."""
    wait.until(knocking.decided, lambda decided: decided >= 300)
    knocking.finish()
    assert not knocking.failures()
    return {each.terminal: each.node for each in knocking.each()[:300]}


@pytest.mark.cluster(nodes=3, node_flags="--ping 25s")
def test_a_proxy_that_stops_has_the_nodes_move_its_sessions(
    process_cluster: ProcessCluster, agents: AgentsFactory
) -> None:
    other = start_other(process_cluster)
    fleet = agents(300, url=f"ws://{other.address}/ws").online()
    process_cluster.term("other")
    assert process.gone(process_cluster.pid("other"), within=6)
    first_ends = {line["terminal"]: line["end"] for line in reversed(fleet.ends())}
    assert len(first_ends) == 300
    assert all("with 1012" in end for end in first_ends.values())
    assert process_cluster.log("other").endswith(": stopped")

    process_cluster.start("other")
    # Nobody was there meanwhile, so they come less and less often.
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == 300, within=60)


# An access log is rotated by name, as logrotate does with `create`.


@pytest.mark.cluster(nodes=1, sidecar_flags=AT_ONCE)
def test_a_rotated_access_log_goes_on_in_the_new_file(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    log, rotated = proxy.folder / "access.log", proxy.folder / "access.log.1"
    proxy.status("/before")
    wait.until(lambda: '"path":"/before"' in log.read_text())
    log.rename(rotated)
    log.touch(0o600)
    process_cluster.signal("nginx", signal.SIGUSR1)
    wait.until(lambda: proxy.status("/after") and '"path":"/after"' in log.read_text())
    lines = rotated.read_text()
    proxy.status("/later")
    wait.until(lambda: '"path":"/later"' in log.read_text())
    assert rotated.read_text() == lines and '"path":"/before"' in lines
    process_cluster.start("node2")
    wait.until(lambda: proxy.reloads("confirmed"))
    assert proxy.has(2)


# Every node shows every proxy: what it runs and should run, what differs and why.


def reported(proxy: Sidecar, number: int) -> Json:
    """Return what a node shows of the proxy; nothing if it shows none."""
    proxies = proxy.cluster.api.get("/v1/proxies", at=proxy.cluster.node(number))["proxies"]
    return proxies[0] if proxies else {}


def differs(proxy: Sidecar, number: int) -> list[str]:
    """Return what of the proxy is not as it should be, as a node shows it."""
    return [each["what"] for each in reported(proxy, number).get("differs", ["it is not shown"])]


@pytest.mark.takes(seconds=35)
@pytest.mark.cluster(nodes=2, sidecar_flags=f"{AT_ONCE} --edge one")
def test_every_node_shows_the_proxy_and_what_differs(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    for number in (1, 2):
        wait.until(partial(differs, proxy, number), lambda what: not what)
    shown = reported(proxy, 1)
    assert shown["id"] == f"one:{proxy.address.rpartition(':')[2]}" and shown["nodes"] == 2
    assert shown["generation"] == shown["generation_wanted"] == proxy.running()
    assert shown["certificate_ends_at"] is None and shown["last_success_at"] and shown["connections"]["limit"] > 6000

    (proxy.folder / "snippets" / "http" / "own.conf").write_text("broken\n")
    wait.until(lambda: differs(proxy, 2), lambda what: what == ["files"], within=20)
    assert reported(proxy, 2)["generation_wanted"] > reported(proxy, 2)["generation"]
    (proxy.folder / "snippets" / "http" / "own.conf").unlink()
    wait.until(lambda: reported(proxy, 2)["differs"], lambda what: what == [], within=20)

    # A node that has just started, and Redis after it was away, know the proxy again without a word to it.
    process_cluster.kill("node1")
    process_cluster.start("node1")
    wait.until(lambda: reported(proxy, 1), within=10)
    process_cluster.kill("sidecar")
    wait.until(lambda: reported(proxy, 1), lambda shown: not shown, within=20)


@pytest.mark.cluster(nodes=1, sidecar_flags=f"{AT_ONCE} --sessions 10")
def test_connections_that_nginx_has_no_room_for_are_counted(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    host, port = proxy.address.split(":")
    limit = proxy.state()["connections"]["limit"]
    with ExitStack() as opened:
        for _ in range(limit + 200):
            # A connection that has sent nothing yet would make room for the next one.
            one = opened.enter_context(socket.create_connection((host, int(port)), timeout=5))
            with suppress(ConnectionError):
                one.sendall(b"GET")
        wait.until(lambda: proxy.metric("connections_dropped_total"), lambda refused: refused >= 100, within=20)
    assert proxy.state()["refused"]["connections"] >= 100

"""Nginx is reloaded and killed, or its workers are, and its disk is full or read-only: F8, F9, F18, F22, F23."""

import os
import signal
import socket
import time
from collections import Counter
from pathlib import Path

import pytest

from muster import process, wait
from muster.api import Json
from muster.cluster import Cluster, ProcessCluster
from muster.cluster.sidecar import AT_ONCE, Sidecar, SmallDisk, own_memory, write_program
from muster.faults import lease
from muster.fixtures import AgentsFactory, KnockFactory, LoadFactory, Scale
from muster.judge import peak, returns

# F8: Nginx is reloaded many times, refuses a configuration or never runs it, and its old workers are retired.

RETIRE_OVER = 6


@pytest.mark.fault(id="F8")
@pytest.mark.cluster(
    nodes=3,
    sidecar_flags="--quiet 300ms --quiet-urgent 300ms --reload-every 500ms --lingering 1000 --retire-after 1h",
)
def test_ten_reloads_cut_no_session_and_fail_no_handshake(
    process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory, knock: KnockFactory, scale: Scale
) -> None:
    fleet = agents(600).online()
    knocking = knock(200)
    for change in range(1, 11):
        # A node joins that was never there; or it leaves, and does not answer the sidecar's probe.
        if change % 2:
            lease.publish(process_cluster, "ghost", "127.0.0.9:9")
        else:
            lease.remove(process_cluster, "ghost")
        wait_for_reload(proxy, change)
    wait.until(knocking.decided, lambda decided: decided >= 3900)
    knocking.finish()

    assert proxy.reloads() == proxy.reloads("confirmed") == 10
    assert len(process.nginx_workers(process_cluster.directory)) > 2 and proxy.lingering(), "sessions keep old workers"
    assert not knocking.failures()
    scale.judge_time("the slowest handshake", knocking.slowest(), 3.1)
    assert len(fleet.connected()) == 600 and not fleet.ends()


def wait_for_reload(proxy: Sidecar, number: int) -> None:
    """Wait until there were so many reloads."""
    wait.until(proxy.reloads, lambda reloads: reloads == number)


@pytest.fixture
def stubborn(proxy: Sidecar) -> Path:
    """An Nginx that refuses to check what names a text of the file `refuse`, and hangs if there is a file `hang`."""
    folder = proxy.cluster.directory
    program = write_program(
        folder / "stubborn-nginx",
        f"""for file; do :; done
        case " $* " in *" -t "*)
          if grep -qsFf "{folder}/refuse" "$(dirname "$file")/nodes.conf"; then echo refused >&2; exit 1; fi
          if [ -e "{folder}/hang" ]; then echo $$ >"{folder}/check.pid"; exec sleep 60; fi ;;
        esac
        exec nginx "$@"
        """,
    )
    proxy.restart(f"--nginx {program}")
    return folder


@pytest.mark.fault(id="F8")
@pytest.mark.cluster(nodes=2, sidecar_flags=AT_ONCE)
def test_a_refused_configuration_changes_nothing_and_is_tried_again_now_and_then(
    stubborn: Path, process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory, knock: KnockFactory
) -> None:
    fleet = agents(100).online()
    knocking = knock(50)
    good = proxy.generation()
    (stubborn / "refuse").write_text("127.0.0.9:9\n")
    lease.publish(process_cluster, "ghost", "127.0.0.9:9")
    wait.until(lambda: proxy.reloads("refused"))
    time.sleep(2)  # Meanwhile it must not be tried again and again.
    assert proxy.reloads("refused") <= 3
    assert proxy.generation() == good
    (stubborn / "refuse").unlink()
    wait.until(lambda: "127.0.0.9:9" in proxy.nodes(), within=5)
    knocking.finish()
    assert not knocking.failures() and not fleet.ends()


@pytest.mark.fault(id="F8")
@pytest.mark.cluster(nodes=2, sidecar_flags=AT_ONCE)
def test_a_node_joins_although_a_snippet_is_accepted_and_never_run(
    process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory, knock: KnockFactory
) -> None:
    fleet = agents(100).online()
    knocking = knock(50)
    snippet = proxy.folder / "snippets" / "http" / "taken.conf"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        # `nginx -t` does not try whether the address is free.
        snippet.write_text(f"server {{ listen 127.0.0.1:{taken.getsockname()[1]}; }}\n")
        lease.publish(process_cluster, "other", "127.0.0.9:8")
        wait.until(lambda: "127.0.0.9:8" in proxy.nodes(), within=15)
        wait.until(lambda: proxy.reloads("confirmed"))
        assert proxy.metric("own_files_refused") == 1
        snippet.unlink()
        wait.until(lambda: proxy.metric("own_files_refused"), lambda refused: refused == 0, within=20)
    lease.publish(process_cluster, "third", "127.0.0.9:7")
    wait.until(lambda: "127.0.0.9:7" in proxy.nodes(), within=5)
    assert len(proxy.nodes()) == 4
    knocking.finish()
    assert not knocking.failures() and not fleet.ends()


@pytest.mark.fault(id="F8")
@pytest.mark.cluster(nodes=2, sidecar_flags=AT_ONCE)
def test_a_sidecar_whose_check_hangs_can_be_stopped(
    stubborn: Path, process_cluster: ProcessCluster, proxy: Sidecar
) -> None:
    (stubborn / "hang").touch()
    lease.publish(process_cluster, "ghost", "127.0.0.9:9")
    check = int(
        wait.until(lambda: [path.read_text() for path in stubborn.glob("check.pid")], lambda pids: any(pids))[0]
    )
    process_cluster.term("sidecar")
    assert not process.gone(process_cluster.pid("sidecar"), within=0.5), "it waits for the check"
    process_cluster.term("sidecar")
    assert process.gone(process_cluster.pid("sidecar"), within=3)
    assert process.gone(check, within=1)


@pytest.mark.fault(id="F8")
@pytest.mark.quiet
@pytest.mark.cluster(nodes=2, sidecar_flags=f"{AT_ONCE} --lingering 1 --retire-over {RETIRE_OVER}s --workers 1")
def test_the_sessions_of_retired_workers_move_evenly_and_the_workers_end(
    process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory
) -> None:
    fleet = agents(300).online()
    before = own_memory(process_cluster)
    lease.publish(process_cluster, "ghost", "127.0.0.9:9")
    wait.until(lambda: "127.0.0.9:9" in proxy.nodes())
    began = time.time()
    wait.until(proxy.lingering, lambda lingering: len(lingering) == 1)
    wait.until(proxy.lingering, lambda lingering: not lingering, within=RETIRE_OVER + 15)
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == 300)

    assert len(fleet.ends()) == len(fleet.ends("with 1012")) == 300
    assert peak(returns(fleet.lines(), since=began), RETIRE_OVER) <= 2
    wait.until(lambda: proxy.metric("retired_workers_total", step="done"), lambda done: done == 1)
    assert proxy.metric("retired_workers_total", step="cut") == 0
    wait.until(lambda: own_memory(process_cluster), lambda memory: memory - before <= 2 << 20)


# F9: Nginx is killed with SIGKILL, with every terminal's connection; the sidecar starts it again.

# Handshakes that each node takes a second, at small and at full scale.
RATE = (100, 500)


@pytest.mark.fault(id="F9")
@pytest.mark.cluster(node_flags=f"--handshakes {RATE[0]}", full_node_flags=f"--handshakes {RATE[1]}")
def test_all_terminals_come_back_no_faster_than_the_nodes_take_them(
    cluster: Cluster, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    fleet = agents(scale(300, 5000), "--first", "2s").online()
    commands = load(fleet, commands=scale(500, 3000), pace=scale(60, 100))
    commands.reach(0.3)

    cluster.kill("nginx")

    wait.until(lambda: len(fleet.disconnected()), lambda cut: cut == fleet.terminals)
    wait.until(lambda: len(fleet.connected()), lambda connected: connected == fleet.terminals, within=120)
    away = fleet.seconds_away()
    scale.judge_time("95 % of them were ready again", away[len(away) * 95 // 100], 5)
    seconds = Counter((line["node"], line["at"] // 1000) for line in fleet.lines("online"))
    # A second's budget may be there at once, and a second of this clock may have parts of two of the node's.
    assert max(seconds.values()) <= 2 * scale(*RATE)
    assert commands.judged()


# F18: the disk with Nginx's configuration is full while a node joins. The access log is elsewhere: it would take up the
# room that the test leaves.


@pytest.mark.fault(id="F18")
@pytest.mark.cluster(nodes=2, sidecar_flags=f"{AT_ONCE} --access-log /dev/null")
def test_nothing_is_left_half_written_on_a_full_disk_and_a_node_joins_with_room_again(
    small_disk: SmallDisk, proxy: Sidecar, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    fleet = agents(scale(100, 1000)).online()
    commands = load(fleet, commands=scale(500, 3000), pace=scale(40, 100))
    commands.reach(0.1)
    written, nodes = generations(proxy), proxy.nodes()

    small_disk.fill()
    lease.publish(proxy.cluster, "joins", "127.0.0.9:9")
    # One or two pages have room for a part of a configuration, and never for its three files.
    for pages in range(3):
        small_disk.fill(pages=pages)
        failing = wait_for_failure(proxy, pages + 1)
        assert failing["result"] == "not_written" and "No space left" in failing["error"], failing
        assert failing["joined"] == ["127.0.0.9:9"]
        wait.until(lambda: generations(proxy), lambda seen: seen == written, within=5)
        assert proxy.nodes() == nodes and proxy.can_start()

    small_disk.free()
    wait.until(lambda: proxy.serves("127.0.0.9:9") and proxy.running() == proxy.generation())
    wait.until(lambda: proxy.state()["failing"], lambda failing: failing is None)
    assert proxy.nodes() == {*nodes, "127.0.0.9:9"}
    assert commands.judged() and not fleet.ends()


# F22: the disk with Nginx's configuration becomes read-only while a node joins, as a disk with errors does.


@pytest.mark.fault(id="F22")
@pytest.mark.cluster(nodes=2, sidecar_flags=f"{AT_ONCE} --access-log /dev/null")
def test_a_node_that_joins_on_a_read_only_disk_is_served_when_it_can_be_written_again(
    small_disk: SmallDisk, proxy: Sidecar, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    fleet = agents(scale(100, 1000)).online()
    commands = load(fleet, commands=scale(300, 3000), pace=scale(40, 100))
    commands.reach(0.1)
    written, nodes = generations(proxy), proxy.nodes()

    with small_disk.read_only():
        lease.publish(proxy.cluster, "joins", "127.0.0.9:9")
        failing = wait_for_failure(proxy, 2)
        assert failing["result"] == "not_written" and "Read-only file system" in failing["error"], failing
        assert generations(proxy) == written and proxy.nodes() == nodes

    wait.until(lambda: proxy.serves("127.0.0.9:9") and proxy.running() == proxy.generation())
    wait.until(lambda: proxy.state()["failing"], lambda failing: failing is None)
    assert commands.judged() and not fleet.ends()


def wait_for_failure(proxy: Sidecar, attempts: int) -> Json:
    """Wait until a change has failed so many times, and return what /state says of it."""
    return wait.until(lambda: proxy.state()["failing"], lambda failing: failing and failing["attempts"] >= attempts)


def generations(proxy: Sidecar) -> list[str]:
    """Return the folders of configurations that are on the disk."""
    return sorted(path.name for path in (proxy.folder / "gen").iterdir())


# F23: Nginx's workers are killed with SIGKILL again and again, with every terminal's connection. The master starts
# others.


@pytest.mark.fault(id="F23")
@pytest.mark.cluster(nodes=2, node_flags="--ping 60s")
def test_commands_are_run_once_while_workers_are_killed_again_and_again(
    process_cluster: ProcessCluster, agents: AgentsFactory, load: LoadFactory, scale: Scale
) -> None:
    fleet = agents(scale(100, 1000)).online()
    commands = load(fleet, commands=scale(400, 4000), pace=scale(60, 100))
    master = process_cluster.pid("nginx")
    # The last two kills come while many terminals are still away.
    shares = (0.1, 0.3, 0.5, 0.6, 0.65)
    for share in shares:
        commands.reach(share)
        assert commands.under_way()
        kill_workers(process_cluster)

    wait.until(lambda: len(fleet.connected()), lambda connected: connected == fleet.terminals)
    assert process_cluster.pid("nginx") == master and process_cluster.runs("nginx")
    cuts = Counter(line["terminal"] for line in fleet.lines("offline"))
    assert len(cuts) == fleet.terminals and max(cuts.values()) <= len(shares), "each kill cuts a session at most once"
    ends = Counter(line["end"] for line in fleet.ends())
    assert all(end.startswith("lost: ") for end in ends), f"a session was closed, or a handshake refused: {ends}"
    # A call that a kill cut had no answer. No call was answered with an error.
    assert all("POST /v1/commands: " in why for why in commands.refused), commands.refused
    assert commands.judged()


def kill_workers(cluster: ProcessCluster) -> None:
    """Kill each worker of an Nginx that has no old ones, and wait until the master has started as many others."""
    killed = workers(cluster)
    for worker in killed:
        os.kill(worker, signal.SIGKILL)
    wait.until(lambda: workers(cluster), lambda now: len(now) == len(killed) and not now & killed)


def workers(cluster: ProcessCluster) -> set[int]:
    """Return the ids of Nginx's workers."""
    return set(process.nginx_workers(cluster.directory)) - {cluster.pid("nginx")}

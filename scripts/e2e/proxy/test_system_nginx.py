"""An Nginx that the system runs, in the place of the one that the sidecar starts."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from muster import process, wait
from muster.cluster import ProcessCluster
from muster.cluster.sidecar import AT_ONCE, Sidecar, SmallDisk
from muster.faults import lease
from muster.fixtures import AgentsFactory, KnockFactory


class SystemNginx:
    """A daemon of Nginx that includes the configuration of the sidecar, which is told of its pid file."""

    def __init__(self, proxy: Sidecar) -> None:
        self.proxy, self._folder = proxy, proxy.cluster.directory
        self.pid_file, self.old_pid_file = self._folder / "system.pid", self._folder / "system.pid.oldbin"
        if proxy.cluster.runs(proxy.name):
            proxy.end()
        self.configure()
        self.start()
        proxy.set_flags(f"--signal {self.pid_file}")
        proxy.cluster.start(proxy.name)

    def configure(self, more: str = "") -> None:
        """Write the configuration, with `more` in its http block."""
        include = f"include {self.proxy.folder}/current/http*.conf;"
        text = f"pid {self.pid_file};\nerror_log {self._folder}/system.log warn;\nevents {{}}\n"
        text += f"http {{ access_log off; {include} {more} }}\n"
        (self._folder / "system.conf").write_text(text)

    def start(self) -> None:
        """Start the daemon, and wait until it runs."""
        # With its whole path, since it starts its successor by the name by which it was started.
        program = shutil.which("nginx") or "nginx"
        subprocess.run(
            [program, "-c", self._folder / "system.conf", "-e", self._folder / "system.log"],
            check=True,
            stdin=subprocess.DEVNULL,
        )
        wait.until(lambda: self.pid_file.exists() and self.pid_file.read_text())

    def pid(self) -> int:
        """Return the id of the master."""
        return int(self.pid_file.read_text())

    def upgrade(self) -> None:
        """Have the master start another one beside it, which is how Nginx's program is replaced; wait until it has."""
        os.kill(self.pid(), signal.SIGUSR2)
        wait.until(lambda: self.old_pid_file.exists() and self.pid_file.exists() and self.pid_file.read_text())

    def retire_old(self) -> None:
        """Tell the master of before the upgrade to quit once its sessions have ended."""
        os.kill(int(self.old_pid_file.read_text()), signal.SIGQUIT)

    def end(self) -> None:
        """Stop the daemon, and wait until it has ended."""
        pid = self.pid()
        os.kill(pid, signal.SIGTERM)
        assert process.gone(pid)

    def down(self) -> None:
        """End whatever of it still runs."""
        for file in (self.pid_file, self.old_pid_file):
            with suppress(OSError, ValueError):
                os.kill(int(file.read_text()), signal.SIGTERM)


GHOST = "127.0.0.9:9"

pytestmark = pytest.mark.cluster(nodes=2, sidecar_flags=AT_ONCE)


@pytest.fixture
def system(proxy: Sidecar) -> Iterator[SystemNginx]:
    """An Nginx that the system runs, in the place of the sidecar's own."""
    made = SystemNginx(proxy)
    yield made
    made.down()


# The sidecar only signals it, goes on while it is down, and does not end it.


def test_a_sidecar_reloads_it_and_leaves_it_running(
    system: SystemNginx, process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory, knock: KnockFactory
) -> None:
    fleet = agents(50).online()
    lease.publish(process_cluster, "ghost", GHOST)
    wait.until(proxy.nodes, lambda nodes: GHOST in nodes)
    wait.until(lambda: proxy.reloads("confirmed"))
    assert proxy.reloads("confirmed") == 1 and not fleet.ends()
    proxy.end()
    knocking = knock(50)
    wait.until(knocking.decided, lambda decided: decided >= 100)
    knocking.finish()
    assert not knocking.failures() and not fleet.ends()


def test_a_sidecar_goes_on_while_it_is_down(
    system: SystemNginx, process_cluster: ProcessCluster, proxy: Sidecar, knock: KnockFactory
) -> None:
    lease.publish(process_cluster, "ghost", GHOST)
    wait.until(lambda: proxy.reloads("confirmed"))
    reloads = proxy.reloads()
    system.end()
    wait.until(lambda: "Nginx ended" in process_cluster.log("sidecar"))
    lease.remove(process_cluster, "ghost")
    wait.until(lambda: proxy.leased(GHOST), lambda leased: not leased, within=2)
    time.sleep(1)  # It must not try to reload an Nginx that is not there, however long it could.
    assert proxy.reloads() == reloads

    system.start()
    wait.until(proxy.nodes, lambda nodes: GHOST not in nodes, within=5)
    knocking = knock(50)
    wait.until(knocking.decided, lambda decided: decided >= 90)
    knocking.finish()
    assert not knocking.failures()


def test_a_sidecar_can_be_stopped_while_it_is_down(
    system: SystemNginx, process_cluster: ProcessCluster, proxy: Sidecar
) -> None:
    system.end()
    wait.until(lambda: "Nginx ended" in process_cluster.log("sidecar"))
    process_cluster.term("sidecar")
    assert process.gone(process_cluster.pid("sidecar"), within=1)


# A change fails for a reason that has nothing to do with the nodes: it is applied soon after the reason is gone.


def nothing_fails(proxy: Sidecar) -> bool:
    """Return whether the metrics say that no change is failing."""
    return proxy.metric("failing_attempts") == 0 and proxy.metric("failing_seconds") == 0


def failing(proxy: Sidecar) -> str:
    """Return with which result a change fails."""
    return str((proxy.state()["failing"] or {}).get("result"))


def test_a_full_disk(
    small_disk: SmallDisk, system: SystemNginx, process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory
) -> None:
    fleet = agents(50).online()
    small_disk.fill()
    lease.publish(process_cluster, "node", GHOST)
    wait.until(lambda: failing(proxy), lambda result: result == "not_written")
    assert proxy.state()["failing"]["joined"] == [GHOST]
    wait.until(lambda: proxy.metric("failing_attempts"), lambda attempts: attempts >= 2)
    wait.until(lambda: proxy.metric("failing_seconds"), lambda seconds: seconds >= 2)

    small_disk.free()
    wait.until(lambda: proxy.serves(GHOST), within=6)
    wait.until(lambda: nothing_fails(proxy), within=5)
    assert not fleet.ends()


def test_a_configuration_that_only_the_master_refuses(
    system: SystemNginx, process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory
) -> None:
    fleet = agents(50).online()
    lease.publish(process_cluster, "leaves", "127.0.0.9:8")
    wait.until(lambda: proxy.serves("127.0.0.9:8"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        # `nginx -t` does not try whether the address is free.
        system.configure(f"server {{ listen 127.0.0.1:{taken.getsockname()[1]}; }}")
        lease.publish(process_cluster, "joins", GHOST)
        wait.until(lambda: failing(proxy), lambda result: result == "rolled_back")
        lease.remove(process_cluster, "leaves")
        system.configure()
    wait.until(lambda: proxy.serves(GHOST), within=20)
    wait.until(lambda: proxy.serves("127.0.0.9:8"), lambda serves: not serves, within=20)
    wait.until(lambda: nothing_fails(proxy), within=20)
    assert not fleet.ends()


def test_an_upgrade_of_nginx(
    system: SystemNginx, process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory
) -> None:
    fleet = agents(50).online()
    # Two masters answer on the same ports, until the old one is told to quit. Its sessions keep its workers for long.
    system.upgrade()
    lease.publish(process_cluster, "node", GHOST)
    time.sleep(3)  # So long the two are there, with a change to apply.
    system.retire_old()
    wait.until(lambda: proxy.serves(GHOST), within=25)
    wait.until(lambda: nothing_fails(proxy), within=20)
    wait.until(lambda: proxy.state()["lingering"], within=15)
    assert not fleet.ends()

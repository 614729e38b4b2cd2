"""A sidecar is killed at each step of a change: Nginx goes on, can be started, and the next sidecar ends the change."""

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from muster import wait
from muster.cluster import ProcessCluster
from muster.cluster.sidecar import Sidecar, sidecar_program, write_program
from muster.faults import lease
from muster.fixtures import AgentsFactory, KnockFactory, Scale

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
    end = time.monotonic() + 5
    # Closer than `wait.until` looks.
    while not step():
        assert time.monotonic() < end, "the change did not come to this step"
        time.sleep(0.002)
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


@pytest.mark.alone
@pytest.mark.cluster(nodes=2)
def test_a_sidecar_at_rest_costs_next_to_nothing(process_cluster: ProcessCluster, proxy: Sidecar, scale: Scale) -> None:
    wait.until(lambda: proxy.state()["waits"] is None)
    before = process_cluster.cpu("sidecar")
    seconds = scale(10, 60)
    time.sleep(seconds)
    assert process_cluster.cpu("sidecar") - before <= scale(0.02, 0.06)
    assert process_cluster.memory("sidecar") <= 10 << 20

"""Under load the cluster grows to five nodes and shrinks to two, and Nginx follows without an edited file."""

from muster import wait
from muster.cluster.project import Project
from muster.fixtures import Scale
from muster.traffic.container_load import PlayFactory


def test_nothing_is_lost_and_no_handshake_fails_while_the_cluster_grows_and_shrinks(
    project: Project, play: PlayFactory, scale: Scale
) -> None:
    project.up()
    broadcasts = str(scale(5, 2))
    load = play(scale(300, 2000), "--broadcasts", broadcasts, "--churn", "5%/s", "--for", "50s")

    project.compose("up", "-d", "--scale", "node=5")
    wait.until(project.states, lambda states: states == ["ready"] * 5, within=20)
    wait.until(project.served, lambda served: served == 5, within=20)

    project.compose("up", "-d", "--scale", "node=2")
    wait.until(project.states, lambda states: states == ["ready"] * 2, within=20)
    wait.until(project.served, lambda served: served == 2, within=40)

    assert load.under_way(), "not all of it was under load"
    load.judge()

"""All nodes are restarted by one command under load: they take turns."""

from muster import wait
from muster.cluster.project import Project
from muster.fixtures import Scale
from muster.traffic.container_load import PlayFactory


def test_nothing_is_lost_and_no_handshake_fails_while_all_nodes_restart(
    project: Project, play: PlayFactory, scale: Scale
) -> None:
    project.up()
    before = project.node_ids()
    broadcasts = str(scale(5, 2))
    load = play(scale(300, 2000), "--broadcasts", broadcasts, "--churn", "5%/s", "--for", "30s")

    project.compose("restart", "node")

    wait.until(project.states, lambda states: states == ["ready"] * 3, within=20)
    assert not project.node_ids() & before, "a node was not restarted"
    assert load.under_way(), "not all of it was under load"
    load.judge()

"""The cluster is upgraded to new images twice under load: new nodes beside the old ones, then all at once."""

import subprocess

from muster import programs, wait
from muster.cluster.project import Project
from muster.fixtures import Scale
from muster.traffic.container_load import LEDGER, PlayFactory


def test_what_was_accepted_reaches_its_terminals_once_while_all_is_upgraded(
    project: Project, play: PlayFactory, scale: Scale
) -> None:
    project.up()
    redis = project.ids("redis")
    # While the one proxy is replaced, nobody is let in and nothing is accepted.
    flags = ["--broadcasts", str(scale(5, 2)), "--for", "75s", "--grace", "30s"]
    load = play(scale(300, 2000), *flags, slo=LEDGER)

    upgrade(project, "one")
    project.compose("up", "-d", "--no-recreate", "--scale", "node=6", "node")
    project.compose("up", "-d", "--no-deps", "node")
    wait_for_three_new(project)

    upgrade(project, "two")
    project.compose("up", "-d")
    wait_for_three_new(project)
    assert of_new_image(project, "proxy") == 1

    assert project.ids("redis") == redis, "Redis was replaced"
    assert load.under_way(), "not all of it was under load"
    load.judge()


def upgrade(project: Project, name: str) -> None:
    """Make new images of the same programs, which are others all the same, and let Compose use their tag."""
    tag = project.variables["MUSTER_TAG"] = f"{project.name}-{name}"
    for target in ("node", "proxy"):
        build = ["docker", "build", "-q", "-f", "compose/Dockerfile", "--target", target]
        command = [*build, "--label", f"upgraded={tag}", "-t", f"muster/{target}:{tag}", "."]
        subprocess.run(command, cwd=programs.ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=True)


def wait_for_three_new(project: Project) -> None:
    """Wait until the nodes are three that are ready, and all of the new image."""
    wait.until(
        lambda: (project.states(), of_new_image(project, "node")),
        lambda seen: seen == (["ready"] * 3, 3),
        within=20,
    )


def of_new_image(project: Project, service: str) -> int:
    """Return how many containers of a service have the image of the present tag."""
    tag = project.variables["MUSTER_TAG"]
    images = project.inspect("{{.Config.Image}} {{.Config.Labels.upgraded}}", service)
    return images.count(f"muster/{service}:{tag} {tag}")

"""What was accepted reaches its terminals once, whatever is done to the containers."""

import re
import subprocess

import pytest

from muster import programs, wait
from muster.cluster.docker import docker
from muster.cluster.project import Project
from muster.fixtures import Scale
from muster.traffic.loadgen import LEDGER, UNNOTICED, ContainerLoad, PlayFactory
from promises.test_p02_once import (
    test_accepted_commands_are_run_once_while_subscriptions_a_node_and_redis_fail,
    test_commands_that_expired_while_their_terminal_was_away_are_not_run,
    test_no_command_is_shown_confirmed_that_its_terminal_did_not_confirm,
)

# The gate brings up containers only in `test_secrets.py`, where their load is judged too.
pytestmark = pytest.mark.long("compose")

# P2 on containers. `--compose` runs all promises and faults on them that can be.

# pytest runs what a module has. The fixture `cluster` of this folder is made of containers.
__all__ = [
    "test_accepted_commands_are_run_once_while_subscriptions_a_node_and_redis_fail",
    "test_commands_that_expired_while_their_terminal_was_away_are_not_run",
    "test_no_command_is_shown_confirmed_that_its_terminal_did_not_confirm",
]


# What was accepted is kept: while Redis is killed, restarted and taken down, and in a backup that is restored.

TERMINALS = 50


def test_a_redis_that_is_killed_restarted_or_taken_down_keeps_all(project: Project, play: PlayFactory) -> None:
    command = accepted(project.up(), play)
    docker("kill", "-s", "KILL", *project.ids("redis"))
    docker("start", *project.ids("redis"))
    wait_until_known(project, command)
    project.compose("restart", "redis")
    wait_until_known(project, command)
    project.compose("down")
    project.up()
    wait_until_known(project, command)
    assert not re.findall(".*(?:CRITICAL|NOPERM).*", project.compose("logs", "redis")), "Redis could not read its file"


def test_a_backup_that_is_restored_has_all_and_the_secrets(project: Project, play: PlayFactory) -> None:
    command = accepted(project.up(), play)
    redis, secrets = project.directory / "redis.tar", project.directory / "node-secrets.tar"
    # As compose/README.md has it.
    project.save(redis, "redis", "backup")
    project.save(secrets, "node", "tar", "-C", "/", "-c", "secrets")
    project.compose("down", "-v")

    run = ["run", "-T", "--rm", "--no-deps", "--entrypoint", "sh"]
    project.compose(*run, "redis", "-c", "rm -rf /data/*; tar -C / -x", stdin=redis)
    unpack = "rm -f /volumes/node/*; tar -C /volumes/node -x --strip-components 1 --no-overwrite-dir"
    project.compose(*run, "secrets", "-c", unpack, stdin=secrets)
    project.up()

    # The key of before is still good.
    wait_until_known(project, command)


def accepted(project: Project, play: PlayFactory) -> str:
    """Let terminals come and go, and return the id of a command that waits for them."""
    play(TERMINALS, "--for", "3s").finish(60)
    wait.until(lambda: project.api.get("/v1/fleet")["offline"], lambda offline: offline == TERMINALS, within=20)
    body = {"target": {"all": True}, "name": "show", "payload": "x", "expires_in": "1h"}
    command = str(project.api.post(body)["id"])
    assert known(project, command) == (TERMINALS, TERMINALS)
    return command


def wait_until_known(project: Project, command: str) -> None:
    """Wait until the API shows the command and its terminals as they were."""
    wait.until(lambda: known(project, command), lambda seen: seen == (TERMINALS, TERMINALS), within=30)


def known(project: Project, command: str) -> tuple[int, int]:
    """Return how many terminals the command waits for, and how many are known and away."""
    return project.api.counts(command).get("queued", 0), int(project.api.get("/v1/fleet")["offline"])


# The containers are restarted, scaled and upgraded under load.


def begin_load(play: PlayFactory, scale: Scale, flags: str, slo: str = UNNOTICED) -> ContainerLoad:
    """Begin load with broadcasts to all, of which `slo` must hold."""
    return play(scale(200, 2000), "--broadcasts", "2", *flags.split(), slo=slo)


# All nodes are restarted by one command under load: they take turns.


def test_nothing_is_lost_and_no_handshake_fails_while_all_nodes_restart(
    project: Project, play: PlayFactory, scale: Scale
) -> None:
    project.up()
    before = project.node_ids()
    load = begin_load(play, scale, "--churn 5%/s --for 60s")

    project.compose("restart", "node")

    wait.until(project.states, lambda states: states == ["ready"] * 3, within=20)
    assert not project.node_ids() & before, "a node was not restarted"
    assert load.under_way(), "not all of it was under load"
    load.judge()


# Under load the cluster grows to five nodes and shrinks to two, and Nginx follows without an edited file.


def test_nothing_is_lost_and_no_handshake_fails_while_the_cluster_grows_and_shrinks(
    project: Project, play: PlayFactory, scale: Scale
) -> None:
    project.up()
    load = begin_load(play, scale, "--churn 5%/s --for 100s")

    project.compose("up", "-d", "--scale", "node=5")
    wait.until(project.states, lambda states: states == ["ready"] * 5, within=20)
    wait.until(project.served, lambda served: served == 5, within=20)

    project.compose("up", "-d", "--scale", "node=2")
    wait.until(project.states, lambda states: states == ["ready"] * 2, within=20)
    wait.until(project.served, lambda served: served == 2, within=40)

    assert load.under_way(), "not all of it was under load"
    load.judge()


# The cluster is upgraded to new images twice under load: new nodes beside the old ones, then all at once.


def test_what_was_accepted_reaches_its_terminals_once_while_all_is_upgraded(
    project: Project, play: PlayFactory, scale: Scale
) -> None:
    project.up()
    redis = project.ids("redis")
    # While the one proxy is replaced, nobody is let in and nothing is accepted. On a busy machine both upgrades take
    # 100 s. The load must outlast them: terminals that have lost the proxy when it ends have no time to come back.
    load = begin_load(play, scale, "--for 180s --grace 30s", slo=LEDGER)

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

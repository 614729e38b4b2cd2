"""What was accepted is kept: while Redis is killed, restarted and taken down, and in a backup that is restored."""

import re

from muster import wait
from muster.cluster.docker import docker
from muster.cluster.project import Project
from muster.traffic.container_load import PlayFactory

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

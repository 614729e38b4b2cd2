"""Secrets are for their owners alone, and Redis lets its users do what they need."""

import re
import shlex
import subprocess

import pytest
from redis import AuthenticationError, Redis, ResponseError
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry

from muster import programs, wait
from muster.cluster.docker import docker
from muster.cluster.project import Project
from muster.traffic.loadgen import PlayFactory

# Secrets are made once and are for their owners alone.


def test_no_secret_is_where_others_could_read_it(project: Project) -> None:
    project.up()
    texts = {secret.removeprefix("k1=") for secret in secrets(project)}
    assert len(texts) == 6
    for service in ("node", "proxy", "redis"):
        modes = project.inside(service, "sh", "-c", 'stat -c "%a %U" /secrets/*').splitlines()
        assert set(modes) == {"400 muster"}, service
    assert project.inside("proxy", "ls", "/secrets").split() == ["cluster-secret", "redis-password"], (
        "no secret of tokens"
    )
    assert not found(texts, docker("inspect", *project.ids())), "in a container's configuration"
    assert not found(texts, project.compose("logs")), "in a log"
    for file in (programs.ROOT / "compose").rglob("*"):
        assert not file.is_file() or not found(texts, file.read_text(errors="replace")), file


@pytest.mark.long("compose")
def test_no_image_contains_a_secret(project: Project) -> None:
    project.up()
    texts = {secret.removeprefix("k1=") for secret in secrets(project)}
    images = set(project.inspect("{{.Config.Image}}"))
    assert len(images) == 3
    for image in images:
        assert not found(texts, docker("history", "--no-trunc", image) + docker("inspect", image)), image
        find = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "find", image, "/secrets", "/volumes"]
        # Not each image has both folders.
        files = subprocess.run([*find, "-type", "f"], capture_output=True, text=True, check=False)
        assert files.stdout == "", image


@pytest.mark.long("compose")
def test_secrets_and_keys_stay_when_all_containers_are_made_anew(project: Project) -> None:
    project.up()
    before = secrets(project)

    project.compose("up", "-d", "--force-recreate")

    wait.until(lambda: project.api.is_ready(project.address()), within=30)
    assert secrets(project) == before
    # The key is the one of before.
    wait.until(project.states, lambda states: states == ["ready"] * 3, within=5)


def secrets(project: Project) -> list[str]:
    """Return the six secrets."""
    files = {
        "node": ["secret", "cluster-secret", "redis-password"],
        "proxy": ["redis-password"],
        "redis": ["admin-password"],
    }
    read = [
        project.inside(service, "cat", f"/secrets/{name}").strip() for service, names in files.items() for name in names
    ]
    # A hash is no secret that anyone could use, and none to hand out either.
    users = project.inside("redis", "cat", "/secrets/users.acl")
    return [*read, max(re.findall("#[0-9a-f]+", users))]


def found(texts: set[str], text: str) -> list[str]:
    """Return those of the secrets that a text contains."""
    return [secret for secret in texts if secret in text]


# Redis lets each of its users do what the user's program needs, and nothing else.

NODE_NEEDS = """
get {muster:0.1518}:epoch
info memory
eval 'return redis.call("getbit", KEYS[1] .. "known", 1)' 1 {muster:3.17}:
spublish {muster:3.17}:0:inbox:x y
"""
NODE_MAY_NOT = """
flushall
flushdb
config get *
config set maxmemory 0
keys *
scan 0
acl list
shutdown
save
bgrewriteaof
replicaof no one
client list
client kill type normal
monitor
module list
script flush
function list
migrate h 1 k 0 1
swapdb 0 1
get other
set muster 1
set {muster}:epoch 1
eval 'return redis.call("get", "other")' 0
eval 'return redis.call("keys", "*")' 0
eval 'return redis.call("flushall")' 0
spublish other x
ssubscribe other
publish {muster:3.17}:0:broadcast x
spublish {muster}:0:broadcast x
psubscribe *
"""
SIDECAR_NEEDS = """
info server
role
hmget {muster:0.1518}:store schema partitions id created
zrange {muster:3.17}:nodes 0 1023 rev
mget {muster:3.17}:lease:a {muster:3.17}:lease:b
spublish {muster:3.17}:0:proxy x
"""
SIDECAR_MAY_NOT = """
zrange {muster}:nodes 0 -1
spublish {muster}:0:broadcast x
mget {muster:3.17}:terminals
ssubscribe {muster:3.17}:0:broadcast
zadd {muster:3.17}:nodes 1 x
set {muster:3.17}:lease:x y
hset {muster:0.1518}:store id x
get {muster:3.17}:epoch
mget {muster:3.17}:command:x
spublish {muster:3.17}:0:broadcast x
spublish {muster:3.17}:0:inbox:x y
ssubscribe {muster:3.17}:0:proxy
eval 'return 1' 0
flushall
config get *
keys *
"""
NOBODY_MAY_NOT = """
ping
get {muster:3.17}:epoch
acl whoami
info
"""


@pytest.mark.takes(seconds=60)
def test_redis_refuses_nothing_to_a_cluster_at_work(project: Project, play: PlayFactory) -> None:
    project.up()
    load = play(100, "--commands", "20", "--churn", "10%/s", "--for", "5s")
    project.api.get("/v1/fleet")
    project.api.get("/v1/terminals?selector=site%3Dbj&limit=5")
    load.judge()
    admin = Client(project, "admin", project.inside("redis", "cat", "/secrets/admin-password").strip())
    assert admin.say("acl log") == []


def test_each_user_may_do_what_its_program_needs_and_nothing_else(project: Project) -> None:
    project.up()
    node = Client(project, "node", project.inside("node", "cat", "/secrets/redis-password").strip())
    sidecar = Client(project, "sidecar", project.inside("proxy", "cat", "/secrets/redis-password").strip())
    assert node.refused(NODE_NEEDS) == []
    assert node.refused(NODE_MAY_NOT) == NODE_MAY_NOT.strip().splitlines()
    assert sidecar.refused(SIDECAR_NEEDS) == []
    assert sidecar.refused(SIDECAR_MAY_NOT) == SIDECAR_MAY_NOT.strip().splitlines()
    # The user of the health check has no password.
    assert Client(project, "health", "").refused("ping\ninfo") == ["info"]


@pytest.mark.long("compose")
def test_redis_does_nothing_for_those_who_are_no_user(project: Project) -> None:
    project.up()
    nobody = Client(project, None, None)
    for command in NOBODY_MAY_NOT.strip().splitlines():
        with pytest.raises(AuthenticationError):
            nobody.say(command)


class Client:
    """One user of the project's Redis."""

    def __init__(self, project: Project, user: str | None, password: str | None) -> None:
        networks = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        self.host = project.inspect(networks, "redis")[0]
        self.user, self.password = user, password

    def say(self, command: str) -> object:
        """Return the answer to one command, given on a connection of its own."""
        # A refusal is not to be tried again.
        once = Retry(NoBackoff(), 0)
        with Redis(self.host, username=self.user, password=self.password, protocol=2, retry=once) as client:
            client.response_callbacks.clear()
            return client.execute_command(*shlex.split(command))

    def refused(self, commands: str) -> list[str]:
        """Return those commands, one in each line, that the user may not give."""
        return [command for command in commands.strip().splitlines() if not self._may(command)]

    def _may(self, command: str) -> bool:
        try:
            self.say(command)
        except AuthenticationError:
            raise
        except NoPermissionError:
            return False
        except ResponseError as error:
            return "The user executing the script can't" not in str(error)
        return True

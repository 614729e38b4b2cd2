"""Secrets are made once and are for their owners alone; Redis lets its users do what they need and nothing else."""

import re
import subprocess

from muster import programs, wait
from muster.cluster.docker import docker
from muster.cluster.project import Project


def test_no_secret_is_where_others_could_read_it(project: Project) -> None:
    project.up()
    texts = {secret.removeprefix("k1=") for secret in secrets(project)}
    assert len(texts) == 5
    for service in ("node", "proxy", "redis"):
        modes = project.inside(service, "sh", "-c", 'stat -c "%a %U" /secrets/*').splitlines()
        assert set(modes) == {"400 muster"}, service
    assert project.inside("proxy", "ls", "/secrets").split() == ["redis-password"], "the proxy has secrets of the nodes"
    assert not found(texts, docker("inspect", *project.ids())), "in a container's configuration"
    assert not found(texts, project.compose("logs")), "in a log"
    for file in (programs.ROOT / "compose").rglob("*"):
        assert not file.is_file() or not found(texts, file.read_text(errors="replace")), file


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


def test_secrets_and_keys_stay_when_all_containers_are_made_anew(project: Project) -> None:
    project.up()
    before = secrets(project)

    project.compose("up", "-d", "--force-recreate")

    wait.until(lambda: project.api.is_ready(project.address()), within=30)
    assert secrets(project) == before
    # The key is the one of before.
    wait.until(project.states, lambda states: states == ["ready"] * 3, within=5)


def secrets(project: Project) -> list[str]:
    """Return the five secrets."""
    files = {"node": ["secret", "redis-password"], "proxy": ["redis-password"], "redis": ["admin-password"]}
    read = [
        project.inside(service, "cat", f"/secrets/{name}").strip() for service, names in files.items() for name in names
    ]
    # A hash is no secret that anyone could use, and none to hand out either.
    users = project.inside("redis", "cat", "/secrets/users.acl")
    return [*read, max(re.findall("#[0-9a-f]+", users))]


def found(texts: set[str], text: str) -> list[str]:
    """Return those of the secrets that a text contains."""
    return [secret for secret in texts if secret in text]

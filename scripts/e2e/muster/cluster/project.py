"""One Compose project: the cluster of compose/compose.yaml as it is shipped, on a free port of loopback."""

import json
import os
import subprocess
from pathlib import Path

from muster import process, programs, wait
from muster.api import Api, Json
from muster.cluster.docker import PROFILES, compose_command, docker, session, works

NODES_FILE = "/var/lib/muster-sidecar/current/nodes.conf"


class Project:
    """Containers, volumes and networks of one project. Its name begins as those of all projects of a run do.

    `tag` is the images'. `overrides` is laid over compose.yaml. `variables` are those of compose/.env, and may be
    changed between two calls of Compose. `api` is there after `up`.
    """

    api: Api

    def __init__(self, directory: Path, tag: str, overrides: Json = None) -> None:
        self.directory = directory
        self.name = f"{session(directory)}-{directory.name}"
        self.port = process.free_port()
        files = "compose/compose.yaml"
        if overrides:
            # JSON is YAML.
            (directory / "overrides.json").write_text(json.dumps(overrides))
            files += f":{directory}/overrides.json"
        self.variables = {
            "COMPOSE_FILE": files,
            "COMPOSE_PROFILES": "",
            "COMPOSE_PROJECT_NAME": self.name,
            "MUSTER_TAG": tag,
            "MUSTER_PORT": self.address(),
            "MUSTER_REPORTS": str(directory),
        }
        self._command = compose_command()

    def address(self) -> str:
        """Return the published address of the proxy."""
        return f"127.0.0.1:{self.port}"

    def command(self, *words: str) -> list[str]:
        """Return a command line of Compose, to be run in `programs.ROOT` with `environment()`."""
        return [*self._command, *words]

    def environment(self) -> dict[str, str]:
        """Return the environment in which Compose works on this project."""
        return {**os.environ, **self.variables}

    def compose(self, *words: str, stdin: Path | None = None) -> str:
        """Run one command of Compose, with a file as its input; return what it printed."""
        with (stdin or Path(os.devnull)).open("rb") as given:
            done = subprocess.run(
                self.command(*words),
                cwd=programs.ROOT,
                env=self.environment(),
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
            )
        printed = done.stdout.decode(errors="replace")
        assert done.returncode == 0, f"compose {' '.join(words)}: {printed[-4000:]}"
        return printed

    def up(self) -> "Project":
        """Start the cluster, all of it healthy, and make an operator's key at the first time."""
        self.compose("up", "-d")
        if not hasattr(self, "api"):
            self.api = Api(self.address, self.inside("node", "muster-node", "key", "--scope", "admin").strip())
        wait.until(lambda: self.api.is_ready(self.address()), within=30)
        return self

    def ids(self, service: str = "") -> list[str]:
        """Return the ids of the containers, of one service or of all, whether they run or not."""
        labels = [f"project={self.name}", *([f"service={service}"] if service else [])]
        return docker("ps", "-aq", *(f"--filter=label=com.docker.compose.{label}" for label in labels)).split()

    def inside(self, service: str, *words: str, stdin: str = "") -> str:
        """Return what a command in one of the service's containers prints."""
        return docker("exec", "-i", self.ids(service)[0], *words, stdin=stdin)

    def save(self, file: Path, service: str, *words: str) -> None:
        """Write what a command in one of the service's containers prints, which need not be text, to a file."""
        with file.open("wb") as out:
            subprocess.run(["docker", "exec", self.ids(service)[0], *words], stdout=out, check=True)

    def inspect(self, template: str, service: str = "") -> list[str]:
        """Return what a template of docker inspect says of each container."""
        return docker("inspect", "-f", template, *self.ids(service)).splitlines()

    def states(self) -> list[str]:
        """Return the state of each node, as the API lists it."""
        return [str(row["state"]) for row in self.api.get("/v1/nodes")["nodes"]]

    def node_ids(self) -> set[str]:
        """Return the ids of the nodes, as the API lists them."""
        return {str(row["id"]) for row in self.api.get("/v1/nodes")["nodes"]}

    def served(self) -> int:
        """Return how many nodes Nginx has in its file."""
        return self.inside("proxy", "cat", NODES_FILE).count("\n  server ")

    def left(self) -> list[str]:
        """Return the ids of the project's containers, volumes and networks."""
        label = f"--filter=label=com.docker.compose.project={self.name}"
        return [
            *self.ids(),
            *docker("volume", "ls", "-q", label).split(),
            *docker("network", "ls", "-q", label).split(),
        ]

    def logs(self) -> None:
        """Write the containers' logs to `directory`."""
        for id_ in self.ids():
            name = docker("inspect", "-f", "{{.Name}}", id_).strip().removeprefix(f"/{self.name}")
            (self.directory / f"{name.strip('_-')}.log").write_text(docker("logs", id_))

    def down(self) -> None:
        """Remove all that belongs to the project, and images of its own. No container ends in its own time."""
        if hasattr(self, "api"):
            self.api.close()
        if running := docker("ps", "-q", f"--filter=label=com.docker.compose.project={self.name}").split():
            works("kill", *running)
        self.variables["COMPOSE_PROFILES"] = PROFILES
        # A container that was just removed may still be on its network for a moment.
        wait.until(self._remove, within=30, every=1)
        own = f"--filter=reference=muster/*:{self.name}*"
        for image in docker("images", "--format", "{{.Repository}}:{{.Tag}}", own).split():
            works("rmi", image)
        assert not self.left()

    def _remove(self) -> bool:
        """Remove the containers, volumes and networks."""
        try:
            self.compose("down", "-v", "--remove-orphans", "-t", "1")
        except AssertionError as error:
            raise wait.NotYet(error) from error
        return True

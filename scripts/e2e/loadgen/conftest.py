"""Fixtures of the generator's tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from muster import programs
from muster.cluster import Cluster
from muster.traffic import loadgen
from muster.traffic.loadgen import Generator, Server


@pytest.fixture
def generator(directory: Path) -> Iterator[Generator]:
    """Runs against servers that are no cluster."""
    made = Generator(directory)
    yield made
    made.end()


@pytest.fixture
def cluster_generator(cluster: Cluster) -> Iterator[Generator]:
    """Runs with the secret and the key of the cluster."""
    made = Generator(cluster.directory, {"MUSTER_SECRET": cluster.secret, "MUSTER_KEY": cluster.api.key})
    yield made
    made.end()


@pytest.fixture
def null_server(directory: Path) -> Iterator[Callable[..., Server]]:
    """A server that does nothing but deliver: `null_server("--fault", "drop:3000")`."""
    made: list[Server] = []

    def start(*flags: str) -> Server:
        made.append(loadgen.null_server(directory, *flags))
        return made[-1]

    yield start
    for server in made:
        server.end()


@pytest.fixture
def cluster_flags(cluster: Cluster) -> list[str]:
    """The flags of a run against the cluster, through its Nginx."""
    return ["--url", cluster.url(), "--api", f"http://{cluster.proxy()}"]


@pytest.fixture
def generator_agents(directory: Path) -> Iterator[list[str]]:
    """The addresses of two agents that a coordinator may use."""
    command = [*programs.PRIORITY, programs.program("muster-loadgen"), "agent", "--listen", "127.0.0.1:0"]
    made = [Server(directory, f"agent{number}", command) for number in (1, 2)]
    yield [agent.address for agent in made]
    for agent in made:
        agent.end()

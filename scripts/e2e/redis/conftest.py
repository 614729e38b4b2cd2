"""Redis as several servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from muster.cluster.redis_topology import ClusterMode, RedisServers, Sentinels


@pytest.fixture(params=[Sentinels, ClusterMode], ids=["sentinel", "cluster"])
def servers(request: pytest.FixtureRequest, directory: Path) -> Iterator[RedisServers]:
    """Redis servers with a master that can be killed: each test runs behind Sentinels, and on a Redis Cluster."""
    made: RedisServers = request.param(directory)
    yield made
    made.end()


@pytest.fixture
def redis_url(servers: RedisServers) -> str:
    """The URL by which the cluster's nodes reach these servers."""
    return servers.url

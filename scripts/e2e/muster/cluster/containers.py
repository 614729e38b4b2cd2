"""A cluster of containers, as compose/compose.yaml makes it."""

from pathlib import Path

from muster.cluster.base import Cluster, Settings


class ContainerCluster(Cluster):
    """Containers of one Compose project."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        raise NotImplementedError

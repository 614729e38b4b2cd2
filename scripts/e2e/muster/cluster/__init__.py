"""The cluster under test, of processes or of containers."""

from muster.cluster.base import Cluster, Settings
from muster.cluster.containers import ContainerCluster
from muster.cluster.processes import ProcessCluster

__all__ = ["Cluster", "ContainerCluster", "ProcessCluster", "Settings"]

"""Which kind of cluster a trial is made on."""

import sys

from .compose import Compose
from .native import Native


def begin(given, nodes=3, processes_only=None, **wants):
    """The cluster that was asked for, up; `wants` as `Native` takes them. `processes_only`: why it can't be one of containers."""
    if not given.compose:
        return Native(nodes, **wants)
    if wants.get("lines"):
        processes_only = "between its nodes and Redis are lines that can be made bad"
    if processes_only:
        id = sys.modules["__main__"].__doc__.split()[0]
        print(f"{id} is tried on processes only: {processes_only}; leave out --compose", flush=True)
        sys.exit(2)
    return Compose(nodes, **wants)

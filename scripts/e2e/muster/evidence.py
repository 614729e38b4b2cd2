"""What a failed test leaves besides logs: the events of its cluster, as an operator would have seen them."""

import json
import time

from muster.api import Events, Unanswered
from muster.cluster import Cluster

# An events' id that lies before all others: the position of a stream without events.
BEGINNING = "0-0"
# Seconds without a new event after which the stream is taken to be at its end, and seconds that reading may take.
QUIET, PATIENCE = 1.5, 30


def write_events(cluster: Cluster) -> None:
    """Write `events.jsonl` to the cluster's folder, with all events that are still stored.

    The first node that answers is asked. If none does, the file says so.
    """
    seen: list[tuple[str, object]] = [("none", "no node answered")]
    for number in range(1, cluster.nodes + 1):
        try:
            # A node that hangs must not hold up the rest.
            cluster.api.ask("GET", "/livez", at=cluster.node(number), timeout=2)
            seen = list(_read(Events(cluster.api, cluster.node(number), after=BEGINNING)))
            break
        except (Unanswered, OSError):
            continue
    lines = [json.dumps({"event": kind, "data": data}) for kind, data in seen]
    (cluster.directory / "events.jsonl").write_text("\n".join([*lines, ""]))


def _read(events: Events) -> list[tuple[str, object]]:
    began = changed = time.monotonic()
    count = 0
    while time.monotonic() - changed < QUIET and time.monotonic() - began < PATIENCE:
        time.sleep(0.1)
        if len(events.seen) > count:
            count, changed = len(events.seen), time.monotonic()
    events.close()
    return list(events.seen)

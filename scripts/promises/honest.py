"""Nothing is claimed that nobody confirmed (P2): mute and frozen terminals never pass `sent`
"""

import signal as signals
from lib.cluster import *

given = arguments(terminals=(300, 2000), mute=(7, 37))
agents = Agents(given.terminals, "--mute", str(given.mute), "--results").online()
command = post({"target": {"all": True}, "name": "work", "confirm": "result", "expires_in": "5s"})
path = f"/v1/commands/{command['id']}"
view = until("the broadcast is done", lambda: (view := get(path))["state"] == "done" and view)
mute = {f"agent-{number}" for number in range(given.mute)}
sent = {row["terminal"] for row in pages(path + "/targets?state=sent", "targets")}
check(f"of {given.terminals} terminals exactly the {given.mute} mute ones are in `sent`", sent == mute, len(sent))
check("all others succeeded", view["counts"].get("succeeded", 0) == given.terminals - given.mute, view["counts"])

frozen = Agents(1, "--prefix", "frozen-", name="frozen").online(given.terminals + 1)
frozen.process.send_signal(signals.SIGSTOP)
command = post({"target": {"terminal": "frozen-0"}, "name": "work", "expires_in": "4s"})
path = f"/v1/commands/{command['id']}"
states = set()


def is_done():
    states.add(pages(path + "/targets", "targets")[0]["state"])
    return get(path)["state"] == "done"


until("its command is done", is_done)
check("a terminal stopped with SIGSTOP never passes `sent`", states <= {"queued", "sent"} and "sent" in states, sorted(states))
finish(given)

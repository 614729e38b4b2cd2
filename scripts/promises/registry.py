"""The registry asks no other node: it answers while one hangs; what can't be done is refused with what to do
"""

import signal as signals
from lib.cluster import *

given = arguments(terminals=(200, 2000))
agents = Agents(given.terminals, "--label", "site=bj").online()
signal("node3", signals.SIGSTOP)
times = []
for _ in range(21):
    began = time.monotonic()
    page = get("/v1/terminals?selector=site=bj&status=online&limit=100", node(1))
    times.append(1000 * (time.monotonic() - began))
    assert len(page["terminals"]) == 100, len(page["terminals"])
times.sort()
check("with one of three nodes stopped a page of 100 terminals by their label takes less than 50 ms", times[10] < 50, f"{times[10]:.1f} ms in the middle of 21, {times[-1]:.1f} ms at most")
signal("node3", signals.SIGCONT)

agents.end()
until("all are offline", lambda: get("/v1/fleet")["online"] == 0)
for what, status, body in [
    ("an unknown terminal", 404, {"target": {"terminal": "nobody"}, "name": "x"}),
    ("an offline one and skip", 409, {"target": {"terminal": "agent-0"}, "name": "x", "offline": "skip"}),
    ("a selector of no kind", 400, {"target": {"site": "bj"}, "name": "x"}),
    ("a stagger longer than the expiry", 400, {"target": {"all": True}, "name": "x", "stagger": "2m"}),
    ("a rate of nothing", 400, {"target": {"all": True}, "name": "x", "rate": 0}),
]:
    answered, problem = ask("POST", "/v1/commands", body)
    good = answered == status and isinstance(problem, dict) and problem.get("detail")
    check(f"{what} is {status}", good, problem["detail"] if good else (answered, problem))
finish(given)

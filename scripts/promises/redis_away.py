"""Redis may fail (P8): sessions stay, what can't be stored is refused at once, and all is whole within 5 s of its return
"""

from lib.cluster import *

given = arguments(terminals=(200, 2000), seconds=(8, 60))
urls = ",".join(f"ws://{node(n)}/ws" for n in (1, 2, 3))
agents = Agents(given.terminals, url=urls).online()
near = next(row["id"] for row in pages("/v1/terminals", "terminals") if row["node"] == next(n["id"] for n in get("/v1/nodes")["nodes"] if n["address"] == node(1)))
do("kill", "redis")
time.sleep(2)
began = time.monotonic()
status, problem = ask("POST", "/v1/commands", {"target": {"all": True}, "name": "x"}, at=node(1))
took = time.monotonic() - began
check("a command is refused at once with 503 and a reason", status == 503 and took < 0.5, f"{1000 * took:.0f} ms, {problem['detail']}")
status, problem = ask("GET", "/readyz", at=node(1))
check("/readyz says why", status == 503, problem["detail"])
status, answer = ask("POST", "/v1/commands", {"target": {"terminal": near}, "name": "now", "payload": "direct", "confirm": "none"}, at=node(1))
check("a terminal of this node gets what needs no confirmation, and the answer says that it is not stored", status == 202 and answer.get("stored") is False, answer)
until("it has run it", lambda: any(line["payload"] == "direct" for line in agents.lines("run")))
newcomer = Agents(1, "--prefix", "newcomer-", url=f"ws://{node(2)}/ws", name="newcomer")
until("a new terminal is let in", lambda: newcomer.lines("online"), 10)
time.sleep(given.seconds)
check(f"{given.seconds + 2} s without Redis: nobody was disconnected", not agents.lines("offline"), len(agents.lines("offline")))
do("start", "redis")
began = time.monotonic()
until("the registry is whole", lambda: get("/v1/fleet", node(1))["online"] == given.terminals + 1, 20)
sent = post({"target": {"all": True}, "name": "x"}, at=node(1))["id"]
everyone = lambda: len({line["terminal"] for line in agents.lines("run") + newcomer.lines("run") if line.get("command") == sent})
until("everyone has run the next", lambda: everyone() == given.terminals + 1, 20)
took = time.monotonic() - began
check("all is whole within 5 s of its return", took < 5, f"{took:.1f} s")
finish(given)

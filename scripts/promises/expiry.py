"""Nothing is run late (P2): what expired while its terminal was away is not run, and said so
"""

from lib.cluster import *

given = arguments(commands=(20, 200), expires=(2, 2))
agents = Agents(1).online()
agents.end()
until("it is offline", lambda: get("/v1/terminals/agent-0")["status"] == "offline")
body = {"target": {"terminal": "agent-0"}, "name": "late", "expires_in": f"{given.expires}s"}
commands = [post(body)["id"] for _ in range(given.commands)]
check("all are queued for the offline terminal", all(get(f"/v1/commands/{id}")["counts"]["queued"] == 1 for id in commands), len(commands))
time.sleep(given.expires + 3)
agents = Agents(1, name="again").online()
last = post({"target": {"terminal": "agent-0"}, "name": "new"})["id"]
until("the terminal runs what is new", lambda: any(line["command"] == last for line in agents.lines("run")))
late = [line for line in agents.lines("run") if line["command"] in commands]
check(f"of {given.commands} that expired after {given.expires} s, seen again after {given.expires + 3} s, none was run", not late, len(late))
expired = sum(get(f"/v1/commands/{id}")["counts"].get("expired", 0) for id in commands)
check("all of them are `expired`", expired == given.commands, expired)
finish(given)

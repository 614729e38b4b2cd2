"""One owner (P4): a node that was stopped and wakes up delivers nothing; two clients with one id are slowed down
"""

import collections, re
import signal as signals
from lib.cluster import *

given = arguments(terminals=(60, 600), seconds=(10, 15))
urls = ",".join(f"ws://{node(n)}/ws" for n in (1, 2, 3))
agents = Agents(given.terminals, "--first", "500ms", url=urls).online()
delivered = lambda: int(re.search(r"muster_delivered_total (\d+)", ask("GET", "/metrics", at=node(1))[1])[1])
post({"target": {"all": True}, "name": "tick"}, at=node(2))
until("everyone has the first", lambda: len(agents.lines("run")) == given.terminals)
before = delivered()
signal("node1", signals.SIGSTOP)
began, sent = time.monotonic(), []
while time.monotonic() - began < given.seconds:
    sent.append(post({"target": {"all": True}, "name": "tick", "expires_in": "5m"}, at=node(2))["id"])
    time.sleep(0.1)
on_others = lambda: sum(row["sessions"] for row in get("/v1/nodes", node(2))["nodes"] if row["address"] != node(1))
until("its terminals went elsewhere", lambda: on_others() == given.terminals, 20)
signal("node1", signals.SIGCONT)
until("it is ready again", lambda: ask("GET", "/readyz", at=node(1))[0] == 200)
for _ in range(20):
    sent.append(post({"target": {"all": True}, "name": "tick"}, at=node(2))["id"])
    time.sleep(0.05)


def runs():
    return collections.Counter((line["terminal"], line["command"]) for line in agents.lines("run") if line["command"] in sent)


until("everyone has run all", lambda: len(runs()) == given.terminals * len(sent), 20)
check(f"a node stopped for {given.seconds} s delivered nothing when it woke", delivered() == before, delivered() - before)
check(f"{len(sent)} broadcasts meanwhile: each run once by each of {given.terminals}", set(runs().values()) == {1})
agents.end()

# Two that use one id and come back without end, as other people's clients do: plain ones, which obey no close code.
import base64, socket, threading

stop = time.monotonic() + given.seconds
joins = [0]


def come_back(address):
    token = subprocess.run([f"{BIN}/muster-node", "token", "--terminal", "twin"], capture_output=True, text=True).stdout.strip()
    host, port = address.split(":")
    while time.monotonic() < stop:
        with socket.create_connection((host, int(port))) as stream:
            key = base64.b64encode(os.urandom(16)).decode()
            stream.sendall(
                f"GET /ws?terminal_id=twin HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
            )
            joins[0] += 1
            stream.settimeout(max(0.1, stop - time.monotonic()))
            try:
                while stream.recv(4096):
                    pass
            except OSError:
                pass


events = Events(node(2))
twins = [threading.Thread(target=come_back, args=(node(n),)) for n in (2, 3)]
for twin in twins:
    twin.start()
for twin in twins:
    twin.join()
check("two clients with one id are slowed down", joins[0] < 5 * given.seconds, f"{joins[0]} sessions in {given.seconds} s")
check("and an event tells of them", len(events.of("terminal.contested")) >= 1)
finish(given)

# Kills the master of a set of Redis servers under load: first as it is, then after its replicas were cut off, so that what they are
# promoted with is not all. Judges by the logs of operators and terminals. Started by the scripts beside this folder:
#   failover.py KIND [--scale small|full] [--seed N] [--replicas N]

import glob, subprocess, sys, threading, time, random
from lib.cluster import *

JUDGE = [sys.executable, "scripts/promises/lib/judge.py"]
POSTERS = 4
# Well above what a node waits for an answer that does not come, and until it looks again.
BACK = 5
# What is accepted meanwhile is on the master alone.
CUT = 0.5


def options():
    """What every such script has, and --replicas."""
    replicas = 1
    if "--replicas" in sys.argv:
        place = sys.argv.index("--replicas")
        replicas = int(sys.argv[place + 1])
        del sys.argv[place : place + 2]
    given = arguments(terminals=(60, 1000), commands=(1200, 9600), pace=(60, 120), rounds=(2, 4))
    given.replicas = replicas
    return given


class Servers:
    """Redis, as redis-cli sees it: nobody asks the nodes where the master is."""

    names = sorted(path.split("/")[-1][:-5] for path in glob.glob(f"{DIR}/redis[0-9].port"))

    def ask(self, server, *words):
        command = ["redis-cli", "-p", read(f"{server}.port"), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout

    def role(self, server):
        return self.ask(server, "ROLE").split("\n")[0]

    def master(self):
        """Who answers for Muster's names as their master; none for as long as nobody does."""
        for server in self.names:
            if self.role(server) == "master" and self.ask(server, "EXISTS", "{muster}:epoch").strip() == "1":
                return server

    def cut_off(self):
        """From now on nobody gets what the master writes."""
        for server in self.names:
            self.ask(server, "CONFIG", "SET", "masteruser", "nobody", "masterauth", "wrong")
        self.ask(self.master(), "CLIENT", "KILL", "TYPE", "replica")

    def join(self):
        for server in self.names:
            self.ask(server, "CONFIG", "SET", "masteruser", "", "masterauth", "")

    def restart(self, server):
        script = f"dir={DIR}; source scripts/lib/cluster; source scripts/redis/lib/servers; restart {server}"
        subprocess.run(["bash", "-c", script], check=True)


class Operators:
    """Each posts one command after the other, each again under its own key until it is accepted."""

    def __init__(self, ids):
        self.ids, self.rows, self.refused, self.asked = ids, [[] for _ in range(POSTERS)], {}, {}
        self.threads = [threading.Thread(target=self.post, args=(number,)) for number in range(POSTERS)]
        for thread in self.threads:
            thread.start()

    def post(self, poster):
        chance = random.Random(f"{given.seed} {poster}")
        own = [id for number, id in enumerate(self.ids) if number % POSTERS == poster]
        for number in range(given.commands // POSTERS):
            to_all = poster == 0 and number % 10 == 0
            targets = self.ids if to_all else [chance.choice(own)]
            key = f"{given.seed}-{poster}-{number}"
            self.asked[key] = set(targets)
            time.sleep(POSTERS / given.pace)
            body = {"target": {"all": True} if to_all else {"terminal": targets[0]}, "name": "work", "payload": key, "expires_in": "1h"}
            command = self.accepted(body, {"Idempotency-Key": key})
            self.rows[poster].append({"command": command, "targets": targets, "stream": "all" if to_all else targets[0]})

    def accepted(self, body, key):
        while True:
            try:
                status, answer = ask("POST", "/v1/commands", body, headers=key)
            except Unanswered as error:
                status, answer = None, None
            if status == 202:
                return answer["id"]
            if status not in (None, 502, 503, 504):
                fail(f"{body}: {status} {answer}")
            why = answer["detail"] if isinstance(answer, dict) else "no answer"
            self.refused[why] = self.refused.get(why, 0) + 1
            time.sleep(0.1)

    def done(self):
        return sum(map(len, self.rows))

    def accepted_rows(self):
        return [row for rows in self.rows for row in rows]


def ready(number):
    try:
        return ask("GET", "/readyz", at=node(number))[0] == 200
    except Unanswered:
        return False


def fail_over(cut):
    """Kills the master: how long until there is another, and from then until all nodes are ready."""
    old = servers.master()
    if cut:
        servers.cut_off()
        time.sleep(CUT)
    do("kill", old)
    began = time.monotonic()
    until("another is the master", lambda: servers.master() not in (None, old), 30)
    promoted = time.monotonic()
    servers.join()
    until("all nodes are ready", lambda: all(ready(number) for number in (1, 2, 3)), 30)
    back = time.monotonic() - promoted
    print(f"      {old} killed{', its replicas cut off before' if cut else ''}; {promoted - began:.1f} s until {servers.master()} is the master", flush=True)
    check(f"all nodes are ready within {BACK} s of that", back < BACK, f"{back:.1f} s")
    servers.restart(old)
    until(f"{old} is a replica", lambda: servers.role(old) == "slave", 30)


def states(rows):
    """What became of the targets of each, and how many commands are not known any more."""
    told, unknown = [], 0
    for row in rows:
        status, _ = ask("GET", f"/v1/commands/{row['command']}")
        targets = [] if status == 404 else pages(f"/v1/commands/{row['command']}/targets", "targets")
        unknown += status == 404
        told += [{"command": row["command"], "terminal": target["terminal"], "state": target["state"]} for target in targets]
    return told, unknown


def all_done(rows):
    undone = {row["command"] for row in rows}

    def look():
        for command in list(undone):
            status, answer = ask("GET", f"/v1/commands/{command}")
            if status == 404 or (status == 200 and answer["state"] == "done"):
                undone.discard(command)
        return not undone

    return look


def of_accepted(ran, rows):
    """Without the runs of what was refused as stored on too few servers, and lost with them: those may have been, and are counted."""
    known = {row["command"] for row in rows}
    refused = [line for line in ran if line["what"] == "run" and line["command"] not in known]
    check("nobody ran what nobody asked of it", all(line["terminal"] in operators.asked.get(line["payload"], ()) for line in refused))
    print(f"      {len(refused)} runs of commands that were refused, and lost with a master")
    return [line for line in ran if line not in refused]


def judged(rows, told):
    paths = []
    for name, lines in [("accepted", rows), ("ran", of_accepted(agents.lines(), rows)), ("states", told)]:
        paths.append(f"{DIR}/{name}.jsonl")
        with open(paths[-1], "w") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
    return subprocess.run(JUDGE + paths).returncode == 0


sys.argv.pop(1)
given, servers = options(), Servers()
agents = Agents(given.terminals, url=",".join(f"ws://{node(n)}/ws" for n in (1, 2, 3))).online()
operators = Operators(sorted(row["id"] for row in pages("/v1/terminals", "terminals")))
for number in range(given.rounds):
    until("they are under way", lambda: operators.done() > given.commands * (number + 0.5) / (given.rounds + 1), 300)
    fail_over(cut=number % 2 == 1)
for thread in operators.threads:
    thread.join()
rows = operators.accepted_rows()
until("all commands are done", all_done(rows), 60)
told, unknown = states(rows)
whole = judged(rows, told)
for why, count in operators.refused.items():
    print(f"      refused {count} times, and asked again: {why}")
warned = {line["terminal"] for line in agents.lines("gap")}
check("no terminal was disconnected", not agents.lines("offline"), len(agents.lines("offline")))
check("each terminal was told of a gap", len(warned) == given.terminals, f"{len(warned)} of {given.terminals}")
if given.replicas:
    check(f"{len(rows)} commands accepted with a replica: none lost, none twice, in order", whole)
else:
    check(f"{len(rows)} commands accepted without a replica: what is lost is not known any more", unknown > 0, f"{unknown} lost")
finish(given)

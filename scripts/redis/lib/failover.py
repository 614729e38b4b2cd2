# Kills the master of a set of Redis servers under load, and judges by the logs of operators and terminals. Started by the scripts
# beside this folder:  failover.py sentinel|cluster [--scale small|full] [--seed N] [--replicas N]

import glob, os, random, subprocess, sys, threading, time
from lib.cluster import *

KIND = sys.argv.pop(1)
JUDGE = [sys.executable, "scripts/promises/lib/judge.py"]
POSTERS = 4
# Well above what an election takes, and what a node waits for an answer that does not come.
BACK = 5


def options():
    """--replicas is ours; the rest is what every such script has."""
    replicas = 1
    if "--replicas" in sys.argv:
        place = sys.argv.index("--replicas")
        replicas = int(sys.argv[place + 1])
        del sys.argv[place : place + 2]
    given = arguments(terminals=(60, 1000), commands=(800, 8000), pace=(60, 120), rounds=(1, 3))
    given.replicas = replicas
    return given


def servers():
    return sorted(os.path.basename(path)[:-5] for path in glob.glob(f"{DIR}/redis[0-9].port"))


def asked(server, *words):
    command = ["redis-cli", "-p", read(f"{server}.port"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout


def master():
    """The server that answers for Muster's names as their master; none for as long as nobody does."""
    for server in servers():
        role = asked(server, "ROLE").split("\n")[0]
        if role == "master" and asked(server, "EXISTS", "{muster}:epoch").strip() == "1":
            return server


def ready(number):
    try:
        return ask("GET", "/readyz", at=node(number))[0] == 200
    except Unanswered:
        return False


def post(poster, ids, rows, refused):
    """One operator: each command again and again, under its own key, until it is accepted."""
    chance = random.Random(f"{given.seed} {poster}")
    own = [id for number, id in enumerate(ids) if number % POSTERS == poster]
    for number in range(given.commands // POSTERS):
        to_all = poster == 0 and number % 10 == 0
        targets = ids if to_all else [chance.choice(own)]
        body = {"target": {"all": True} if to_all else {"terminal": targets[0]}, "name": "work", "payload": number, "expires_in": "1h"}
        time.sleep(POSTERS / given.pace)
        command = accepted(body, {"Idempotency-Key": f"{given.seed}-{poster}-{number}"}, refused)
        rows.append({"command": command, "targets": targets, "stream": "all" if to_all else targets[0], "at": time.time()})


def accepted(body, key, refused):
    while True:
        try:
            status, answer = ask("POST", "/v1/commands", body, headers=key)
        except Unanswered as error:
            status, answer = None, {"detail": str(error)}
        if status == 202:
            return answer["id"]
        if status not in (None, 502, 503, 504):
            fail(f"{body}: {status} {answer}")
        detail = answer["detail"] if isinstance(answer, dict) else "no answer from the node"
        refused[detail] = refused.get(detail, 0) + 1
        time.sleep(0.1)


def fail_over():
    """Kills the master: how long until there is another, and from then until all nodes are ready."""
    old = master()
    do("kill", old)
    began = time.monotonic()
    until("another is the master", lambda: master() not in (None, old), 30)
    promoted = time.monotonic()
    until("all nodes are ready", lambda: all(ready(number) for number in (1, 2, 3)), 30)
    back = time.monotonic()
    print(f"      {old} killed; {master()} is the master after {promoted - began:.1f} s, all nodes ready {back - promoted:.1f} s later", flush=True)
    check(f"all nodes are ready within {BACK} s of the promotion", back - promoted < BACK, f"{back - promoted:.1f} s")
    subprocess.run(["bash", "-c", f"dir={DIR}; source scripts/lib/cluster; source scripts/redis/lib/servers; restart {old}"], check=True)
    until(f"{old} is a replica", lambda: "slave" in asked(old, "ROLE").split("\n")[0], 30)


def judged(rows, agents):
    """What became of each accepted command, by the three logs."""
    states, unknown = [], 0
    for row in rows:
        try:
            targets = pages(f"/v1/commands/{row['command']}/targets", "targets")
        except Unanswered:
            targets, unknown = [], unknown + 1
        states += [{"command": row["command"], "terminal": target["terminal"], "state": target["state"]} for target in targets]
    paths = []
    for name, lines in [("accepted", rows), ("ran", agents.lines()), ("states", states)]:
        paths.append(f"{DIR}/{name}.jsonl")
        with open(paths[-1], "w") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
    return subprocess.run(JUDGE + paths).returncode == 0, unknown


def all_done(rows):
    undone = {row["command"] for row in rows}

    def look():
        for command in list(undone):
            status, answer = ask("GET", f"/v1/commands/{command}")
            if status == 404 or (status == 200 and answer["state"] == "done"):
                undone.discard(command)
        return not undone

    return look


given = options()
urls = ",".join(f"ws://{node(n)}/ws" for n in (1, 2, 3))
agents = Agents(given.terminals, url=urls).online()
ids = sorted(row["id"] for row in pages("/v1/terminals", "terminals"))
rows, refused = [[] for _ in range(POSTERS)], {}
posters = [threading.Thread(target=post, args=(n, ids, rows[n], refused)) for n in range(POSTERS)]
for poster in posters:
    poster.start()
for number in range(given.rounds):
    while sum(map(len, rows)) < given.commands * (number + 1) / (given.rounds + 2):
        time.sleep(0.01)
    fail_over()
for poster in posters:
    poster.join()
rows = [row for poster in rows for row in poster]
try:
    until("all commands are done", all_done(rows), 60)
finally:
    whole, unknown = judged(rows, agents)
for detail, count in refused.items():
    print(f"      refused {count} times, and asked again: {detail}")
print(f"      {len(agents.lines('gap'))} gaps told, {len(agents.lines('repeated'))} commands came twice to terminals, which recognized them")
check("no terminal was disconnected", not agents.lines("offline"), len(agents.lines("offline")))
if given.replicas:
    check(f"{len(rows)} commands to {given.terminals} terminals: none lost, none twice, in order", whole)
else:
    print(f"      {unknown} of {len(rows)} accepted commands were lost with the master: --replicas 0 promises nothing here")


finish(given)

"""What was accepted is run once and in order (P1, P2, P3), while connections, a node and Redis are killed
"""

import json, subprocess, sys, threading, time, random
from lib.cluster import *

given = arguments(terminals=(100, 1000), commands=(1000, 10000), cuts=(4, 20), pace=(60, 120))
POSTERS = 4
JUDGE = [sys.executable, "scripts/promises/lib/judge.py"]


def accepted_by(poster, ids, commands, seed, rows):
    """One operator: posts one after the other, each until it is accepted; its key makes a repetition harmless."""
    chance = random.Random(f"{seed} {poster}")
    own = [id for number, id in enumerate(ids) if number % POSTERS == poster]
    for number in range(commands // POSTERS):
        to_all = poster == 0 and number % 10 == 0
        targets = ids if to_all else [chance.choice(own)]
        target = {"all": True} if to_all else {"terminal": targets[0]}
        body = {"target": target, "name": "work", "payload": number, "expires_in": "1h"}
        key = {"Idempotency-Key": f"{seed}-{poster}-{number}"}
        # At a pace, so that there is always something under way when a fault strikes.
        time.sleep(POSTERS / given.pace)
        command = accepted(body, key)
        rows.append({"command": command, "targets": targets, "stream": "all" if to_all else targets[0], "at": time.time()})


def accepted(body, key):
    """Asks until there is an answer; while the store is away that is 503."""
    while True:
        try:
            status, answer = ask("POST", "/v1/commands", body, headers=key)
        except Unanswered:
            status = None
        if status == 202:
            return answer["id"]
        if status not in (None, 502, 503, 504):
            fail(f"{body}: {status} {answer}")
        time.sleep(0.1)


def run(agents, commands, seed, faults):
    """Posts under faults, waits until all is done: the three logs."""
    ids = sorted(row["id"] for row in pages("/v1/terminals", "terminals"))
    rows = [[] for _ in range(POSTERS)]
    posters = [threading.Thread(target=accepted_by, args=(n, ids, commands, seed, rows[n])) for n in range(POSTERS)]
    for poster in posters:
        poster.start()
    faults(lambda: sum(map(len, rows)))
    for poster in posters:
        poster.join()
    accepted = [row for poster in rows for row in poster]
    undone = {row["command"] for row in accepted}

    def all_done():
        for command in list(undone):
            if get(f"/v1/commands/{command}")["state"] == "done":
                undone.discard(command)
        return not undone

    until_or_go_on(all_done, 90)
    states = []
    for row in accepted:
        for target in pages(f"/v1/commands/{row['command']}/targets", "targets"):
            states.append({"command": row["command"], "terminal": target["terminal"], "state": target["state"]})
    paths = []
    for name, lines in [("accepted", accepted), ("ran", agents.lines()), ("states", states)]:
        paths.append(f"{DIR}/{name}.jsonl")
        with open(paths[-1], "w") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
    return paths


def until_or_go_on(holds, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if holds():
                return
        except Unanswered:
            pass
        time.sleep(0.2)


def faults(done):
    """At even shares of the work: the pub/sub connections cut, and once each a node and Redis killed with -9."""
    steps = ["cut"] * given.cuts
    steps.insert(len(steps) // 3, "node2")
    steps.insert(2 * len(steps) // 3, "redis")
    for number, step in enumerate(steps):
        while done() < given.commands * (number + 1) / (len(steps) + 1):
            time.sleep(0.01)
        if step == "cut":
            redis("CLIENT", "KILL", "TYPE", "pubsub")
        else:
            do("kill", step)
            time.sleep(2)
            do("start", step)
        print(f"      {done()} accepted: {'pub/sub connections cut' if step == 'cut' else step + ' killed and started'}", flush=True)


agents = Agents(given.terminals).online()
paths = run(agents, given.commands, given.seed, faults)
check(
    f"{given.commands} commands to {given.terminals} terminals under {given.cuts + 2} faults: none lost, none twice, in order",
    subprocess.run(JUDGE + paths).returncode == 0,
)
agents.end()

# The judge must be able to say no: terminals with a bug, and nothing else wrong.
for number, bug in enumerate(["drop", "repeat", "swap"]):
    agents = Agents(20, "--prefix", f"{bug}-", "--bug", bug, name=bug)
    until("the agents with a bug are online", lambda: len(pages(f"/v1/terminals?status=online&prefix={bug}-", "terminals")) == 20)
    for row in pages("/v1/terminals?status=offline", "terminals"):
        ask("DELETE", f"/v1/terminals/{row['id']}")
    until("only they are known", lambda: len(pages("/v1/terminals", "terminals")) == 20)
    paths = run(agents, 400, given.seed + 1 + number, lambda done: None)
    check(f"a planted bug is found: {bug} one in 200", subprocess.run(JUDGE + paths).returncode == 10)
    agents.end()
    until("they are gone", lambda: get("/v1/fleet")["online"] == 0)
finish(given)

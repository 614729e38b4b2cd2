"""Kills the master of a set of Redis servers under load: first as it is, then after its replicas were cut off, so that what they are
promoted with is not all. A judge holds what was accepted against what was run.
"""

# Started by the scripts beside this folder, with the cluster up:  failover.py KIND [--scale small|full] [--seed N] [--replicas N]

import argparse, glob, subprocess, sys, time
from trial import *
from trial.cluster import DIR, read
from trial.native import Native

# Well above what a node waits for an answer that does not come, and until it looks again.
BACK = 5
# What is accepted meanwhile is on the master alone.
CUT = 0.5


def own_arguments():
    """What only this script has."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("kind")
    parser.add_argument("--replicas", type=int, default=1)
    own, sys.argv[1:] = parser.parse_known_args()
    return own


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


def fail_over(cut):
    """Kills the master: how long until there is another, and from then until all nodes are ready."""
    old = servers.master()
    if cut:
        servers.cut_off()
        time.sleep(CUT)
    cluster.kill(old)
    began = time.monotonic()
    until("another is the master", lambda: servers.master() not in (None, old), 30)
    promoted = time.monotonic()
    servers.join()
    until("all nodes are ready", lambda: all(cluster.ready(cluster.node(number)) for number in (1, 2, 3)), 30)
    back = time.monotonic() - promoted
    print(f"      {old} killed{', its replicas cut off before' if cut else ''}; {promoted - began:.1f} s until {servers.master()} is the master", flush=True)
    check(f"all nodes are ready within {BACK} s of that", back < BACK, f"{back:.1f} s")
    servers.restart(old)
    until(f"{old} is a replica", lambda: servers.role(old) == "slave", 30)


def all_done(rows):
    """Whether of each command all is done, or nothing is known any more."""
    undone = {row["command"] for row in rows}

    def look():
        for command in list(undone):
            status, answer = cluster.ask("GET", f"/v1/commands/{command}")
            if status == 404 or (status == 200 and answer["state"] == "done"):
                undone.discard(command)
        return not undone

    return look


def of_refused(rows):
    """Commands that were run and not accepted: stored on too few servers, which the operator was told, and lost with them."""
    known = {row["command"] for row in rows}
    runs = [line for line in agents.lines("run") if line["command"] not in known]
    check("nobody ran what nobody asked of it", all(line["terminal"] in load.asked.get(line["payload"], ()) for line in runs))
    print(f"      {len(runs)} runs of commands that were refused, and lost with a master")
    return {line["command"] for line in runs}


own = own_arguments()
again = f"scripts/redis/{own.kind} --replicas {own.replicas}"
given = arguments(again, terminals=(60, 1000), commands=(1200, 9600), pace=(60, 120), rounds=(2, 4))
cluster, servers = Native(3, up=False), Servers()
agents = Agents(cluster, given.terminals, url=cluster.url(1, 2, 3)).online()
load = Load(cluster, agents, given.seed, given.commands, given.pace)
for number in range(given.rounds):
    load.reach((number + 0.5) / (given.rounds + 1))
    fail_over(cut=number % 2 == 1)
rows = load.accepted()
until("all commands are done", all_done(rows))
unknown = sum(cluster.ask("GET", f"/v1/commands/{row['command']}")[0] == 404 for row in rows)
for why, count in load.refused.items():
    print(f"      refused {count} times, and asked again: {why}")
warned = {line["terminal"] for line in agents.lines("gap")}
check("no terminal was disconnected", not agents.lines("offline"), len(agents.lines("offline")))
check("each terminal was told of a gap", len(warned) == given.terminals, f"{len(warned)} of {given.terminals}")
if own.replicas:
    refused = of_refused(rows)
    check(f"{len(rows)} commands accepted with a replica: none lost, none twice, in order", *load.judged(refused))
else:
    check(f"{len(rows)} commands accepted without a replica: what is lost is not known any more", unknown > 0, f"{unknown} lost")
finish()

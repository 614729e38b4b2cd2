"""What happens to a cluster in the field, by the ids of the fault list: each strikes, lasts for a moment, and is over.

F5 (a store that is emptied) is not among them: what FLUSHALL takes, nobody can bring back, and P1's script shows that everyone is told.
"""

import random, time

from .checks import until


class Faults:
    """`way` is the line by which the terminals reach Nginx; the cluster has lines to Redis. `lasting`: about how long, in seconds."""

    def __init__(self, cluster, way, seed, lasting):
        self.cluster, self.way, self.lasting, self.chance = cluster, way, lasting, random.Random(f"{seed} faults")
        self.names = sorted(name for name in dir(self) if name[0] == "F")

    def strike(self):
        """One of them: its id and what it was."""
        name = self.chance.choice(self.names)
        getattr(self, name)()
        return f"{name}: {getattr(self, name).__doc__}"

    def node(self):
        return self.chance.randint(1, self.cluster.nodes)

    def moment(self):
        time.sleep(self.lasting * self.chance.uniform(0.5, 1))

    def F1(self):
        """a node is killed"""
        name = f"node{self.node()}"
        self.cluster.kill(name)
        self.moment()
        self.cluster.start(name)

    def F2(self):
        """a node is restarted"""
        name = f"node{self.node()}"
        self.cluster.term(name)
        until(f"{name} has ended", lambda: not self.cluster.runs(name))
        self.cluster.start(name)

    def F3(self):
        """a node is stopped, and goes on"""
        name = f"node{self.node()}"
        self.cluster.stop(name)
        self.moment()
        self.cluster.cont(name)

    def F4(self):
        """Redis is killed"""
        self.cluster.kill("redis")
        self.moment()
        self.cluster.start("redis")

    def F6(self):
        """the subscriptions are cut"""
        self.cluster.redis("CLIENT", "KILL", "TYPE", "pubsub")

    def F7(self):
        """Redis is 200 ms late"""
        for line in self.cluster.lines.values():
            line.delay(200, 100)
        self.moment()
        for line in self.cluster.lines.values():
            line.heal()

    def F8(self):
        """Nginx is reloaded"""
        self.cluster.reload()

    def F9(self):
        """Nginx is killed"""
        self.cluster.kill("nginx")
        self.moment()

    def F10(self):
        """30 % of the terminals' connections are reset"""
        self.way.reset(0.3)

    def F11(self):
        """20 % of the terminals' lines are black holes"""
        self.way.hole(0.2)
        self.moment()
        self.way.heal()

    def F12(self):
        """10 % of the terminals read 1 KB/s"""
        self.way.bandwidth(1000, 0.1)
        self.moment()
        self.way.heal()

    def F13(self):
        """a node and Redis are parted"""
        line = self.cluster.lines[self.node()]
        line.hole()
        self.moment()
        line.heal()

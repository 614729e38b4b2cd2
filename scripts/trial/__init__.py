"""What a script needs that tries to break a cluster: a promise's (scripts/promises) or a fault's (scripts/faults).

cluster    the cluster under trial, and what can be done to it        api      how an operator asks it, and hears of events
line       a connection that can be made bad (faultproxy)             agents   terminals that write down what they run
load       commands under way, and the judge who holds the logs       bare     a terminal made of a bare socket
           against each other (judge)                                 knock    handshakes, one after the other
checks     what was found, and how to do it again                     faults   what happens to a cluster, by name
"""

from .agents import Agents
from .api import Events, Unanswered
from .checks import arguments, check, finish, timed, until
from .cluster import Cluster, begin
from .knock import Knock
from .line import Line
from .load import Load

__all__ = "Agents Cluster Events Knock Line Load Unanswered arguments begin check finish timed until".split()

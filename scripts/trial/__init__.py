"""What a script needs that tries to break a cluster: a promise's (scripts/promises) or a fault's (scripts/faults).

begin      the cluster under trial, of the kind that is asked for     api      how an operator asks it, and hears of events
cluster    what can be done to it; its kinds are native and compose   agents   terminals that write down what they run
line       a connection that can be made bad (faultproxy)             bare     a terminal made of a bare socket
load       commands under way, and the judge who holds the logs       knock    handshakes, one after the other
           against each other (judge)                                 faults   what happens to a cluster, by name
checks     what was found, and how to do it again
"""

from .agents import Agents
from .api import Events, Unanswered
from .begin import begin
from .checks import arguments, check, finish, timed, until
from .cluster import Cluster
from .knock import Knock
from .line import Line
from .load import Load

__all__ = "Agents Cluster Events Knock Line Load Unanswered arguments begin check finish timed until".split()

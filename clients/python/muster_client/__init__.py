"""A terminal of Muster: it gets commands from operators, runs each once and in order, and says what came of it."""

from muster_client.end import End
from muster_client.frames import Command
from muster_client.inbox import LATER, CommandFailed, CommandRejected
from muster_client.policy import Policy
from muster_client.reports import Gap, Gone, NodeError, Offline, Opened, Report, Stored, TokenUnavailable, TooLargeSent
from muster_client.terminal import Terminal, TooLarge
from muster_client.token import token_file

__all__ = [
    "LATER",
    "Command",
    "CommandFailed",
    "CommandRejected",
    "End",
    "Gap",
    "Gone",
    "NodeError",
    "Offline",
    "Opened",
    "Policy",
    "Report",
    "Stored",
    "Terminal",
    "TokenUnavailable",
    "TooLarge",
    "TooLargeSent",
    "token_file",
]

"""P2 on containers, as part of the gate. `--compose` runs all promises and faults on them that can be."""

from promises.test_p02_once import (
    test_accepted_commands_are_run_once_while_subscriptions_a_node_and_redis_fail,
    test_commands_that_expired_while_their_terminal_was_away_are_not_run,
    test_no_command_is_shown_confirmed_that_its_terminal_did_not_confirm,
)

# pytest runs what a module has. The fixture `cluster` of this folder is made of containers.
__all__ = [
    "test_accepted_commands_are_run_once_while_subscriptions_a_node_and_redis_fail",
    "test_commands_that_expired_while_their_terminal_was_away_are_not_run",
    "test_no_command_is_shown_confirmed_that_its_terminal_did_not_confirm",
]

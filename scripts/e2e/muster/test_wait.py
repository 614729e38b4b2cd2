"""The wait says what it saw last."""

import pytest

from muster import wait


def test_returns_what_the_probe_returned() -> None:
    answers = iter([0, 0, 7])
    assert wait.until(lambda: next(answers), within=5) == 7


def test_asks_again_while_there_is_no_answer() -> None:
    answers = iter([wait.NotYet("refused"), None])

    def probe() -> bool:
        answer = next(answers)
        if answer:
            raise answer
        return True

    assert wait.until(probe, within=5)


def test_a_failure_names_the_condition_and_what_was_seen_last() -> None:
    with pytest.raises(wait.WaitedInVain, match=r"online == 3.*last seen: 2"):
        wait.until(lambda: 2, lambda online: online == 3, within=0.1)

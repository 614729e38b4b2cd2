"""Each kind of fault is found, and nothing else."""

import pytest

from muster.judge import Accepted, Run, Told, judge

ACCEPTED = [Accepted("c1", ["t1", "t2"], "all"), Accepted("c2", ["t1"], "all")]
RAN = [Run("c1", "t1"), Run("c1", "t2"), Run("c2", "t1")]
TOLD = [Told("c1", "t1", "acked"), Told("c1", "t2", "succeeded"), Told("c2", "t1", "running")]


def test_nothing_is_wrong_where_all_agree() -> None:
    assert judge(ACCEPTED, RAN, TOLD)


def test_nothing_owed_is_no_success() -> None:
    assert not judge([], [], [])


@pytest.mark.parametrize(
    ("kind", "ran", "told"),
    [
        ("accepted lost", RAN[:2], [*TOLD[:2], Told("c2", "t1", "queued")]),
        ("run twice", [*RAN, RAN[0]], TOLD),
        ("run and not asked for", [*RAN, Run("c2", "t2")], TOLD),
        ("out of order", [RAN[2], *RAN[:2]], TOLD),
        ("confirmed and not run", RAN, [*TOLD, Told("c3", "t1", "acked")]),
        ("run and not confirmed", RAN, [*TOLD[:2], Told("c2", "t1", "sent")]),
        ("targets not told of", RAN, TOLD[:2]),
    ],
)
def test_each_kind_of_fault_is_found(kind: str, ran: list[Run], told: list[Told]) -> None:
    verdict = judge(ACCEPTED, ran, told)
    assert verdict.faults[kind] and not verdict

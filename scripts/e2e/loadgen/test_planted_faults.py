"""One delivery in 100,000 goes wrong: the generator finds and names it, and without a fault it finds nothing."""

from collections.abc import Callable

import pytest

from muster.traffic.loadgen import CANNOT_KNOW, DELIVERED_WRONGLY, OK, Generator, Run, Server, against

# 1,000 terminals and 100 broadcasts are 100,000 deliveries, and a few commands.
LOAD = "--grace 1s --terminals 1000 --ramp 1s --for 5s --broadcasts 20 --commands 4 --seed 1".split()


def play(generator: Generator, server: Server, expected: int) -> Run:
    run = generator.run(*against(server), *LOAD)
    # A run on a busy machine may be invalid: what it found is found all the same.
    assert run.code in (expected, CANNOT_KNOW), run.out
    assert run.owed() > 90_000
    return run


def test_without_a_fault_nothing_is_found(generator: Generator, null_server: Callable[..., Server]) -> None:
    run = play(generator, null_server(), OK)
    assert sum(run.report["faults"].values()) == 0
    assert "ledger" in run.out


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("drop", "silently lost"),
        ("repeat", "delivered twice"),
        ("swap", "reordered"),
        ("corrupt", "corrupt"),
        ("misdeliver", "misdelivered"),
    ],
)
def test_one_wrong_delivery_is_found_and_named(
    generator: Generator, null_server: Callable[..., Server], fault: str, kind: str
) -> None:
    run = play(generator, null_server("--fault", f"{fault}:50000"), DELIVERED_WRONGLY)
    assert run.report["faults"][kind] == 1
    examples = [example for example in run.report["examples"] if example["message"] is not None]
    # A corrupt message cannot be told by its number.
    assert examples or kind == "corrupt"
    line = next(line for line in run.out.splitlines() if line.strip().startswith(kind))
    assert ("a message at load" if kind == "corrupt" else "message") in line.removeprefix(kind)

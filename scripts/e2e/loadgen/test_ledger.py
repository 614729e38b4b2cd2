"""Another program, from the raw lines alone, reaches the numbers of the report."""

import re
from collections.abc import Callable

from muster.judge.ledger import Ledger
from muster.traffic.loadgen import Generator, Server, against

CHURN = "--churn 10%/s --leave close:2,reset:1,blackhole:1,twin:1 --mute 1%".split()


def test_both_agree_on_a_run_with_churn_of_all_kinds(cluster_generator: Generator, cluster_flags: list[str]) -> None:
    logs = cluster_generator.directory / "logs"
    load = "--terminals 500 --ramp 2s --for 10s --broadcasts 10 --commands poisson:20 --grace 2s".split()
    run = cluster_generator.run(*cluster_flags, *load, *CHURN, "--logs", str(logs))
    ledger = Ledger(logs)
    assert ledger.differences(run.report) == []
    assert {"steady", "interrupted", "resumable", "mute"} <= set(ledger.accounts), run.out
    assert run.owed() > 10_000


def test_both_find_one_dropped_delivery_and_a_changed_line_is_noticed(
    generator: Generator, null_server: Callable[..., Server]
) -> None:
    logs = generator.directory / "logs"
    load = "--grace 1s --terminals 200 --ramp 1s --for 3s --broadcasts 10".split()
    run = generator.run(*against(null_server("--fault", "drop:3000")), *load, "--logs", str(logs))
    assert Ledger(logs).differences(run.report) == []
    assert run.report["faults"]["silently lost"] == 1

    terminals = logs / "terminals.jsonl"
    changed = re.sub(r'"arrivals":\[\[[0-9]*,', '"arrivals":[[1,', terminals.read_text(), count=1)
    terminals.write_text(changed)
    assert Ledger(logs).differences(run.report)

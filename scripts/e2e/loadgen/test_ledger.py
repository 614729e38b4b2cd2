"""The ledger: what was owed, what came, and what went wrong."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from muster import programs
from muster.api import Json
from muster.ledger import Ledger
from muster.traffic.loadgen import DELIVERED_WRONGLY, OK, Generator, Run, Server, against

# A seed decides the whole schedule.

PLAN = (
    "--url ws://nowhere/ws --api http://nowhere --terminals 3000 --connects poisson --churn 5%/s"
    " --leave close:8,reset:1,blackhole:1 --commands poisson:20 --broadcasts ramp:1..10 --mute 1%"
)


def schedule(seed: int) -> tuple[str, str]:
    """Return the hash of the schedule and the hash of the intended deliveries, as a dry run prints them."""
    command = [programs.program("muster-loadgen"), "run", "--dry-run", "--seed", str(seed), *PLAN.split()]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = re.search(r"schedule (\w+), \d+ deliveries intended \(set (\w+)\)", done.stdout + done.stderr)
    assert found
    return found[1], found[2]


def test_the_same_seed_makes_the_same_schedule_and_the_same_deliveries() -> None:
    assert schedule(7) == schedule(7)


def test_another_seed_makes_another_schedule_and_other_deliveries() -> None:
    seven, eight = schedule(7), schedule(8)
    assert seven[0] != eight[0] and seven[1] != eight[1]


# One delivery in 100,000 goes wrong: the generator finds and names it, and without a fault it finds nothing.

# 1,000 terminals and 100 broadcasts are 100,000 deliveries: few enough in a second for a busy machine.
LOAD = "--grace 1s --terminals 1000 --ramp 1s --for 10s --broadcasts 10 --commands 2 --seed 1".split()


def play(generator: Generator, server: Server, expected: int) -> Run:
    run = generator.run(*against(server), *LOAD)
    assert run.code == expected, run.out
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


def test_two_swapped_deliveries_are_found_and_named(generator: Generator, null_server: Callable[..., Server]) -> None:
    # Two messages have an order only if the first was accepted before the second was sent: each waits for the answer.
    run = generator.run(*against(null_server("--fault", "swap:3000")), *LOAD, "--closed", "1")
    assert run.code == DELIVERED_WRONGLY, run.out
    assert run.report["faults"] == {"reordered": 1}
    assert re.search("reordered .*message", run.out)


# Another program, from the raw lines alone, reaches the numbers of the report.

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
    arrival = re.compile(r'("arrivals":\[\[)(\d+)')
    terminals.write_text(arrival.sub(lambda found: f"{found[1]}{int(found[2]) + 1}", terminals.read_text(), count=1))
    assert Ledger(logs).differences(run.report)


# Any server that broadcasts is measured with the same ledger, as docs/measuring.md shows it.

SERVERS = programs.ROOT / "loadgen" / "tests" / "servers"
RAW = "--target raw --terminals 300 --ramp 1s --for 4s --broadcasts 10 --churn 5%/s --grace 1s".split()


@pytest.fixture
def node_ws(directory: Path) -> Server:
    """A server with Node's ws: what is posted to it goes to all."""
    modules = programs.npm_install("ws@8.18.3")
    return Server(directory, "node-ws", ["node", SERVERS / "relay.js", "0"], {"NODE_PATH": str(modules)})


@pytest.fixture
def python_websockets(directory: Path) -> Server:
    """A server with Python's websockets: what one client says goes to all."""
    return Server(directory, "python-websockets", [sys.executable, SERVERS / "relay.py", "0"])


def test_servers_of_other_libraries_are_measured_and_compared(
    generator: Generator, node_ws: Server, python_websockets: Server
) -> None:
    posted = measure(generator, "--url", f"ws://{node_ws.address}/", "--post", f"http://{node_ws.address}/")
    heard = measure(generator, "--url", f"ws://{python_websockets.address}/")
    assert posted.owed() > 5000 and heard.owed() > 5000

    reports = [str(generator.directory / name) for name in ("load0.json", "load1.json")]
    compare = [programs.program("muster-loadgen"), "compare", *reports]
    compared = subprocess.run(compare, capture_output=True, text=True, check=True).stdout
    assert "live" in compared and "lost" in compared

    node_ws.end()
    python_websockets.end()


def measure(generator: Generator, *flags: str) -> Run:
    """Run and demand that the ledger closes with nothing lost."""
    run = generator.run(*RAW, *flags)
    assert run.code == OK, run.out
    assert run.closes() and not run.report["faults"]
    return run


# The workflow that users copy: it is valid, and its steps measure a server.

EXAMPLE = programs.ROOT / "examples" / "ci"
PARSE = "const YAML = require('yaml'); console.log(JSON.stringify(YAML.parse(require('fs').readFileSync(0, 'utf8'))))"


@pytest.fixture
def steps() -> dict[str, Json]:
    """The steps of the example's job, by their names."""
    modules = programs.npm_install("yaml@2.9.1")
    text = (EXAMPLE / "loadgen.yml").read_text()
    env = {**os.environ, "NODE_PATH": str(modules)}
    parsed = subprocess.run(["node", "-e", PARSE], input=text, env=env, capture_output=True, text=True, check=True)
    workflow = json.loads(parsed.stdout)
    assert set(workflow["on"]) == {"pull_request", "push", "workflow_dispatch"}
    assert workflow["permissions"] == {"contents": "read"}
    # Without it, GitHub's runner goes on after a pipe whose first program failed.
    assert workflow["defaults"] == {"run": {"shell": "bash"}}
    steps = workflow["jobs"]["load"]["steps"]
    assert all(("uses" in step) != ("run" in step) for step in steps)
    # An action is of a version, and a value of the event is never part of a script.
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]) for step in steps if "uses" in step)
    assert not [step for step in steps if "${{" in step.get("run", "")]
    return {step.get("name", step.get("uses")): step for step in steps}


def test_the_steps_of_the_example_measure_a_server_and_leave_its_reports(
    steps: dict[str, Json], node_ws: Server, directory: Path
) -> None:
    work = directory / "work"
    (work / "load").mkdir(parents=True)
    scenario = (EXAMPLE / "loadgen.toml").read_text().replace("127.0.0.1:8001", node_ws.address)
    # A short run. Times are judged where the machine is quiet.
    scenario = scenario.replace('for = "20s"', f'for = "2s"\npost = "http://{node_ws.address}/"')
    (work / "load" / "loadgen.toml").write_text(scenario.replace(",live.p99<250ms", ""))

    step(steps["Make a baseline"], work)
    (work / "load" / "baseline").mkdir()
    for made in (work / "load").glob("baseline-*.json"):
        shutil.move(made, work / "load" / "baseline")
    # Of a busy machine one run may be worse than three others: 14 is no fault of the script.
    assert step(steps["Measure"], work, (OK, 14)) in (OK, 14)
    step(steps["Show the report"], work)

    report = json.loads((work / "load" / "report.json").read_text())
    assert report["title"] == "main abc" and not report["faults"]
    assert "<testsuite" in (work / "load" / "junit.xml").read_text()
    assert "all equations close" in (work / "summary").read_text()
    uploaded = steps["actions/upload-artifact@v4"]
    assert uploaded["if"] == "always()" and "load/junit.xml" in uploaded["with"]["path"].split()
    node_ws.end()


def step(step: Json, work: Path, expected: tuple[int, ...] = (OK,)) -> int:
    """Run the script of a step as GitHub's runner does, and return its exit code."""
    path = f"{programs.directory()}:{os.environ['PATH']}"
    names = {"GITHUB_REF_NAME": "main", "GITHUB_SHA": "abc", "GITHUB_STEP_SUMMARY": str(work / "summary")}
    script = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    done = subprocess.run(script, cwd=work, env={**os.environ, **names, "PATH": path}, capture_output=True, text=True)
    assert done.returncode in expected, done.stdout + done.stderr
    return done.returncode

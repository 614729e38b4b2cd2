"""A pytest plugin: options, what a failure leaves behind, and the clean-up after all tests."""

import argparse
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from muster import process, programs, wait
from muster.api import Events, Unanswered
from muster.cluster import Cluster, docker
from muster.cluster.redis_topology import FailingOver, Sentinels
from muster.cluster.sidecar import unmount_all

T = TypeVar("T")

OUTPUT = Path(os.environ.get("MUSTER_TEST_OUTPUT", programs.ROOT / "test_output"))
# The tests that are not part of the gate. scripts/test itself knows three more names: fuzz, model and steady.
LONG = (
    "adapters attack cards compose conformance crash dependencies libraries mutants openapi release resolve soak"
    " topologies upgrade"
).split()
# A process that cleans up when its input ends, which it does however the run ends: also where pytest was killed.
CLEANER = pytest.StashKey[subprocess.Popen[bytes]]()
CLEAN = "import sys; sys.stdin.read(); from muster.reporting import clean; clean(sys.argv[1])"
FAILED = pytest.StashKey[bool]()
# Why the JUnit report could not be written.
UNWRITTEN = pytest.StashKey[OSError]()
# The variables that decide how the programs are run, and so belong to what repeats a failure.
VARIABLES = ("MUSTER_NGINX", "MUSTER_RESOLVE")
# An events' id that lies before all others: the position of a stream without events.
BEGINNING = "0-0"
# Seconds without a new event after which the stream is taken to be at its end, and seconds that reading may take.
QUIET, PATIENCE = 1.5, 30


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of these tests."""
    group = parser.getgroup("muster")
    group.addoption("--scale", choices=["small", "full"], default="small", help="full: also judges times")
    group.addoption("--seed", type=int, help="of all that is left to chance; a failure prints it")
    group.addoption("--compose", action="store_true", help="run against the containers of compose/ where a test can")
    group.addoption("--long", choices=LONG, help="run these tests, which are not part of the gate")
    # Set for workers, by the process that starts them.
    group.addoption("--runs", help=argparse.SUPPRESS)


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed and the folder of all runs, once for all workers."""
    vars(config.option).update(getattr(config, "workerinput", {}).get("muster", {}))
    if config.option.seed is None:
        config.option.seed = random.SystemRandom().randrange(1 << 31)
    if config.option.runs is None:
        # Tests' programs run in it. Its path is short, since Unix sockets have paths of at most 107 bytes.
        config.option.runs = tempfile.mkdtemp(prefix="muster-")
        # Nginx's workers run as another user and must reach their folder.
        Path(config.option.runs).chmod(0o711)
        config.stash[CLEANER] = start_cleaner(config.option.runs)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # A test run that is ended by SIGTERM or SIGHUP cleans up as it does after Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give what was chosen to a worker, which would otherwise have only the words of the command line."""
    option = node.config.option
    node.workerinput["muster"] = {"seed": option.seed, "runs": option.runs}


def start_cleaner(runs: str) -> subprocess.Popen[bytes]:
    """Start the process that cleans up after a run. A Ctrl-C does not reach it."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", CLEAN, runs]
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    """Have the run cleaned up."""
    if cleaner := config.stash.get(CLEANER, None):
        cleaner.communicate()


def clean(runs: str) -> None:
    """End whatever a run has left, and remove its folder."""
    # A worker may live on for some seconds after pytest was killed. It can start nothing in a folder that is not there.
    over = Path(runs).rename(f"{runs}.over")
    process.end_those_that_log_to(over)
    unmount_all(over)
    docker.sweep(Path(runs).name)
    shutil.rmtree(over, ignore_errors=True)


# After pytest itself has left out what -m and -k do not choose.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the long tests, or with --long all others. Workers begin with the tests that take longest."""
    wanted = config.option.long

    def belongs(item: pytest.Item) -> bool:
        names = {name for mark in item.iter_markers("long") for name in mark.args}
        if unknown := names - set(LONG):
            raise pytest.UsageError(f"{item.nodeid}: --long has no name {', '.join(unknown)}; add it to LONG")
        if wanted == "topologies" and not names and isinstance(item, pytest.Function):
            return hasattr(item, "callspec") and "servers" in item.callspec.params
        return wanted in names if wanted else not names

    left_out = [item for item in items if not belongs(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if belongs(item)]
    if workers := getattr(config, "workerinput", {}).get("workercount"):
        items[:] = dealt(items, workers, seconds)


def seconds(item: pytest.Item) -> float:
    """Return how long a test takes, by its marker `takes`; 0 if it has none."""
    mark = item.get_closest_marker("takes")
    return float(mark.kwargs["seconds"]) if mark else 0


def dealt(items: Sequence[T], hands: int, worth: Callable[[T], float]) -> list[T]:
    """Return the items in the order of so many hands, each of which begins with its share of those that are worth most.

    pytest-xdist cuts the list into as many pieces. Items worth nothing keep their order: neighbours, which load the
    machine alike, stay in one hand and so do not run at once.
    """
    valuable = sorted(filter(worth, items), key=worth, reverse=True)
    others = [item for item in items if not worth(item)]
    order: list[T] = []
    for hand in range(hands):
        size = (len(items) - len(order)) // (hands - hand)
        order += valuable[hand::hands]
        room = max(size - len(valuable[hand::hands]), 0)
        order += others[:room]
        del others[:room]
    return order + others


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """With --long topologies, run each promise and each fault behind Sentinels, and on a Redis Cluster."""
    ours = {mark.name for mark in metafunc.definition.iter_markers()} & {"promise", "fault"}
    if metafunc.config.option.long == "topologies" and ours and "cluster" in metafunc.fixturenames:
        kinds = {"sentinel": Sentinels, "cluster": FailingOver}
        metafunc.parametrize("servers", kinds.values(), ids=kinds.keys(), indirect=True)


def pytest_report_header(config: pytest.Config) -> str:
    """Say what repeats this run."""
    return f"seed {config.option.seed}, scale {config.option.scale}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note that a test failed, and say how to repeat it."""
    report = yield
    # A second attempt at a test begins with its setup, and has not failed because the first one did.
    item.stash[FAILED] = report.failed or (report.when != "setup" and failed(item))
    if report.failed:
        options = item.config.option
        again = "".join(f"{name}={os.environ[name]} " for name in VARIABLES if name in os.environ)
        again += f"scripts/test '{item.nodeid}' --scale {options.scale} --seed {options.seed}"
        again += " --compose" if options.compose else ""
        again += f" --long {options.long}" if options.long else ""
        report.sections.append(("again by", again))
        report.sections.append(("logs, events, ledger", f"{os.path.relpath(output(item), programs.ROOT)}/"))
    return report


# Next to the hooks that it wraps: pytest's own summary is printed after it.
@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Fail if the JUnit report can't be written, for example on a full disk; `pytest_terminal_summary` says so."""
    try:
        yield
    except OSError as error:
        session.config.stash[UNWRITTEN] = error
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say that the JUnit report could not be written, and why."""
    if error := config.stash.get(UNWRITTEN, None):
        report = f"the JUnit report {config.option.xmlpath} could not be written"
        terminalreporter.write_line(f"ERROR: {report}: {error.strerror}", red=True)


def output(item: pytest.Item) -> Path:
    """Return the folder in which a failed test leaves its logs."""
    return OUTPUT / re.sub(r"[^\w.-]+", "_", item.nodeid.replace(".py::", "."))


def failed(item: pytest.Item) -> bool:
    """Return whether the test has failed so far."""
    return item.stash.get(FAILED, False)


def leave(item: pytest.Item, directory: Path) -> None:
    """Copy logs, events and Nginx's files of a failed test to `test_output/`. Keys and secrets stay behind."""
    if not failed(item) or not directory.exists():
        return
    target = output(item)
    shutil.rmtree(target, ignore_errors=True)
    for file in directory.rglob("*"):
        if file.suffix in (".log", ".jsonl", ".json", ".conf", ".out") and file.is_file() and not file.is_symlink():
            copy = target / file.relative_to(directory)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


def write_events(cluster: Cluster) -> None:
    """Write `events.jsonl` to the cluster's folder: all events that are still stored, as an operator sees them.

    The first node that answers is asked. If none does, the file says so.
    """
    seen: list[tuple[str, object]] = [("none", "no node answered")]
    for number in range(1, cluster.nodes + 1):
        try:
            # A node that hangs must not hold up the rest.
            cluster.api.ask("GET", "/livez", at=cluster.node(number), timeout=2)
            seen = list(_read_all(Events(cluster.api, cluster.node(number), after=BEGINNING)))
            break
        except (Unanswered, OSError):
            continue
    lines = [json.dumps({"event": kind, "data": data}) for kind, data in seen]
    (cluster.directory / "events.jsonl").write_text("\n".join([*lines, ""]))


def _read_all(events: Events) -> list[tuple[str, object]]:
    count, changed = 0, time.monotonic()

    def seconds_of_quiet() -> float:
        nonlocal count, changed
        if len(events.seen) > count:
            count, changed = len(events.seen), time.monotonic()
        return time.monotonic() - changed

    wait.happens(seconds_of_quiet, lambda quiet: quiet >= QUIET, within=PATIENCE)
    events.close()
    return list(events.seen)

"""The library does what its tests rely on."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from muster import gate, process, programs, reporting, together, wait
from muster.cluster import docker
from muster.fixtures import need
from muster.together import Part

# The wait says what it saw last.


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


def test_a_condition_that_does_not_come_true_is_no_error_where_that_is_the_question() -> None:
    answers = iter([0, 7])
    assert wait.happens(lambda: next(answers), within=5, every=0)
    assert not wait.happens(lambda: 2, lambda online: online == 3, within=0)


# The first thread of this process ends at once, and another one goes on.
LIVES_ON = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(3600,)).start()
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_process_whose_first_thread_has_ended_runs_on(tmp_path: Path) -> None:
    lives = process.launch(tmp_path, "lives", [sys.executable, "-c", LIVES_ON])
    wait.until(lambda: process.stat(lives.pid)[:1] == ["Z"])
    assert process.runs(lives.pid)
    os.kill(lives.pid, signal.SIGKILL)
    assert process.gone(lives.pid)


# Several threads of a test look at its processes.


def test_two_threads_that_see_a_process_end_at_once_both_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both, poll = threading.Barrier(2, timeout=10), subprocess.Popen.poll

    def poll_together(child: subprocess.Popen[bytes]) -> int | None:
        code = poll(child)
        both.wait()
        return code

    monkeypatch.setattr(process, "_children", type(process._children)())
    ended = process.launch(tmp_path, "true", ["true"])
    ended.wait()
    monkeypatch.setattr(subprocess.Popen, "poll", poll_together)
    with ThreadPoolExecutor() as threads:
        assert list(threads.map(process.runs, [ended.pid, ended.pid])) == [False, False]


# What a run of tests leaves behind.

# Starts a process and kills itself with SIGKILL, as the kernel does when memory is short.
CRASH = """
import os
from pathlib import Path
from muster import process

def test_that_dies(directory):
    sleep = process.launch(directory, "sleep", ["sleep", "1h"])
    Path("started").write_text(f"{sleep.pid} {directory}")
    os.kill(os.getpid(), 9)
"""


FAIL = """
import pytest

@pytest.mark.long("soak")
def test_that_fails(seed):
    assert not seed, f"the test has the seed {seed}"
"""


@pytest.mark.parametrize("workers", [0, 1])
def test_what_a_killed_run_or_worker_leaves_is_ended_and_removed(tmp_path: Path, workers: int) -> None:
    printed = run_pytest(tmp_path, CRASH, workers)
    assert ("crashed while running" in printed) == bool(workers), printed
    pid, directory = (tmp_path / "started").read_text().split()
    wait.until(lambda: not process.runs(int(pid)))
    wait.until(lambda: not Path(directory).parent.exists())


def test_a_failure_in_a_worker_names_the_line_that_repeats_it(tmp_path: Path) -> None:
    printed = run_pytest(tmp_path, FAIL, 1, "--long", "soak")
    seed = printed.partition("\nseed ")[2].partition(",")[0]
    assert f"the test has the seed {seed}\n" in printed, printed
    assert f"\nscripts/test 'test_it.py::test_that_fails' --scale small --seed {seed} --long soak\n" in printed, printed


def test_what_repeats_a_failure_by_dns_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_RESOLVE", "on")
    printed = run_pytest(tmp_path, FAIL, 0, "--long", "soak")
    assert "MUSTER_RESOLVE=on scripts/test 'test_it.py" in printed, printed


def test_a_report_that_can_not_be_written_is_named_after_the_summary(tmp_path: Path) -> None:
    printed = run_pytest(tmp_path, "def test_that_passes(): pass", 0, "--junit-xml=/dev/full", code=3)
    assert "ERROR: the JUnit report /dev/full could not be written: No space left on device" in printed, printed
    assert "1 passed" in printed and "Traceback" not in printed, printed


# Fails at its first attempt.
FLAKY = """
from pathlib import Path

def test_that_fails_once(directory):
    (directory / "node1.log").write_text("second" if Path("tried").exists() else "first")
    tried, _ = Path("tried").exists(), Path("tried").touch()
    assert tried
"""


def test_what_a_failed_attempt_left_is_not_replaced_by_a_later_one_that_passed(tmp_path: Path) -> None:
    printed = run_pytest(tmp_path, FLAKY, 0, "--reruns", "1")
    assert "1 passed, 1 rerun" in printed, printed
    assert (tmp_path / "test_it.test_that_fails_once" / "node1.log").read_text() == "first"


def test_each_worker_begins_with_what_takes_longest() -> None:
    tests = {"a": 0, "b": 50, "c": 0, "d": 158, "e": 0, "f": 36, "g": 0}
    assert reporting.dealt(list(tests), 2, tests.__getitem__) == ["d", "f", "a", "b", "c", "e", "g"]


# What scripts/test runs at once, and how that ends.


def test_tracks_run_at_once_and_the_next_part_when_all_are_over() -> None:
    both, last = threading.Barrier(2, timeout=10), list[int]()

    def meets() -> int:
        return both.wait() * 0

    def comes_last() -> int:
        last.append(both.n_waiting)
        return 1

    parts: list[Part] = [[[("a", meets), ("b", meets)], [("c", meets), ("d", meets)]], [[("e", comes_last)]]]
    assert together.run_all(parts) == (["a", "b", "c", "d"], ["e"])
    assert last == [0]


def test_lines_of_steps_that_run_at_once_begin_with_the_steps_names(capsys: pytest.CaptureFixture[str]) -> None:
    parts: list[Part] = [[[(name, partial(together.run, "printf", "1\\n2"))] for name in "ab"]]
    assert together.run_all(parts) == (["a", "b"], [])
    printed = capsys.readouterr().out.splitlines()
    assert sorted(line for line in printed if "|" in line) == ["a | 1", "a | 2", "b | 1", "b | 2"]


def test_what_can_not_be_installed_fails_its_step_and_nothing_follows(capsys: pytest.CaptureFixture[str]) -> None:
    tools: Part = [[("tools", lambda: sys.exit("install curl")), ("mypy", lambda: 0)]]
    assert together.run_all([tools, [[("clusters", lambda: 0)]]]) == ([], ["tools"])
    assert "install curl" in capsys.readouterr().out


# Runs two commands at once, one of which takes a moment to clean up, as pytest does.
GATE = """
import signal, sys
from pathlib import Path
from muster.together import end, run, run_all
# A shell that begins a job in the background has it ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, end)
tests = [("tests", lambda: run(sys.executable, "command.py", at=Path())), ("next", lambda: Path("next").touch() or 0)]
run_all([[tests, [("sleep", lambda: run("sleep", "60"))]]])
"""
COMMAND = """
import signal, time
from pathlib import Path

for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.default_int_handler)
Path("started").touch()
try:
    time.sleep(60)
finally:
    time.sleep(1)
    Path("cleaned up").touch()
"""


# What scripts/test runs, by its words.


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The programs that were to be installed. Nothing is, and no step is run."""
    names: list[str] = []
    monkeypatch.setattr(programs, "install", names.extend)
    monkeypatch.setattr(together, "run_all", lambda _: ([], []))
    monkeypatch.setattr(gate, "OUTPUT", Path("/nonexistent"))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return names


def test_some_tests_do_not_ask_for_what_others_need(installed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert gate.main(["-k", "drain"]) == 0
    assert set(installed) == set(programs.PACKAGES)
    monkeypatch.setenv("CI", "1")
    monkeypatch.setenv("MUSTER_TOOLS", "false")
    assert gate.tools() == 0
    assert {*programs.TEST_PACKAGES, *programs.CLIENT_PACKAGES} < set(installed)


@pytest.mark.parametrize(
    ("seconds", "fresh", "says"),
    [
        (1199.4, False, "19 min 59 s from a warm build; its limit on two cores is 20 min"),
        (1260, False, "21 min 0 s from a warm build; its limit on two cores is 20 min: TOO LONG"),
        (1260, True, "21 min 0 s on a fresh clone; its limit on two cores is 45 min"),
    ],
)
def test_the_gate_says_how_long_it_took_and_whether_that_is_too_long(seconds: float, fresh: bool, says: str) -> None:
    assert gate.duration(seconds, fresh) == f"the gate took {says}"


def test_the_gates_images_are_made_without_compiling() -> None:
    text = docker.without_compiling((programs.ROOT / docker.DOCKERFILE).read_text())
    assert "cargo" not in text and "--from" not in text
    assert [line for line in text.splitlines() if "muster-node" in line and "COPY" in line] == [
        "COPY programs/muster-node /usr/local/bin/",
        "COPY programs/muster-loadgen programs/muster-node /usr/local/bin/",
    ]


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_a_test_without_its_program_says_how_to_install_it(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(outcome, match=r"apt-get install openssl curl$"):
        need("openssl", "curl")


@pytest.mark.parametrize(
    ("words", "steps"),
    [
        ("--long steady -k drain", ["build", "steady 1 of 3", "steady 2 of 3", "steady 3 of 3"]),
        ("-k drain --long steady", ["build", "steady 1 of 3", "steady 2 of 3", "steady 3 of 3"]),
        ("promises --long=steady", ["build", "steady 1 of 3", "steady 2 of 3", "steady 3 of 3"]),
        ("--long=model", ["model for an hour"]),
        ("-k drain --long soak", ["build", "tests"]),
    ],
)
def test_long_names_a_run_wherever_it_stands(words: str, steps: list[str]) -> None:
    assert [name for name, _ in gate.chosen(words.split())] == steps


# A cargo whose tests of the workspace fail, of two programs, and whose second attempt at one of them ends as is given.
CARGO = """#!/bin/sh
case "$*" in *--lib | *--test*) echo "$*" >> asked; case "$*" in *suite) {end} ;; esac; exit 0 ;; esac
printf 'test hub::a_walk ... FAILED\\ntest hub::a_hall ... ok\\n'
printf 'error: 2 targets failed:\\n    `-p muster-node --test suite`\\n    `-p muster-node --lib`\\n'
exit 101
"""


@pytest.mark.parametrize(
    ("end", "code", "flaky"), [("exit 0", 0, ["hub::a_walk"]), ("exit 101", 101, []), ("kill -9 $$", -9, [])]
)
def test_a_crate_that_fails_is_tried_once_more(
    end: str, code: int, flaky: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cargo").write_text(CARGO.format(end=end))
    (tmp_path / "cargo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("RUST_TEST_THREADS", "1")
    monkeypatch.setattr(programs, "ROOT", tmp_path)
    monkeypatch.setattr(gate, "OUTPUT", tmp_path)
    monkeypatch.setattr(gate, "flaky_crates", set())
    assert gate.crates() == code
    again = "test --workspace --locked --no-fail-fast"
    assert (tmp_path / "asked").read_text() == f"{again} --test suite\n{again} --lib\n"
    assert gate.flaky() == flaky


def test_each_test_program_of_a_crate_runs_in_one_part_of_the_gate() -> None:
    beside, alone = gate.test_programs(quiet=False), gate.test_programs(quiet=True)
    folders = {tests.parent.name for tests in programs.ROOT.glob("*/tests/*/main.rs")}
    files = {tests.stem for tests in programs.ROOT.glob("*/tests/*.rs")}
    assert {f"--test={name}" for name in folders | files} <= {*beside, *alone}
    assert alone == ["--test=quiet_runs"] and not set(beside) & set(alone)


@pytest.mark.parametrize(("send", "number"), [(os.killpg, signal.SIGINT), (os.kill, signal.SIGTERM)])
def test_a_gate_that_is_asked_to_end_lets_its_command_clean_up(
    tmp_path: Path, send: Callable[[int, int], None], number: signal.Signals
) -> None:
    (tmp_path / "command.py").write_text(COMMAND)
    env = {**os.environ, "PYTHONPATH": str(programs.ROOT / "scripts" / "e2e")}
    # As the leader of a group, which a Ctrl-C reaches as a whole.
    gate = subprocess.Popen([sys.executable, "-c", GATE], cwd=tmp_path, env=env, start_new_session=True)
    wait.until((tmp_path / "started").exists)
    send(gate.pid, number)
    assert gate.wait(20) != 0
    assert (tmp_path / "cleaned up").exists()
    assert not (tmp_path / "next").exists()


def run_pytest(directory: Path, test: str, workers: int, *words: str, code: int | None = None) -> str:
    """Run a test in so many workers, or in pytest itself; return what it prints. `code`: the exit code to demand."""
    (directory / "test_it.py").write_text(test)
    command = [sys.executable, *"-m pytest -p muster.reporting -p muster.fixtures test_it.py -n".split(), str(workers)]
    # Without the variables by which this run of pytest tells its own processes of each other.
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    env |= {"PYTHONPATH": str(programs.ROOT / "scripts" / "e2e"), "MUSTER_TEST_OUTPUT": str(directory)}
    ran = subprocess.run([*command, *words], cwd=directory, env=env, capture_output=True, text=True, check=False)
    assert code in (None, ran.returncode), ran.stdout + ran.stderr
    return ran.stdout

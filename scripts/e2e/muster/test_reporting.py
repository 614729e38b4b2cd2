"""What a run of tests leaves behind."""

import os
import subprocess
import sys
from pathlib import Path

from muster import process, programs

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


SAY_SEED = """
from pathlib import Path

def test_that_says_its_seed(seed):
    Path("seed").write_text(str(seed))
"""


def test_what_a_killed_worker_leaves_is_ended_and_removed(tmp_path: Path) -> None:
    printed = run_with_a_worker(tmp_path, CRASH)
    assert "crashed while running" in printed, printed
    pid, directory = (tmp_path / "started").read_text().split()
    assert not process.runs(int(pid))
    assert not Path(directory).parent.exists()


def test_a_worker_has_the_seed_that_the_run_names(tmp_path: Path) -> None:
    printed = run_with_a_worker(tmp_path, SAY_SEED)
    assert f"seed {(tmp_path / 'seed').read_text()}," in printed, printed


def run_with_a_worker(directory: Path, test: str) -> str:
    """Run a test in a worker, as the gate does; return what pytest prints."""
    (directory / "test_it.py").write_text(test)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "muster.reporting",
        "-p",
        "muster.fixtures",
        "-n",
        "1",
        "test_it.py",
    ]
    # Without the variables by which this run of pytest tells its own processes of each other.
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    env["PYTHONPATH"] = str(programs.ROOT / "scripts" / "e2e")
    return subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True, check=False).stdout

"""Any server that broadcasts is measured with the same ledger, as docs/measuring.md shows it."""

import subprocess
import sys
from pathlib import Path

import pytest

from muster import programs
from muster.traffic.loadgen import CANNOT_KNOW, OK, Generator, Run, Server

SERVERS = Path(__file__).with_name("servers")
LOAD = "--target raw --terminals 300 --ramp 1s --for 4s --broadcasts 10 --churn 5%/s --grace 1s".split()


@pytest.fixture
def node_ws(directory: Path) -> Server:
    """A server with Node's ws: what is posted to it goes to all."""
    modules = programs.npm_install("ws@8.18.3")
    return Server(directory, "node-ws", ["node", SERVERS / "server.js", "0"], {"NODE_PATH": str(modules)})


@pytest.fixture
def python_websockets(directory: Path) -> Server:
    """A server with Python's websockets: what one client says goes to all."""
    return Server(directory, "python-websockets", [sys.executable, SERVERS / "server.py", "0"])


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
    """Run and demand that the ledger closes with nothing lost. A busy machine may make the times invalid."""
    run = generator.run(*LOAD, *flags)
    assert run.code in (OK, CANNOT_KNOW), run.out
    assert run.closes() and not run.report["faults"]
    return run

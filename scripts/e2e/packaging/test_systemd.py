"""The systemd units are valid, leave little open, and start programs that can do their work within them."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from muster import programs, wait
from muster.api import Api
from muster.fixtures import missing
from muster.local import nginx
from muster.systemd import UNITS, Host, calls_of

NODE, SIDECAR = "muster-node@.service", "muster-sidecar.service"
# In tenths: 2.0 of 10. `systemd-analyze security` calls 5.0 OK.
EXPOSURE = 20
PAGE = programs.ROOT / "docs" / "operations.md"
# The unit's own variable, and flags of cargo and of systemctl.
OTHERS = {"MUSTER_ADDRESS", "--release", "--locked", "--now"}


@pytest.fixture
def host(directory: Path) -> Iterator[Host]:
    """A host with the units."""
    for tool in ("systemd-analyze", "strace", "setpriv"):
        if not shutil.which(tool):
            missing(f"{tool} is missing; install it")
    if os.geteuid() != 0:
        missing("only root may start programs as another user")
    made = Host(directory)
    yield made
    made.end()
    nginx.end(made.root / "var" / "lib" / "muster-sidecar")


def test_the_units_are_valid(host: Host) -> None:
    verify = ["systemd-analyze", "verify", "--man=no", f"--root={host.root}", "muster-node@9000.service", SIDECAR]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    # What systemd warns of it calls a success.
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("unit", [NODE, SIDECAR])
def test_a_unit_leaves_less_open_than_2_of_10(host: Host, unit: str) -> None:
    security = ["systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}"]
    done = subprocess.run([*security, UNITS / unit], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-400:] + done.stderr


def test_what_the_units_start_serves_and_stops_and_makes_no_forbidden_call(host: Host) -> None:
    host.start_redis()
    host.start(NODE, "node", instance="9000")
    host.start(SIDECAR, "proxy")
    api = Api(lambda: re.findall("ready on (.*)", host.log("proxy"))[-1], read_key(host))
    wait.until(lambda: api.is_ready(f"{host.address}:9000"), within=20)
    wait.until(lambda: re.findall("ready on (.*)", host.log("proxy")), within=20)
    nodes = wait.until(lambda: api.get("/v1/nodes")["nodes"], within=20)
    assert [node["address"] for node in nodes] == [f"{host.address}:9000"]

    for name in ("proxy", "node"):
        assert host.ends(name), host.log(name)[-2000:]

    # Both units allow the same.
    allowed = calls_of("@system-service") - calls_of("@privileged")
    for name in ("node", "proxy"):
        calls = host.calls(name)
        assert len(calls) > 20, "the trace lacks most of the calls"
        assert calls <= allowed, f"{name}: {calls - allowed}"


def test_every_variable_and_flag_that_the_page_on_operations_names_exists() -> None:
    helps = [["muster-node"], ["muster-node", "secret"], ["muster-node", "key"], ["muster-sidecar"]]
    known = OTHERS | {name for words in helps for name in names(help_of(*words))}
    assert "MUSTER_REDIS" in known
    assert names(PAGE.read_text()) - known == set()


def names(text: str) -> set[str]:
    """Return the variables and flags in a text."""
    return set(re.findall(r"MUSTER_[A-Z_]+|\B--[a-z][a-z-]+", text))


def help_of(program: str, *words: str) -> str:
    """Return what a program says of its flags."""
    command = [programs.program(program), *words, "--help"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def read_key(host: Host) -> str:
    """Return a key that the cluster accepts, as the page makes one."""
    command = [programs.program("muster-node"), "key", "--scope", "read", "--secret-file", str(host.etc / "secret")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

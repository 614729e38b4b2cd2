"""A thousand terminals that come and go through Nginx and three nodes, and the report of the run in a browser."""

import re
import subprocess
from pathlib import Path

import pytest

from muster import programs
from muster.cluster import ProcessCluster
from muster.fixtures import Scale
from muster.traffic.loadgen import OK, Generator, Run


@pytest.fixture
def fleet(process_cluster: ProcessCluster, cluster_generator: Generator, cluster_flags: list[str], scale: Scale) -> Run:
    """A run with broadcasts, commands and churn, and all outputs that there are."""
    terminals = scale(1000, 10_000)
    load = f"--terminals {terminals} --ramp {terminals // 500 + 1}s --broadcasts 2 --commands 5 --churn 5%/s --for 20s"
    # More than 9,000 connections need more than one source address to keep ports free.
    load += scale("", " --source 127.0.0.2,127.0.0.3")
    directory = process_cluster.directory
    outputs = [f"--html={directory}/report.html", f"--junit={directory}/junit.xml", f"--hgrm={directory}/hgrm"]
    outputs += ["--title", f"{terminals} terminals, churn 5 %/s", "--slo", "lost==0,dup_app==0"]
    watched = ["nginx", "redis", "node1", "node2", "node3"]
    metrics = ",".join(f"http://{process_cluster.node(number)}/metrics" for number in (1, 2, 3))
    watch = ",".join(f"{name}={process_cluster.pid(name)}" for name in watched)
    redis = f"127.0.0.1:{process_cluster.processes.redis_port()}"
    servers = ["--metrics", metrics, "--watch", watch, "--redis", redis]
    return cluster_generator.run(*cluster_flags, *load.split(), *outputs, *servers)


@pytest.mark.alone
# The proxy's workers do not share the terminals evenly.
@pytest.mark.cluster(sidecar_flags="--sessions 15000", processes_only="the generator watches processes by their ids")
def test_a_fleet_that_comes_and_goes_loses_nothing_and_its_report_opens(
    fleet: Run, process_cluster: ProcessCluster
) -> None:
    directory = process_cluster.directory
    assert not fleet.report["faults"] and fleet.owed() > 0
    assert fleet.closes()
    assert '<testcase classname="slo" name="lost==0"/>' in (directory / "junit.xml").read_text()
    assert (directory / "hgrm" / "live.hgrm").stat().st_size > 0
    opens_in_a_browser(directory)
    assert fleet.code == OK, fleet.out


def opens_in_a_browser(directory: Path) -> None:
    """Demand that Chromium shows the report without an error, and that the report asks nobody for anything."""
    programs.install({"chromium": "chromium"})
    page, picture = directory / "report.html", directory / "report.png"
    options = "--headless --no-sandbox --disable-gpu --enable-logging=stderr --hide-scrollbars --window-size=1000,2600"
    files = [f"--user-data-dir={directory}/profile", f"--screenshot={picture}"]
    shown = subprocess.run(
        ["chromium", *options.split(), *files, page.as_uri()], capture_output=True, text=True, timeout=60, check=True
    )
    assert picture.stat().st_size > 0
    # A script or a style that fails is told on the console.
    assert "CONSOLE" not in shown.stderr
    assert not re.findall(r"(?:src|href)=\"?https?:[^\" ]*|url\([^)]*\)", page.read_text())

"""With the profile `monitoring` Prometheus finds each node and proxy; alerts are tested, and each metric exists."""

import json
import re
from collections.abc import Iterator

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from muster import process, programs, wait
from muster.api import Json, Unanswered
from muster.cluster.docker import docker
from muster.cluster.project import Project
from muster.traffic.container_load import PlayFactory

COMPOSE = programs.ROOT / "compose"
ALERTS = COMPOSE / "prometheus" / "alerts.yml"
DASHBOARD = COMPOSE / "grafana" / "muster.json"


@pytest.mark.parametrize("words", ["check config /etc/muster/prometheus.yml", "test rules /etc/muster/alerts.test.yml"])
def test_prometheus_accepts_its_configuration_and_each_alert_is_raised_by_its_cause(
    project: Project, words: str
) -> None:
    confined = ["run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp"]
    docker(*confined, "--entrypoint", "promtool", "muster/prometheus:2.42", *words.split())


def test_each_alert_has_a_test_in_which_it_is_raised() -> None:
    alerts = re.findall(r"- alert: (\w+)", ALERTS.read_text())
    tests = (COMPOSE / "prometheus" / "alerts.test.yml").read_text()
    # What is expected stands in the same line or in the next one.
    raised = re.findall(r"alertname: (\w+)[^\n]*(?:\n[^\n]*)?exp_alerts", tests)
    assert alerts
    assert set(alerts) <= set(raised)


def test_prometheus_finds_every_node_and_proxy_and_every_metric_exists(project: Project, play: PlayFactory) -> None:
    port = process.free_port()
    project.variables |= {"COMPOSE_PROFILES": "monitoring", "MUSTER_PROMETHEUS_PORT": str(port), "MUSTER_NODES": "2"}
    project.up()
    prometheus = Prometheus(port)
    wait.until(prometheus.scraped, lambda counts: counts == ("3", "3"), within=30)
    # Something of each kind is to be counted: sessions that end, a refused handshake, commands, a reload.
    load = play(50, "--commands", "20", "--churn", "20%/s", "--for", "4s")
    with pytest.raises(InvalidStatus):
        connect(f"ws://{project.address()}/ws?terminal_id=nobody")
    load.finish()

    project.compose("up", "-d", "--scale", "node=3")

    wait.until(prometheus.scraped, lambda counts: counts == ("4", "4"), within=30)
    wait.until(project.served, lambda served: served == 3, within=30)
    assert prometheus.query('count(ALERTS{alertstate="firing"}) or vector(0)') == "0"
    # A counter that just came needs two scrapes for a rate.
    wait.until(lambda: unanswered(prometheus), lambda missing: not missing, within=20)
    assert docker("port", *project.ids("prometheus")).strip() == f"9090/tcp -> 127.0.0.1:{port}", "others reach it"


class Prometheus:
    """Prometheus at a port of this machine."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/api/v1/query"

    def query(self, expression: str) -> str:
        """Return the first value of an expression; empty if it has none."""
        try:
            answer = httpx.get(self.url, params={"query": expression}, timeout=10).raise_for_status().json()
        except httpx.HTTPError as error:
            raise Unanswered(f"{expression}: {error}") from None
        return next((str(row["value"][1]) for row in answer["data"]["result"]), "")

    def scraped(self) -> tuple[str, str]:
        """Return how many programs answer, of how many."""
        return self.query("count(up == 1)"), self.query("count(up)")


def unanswered(prometheus: Prometheus) -> list[str]:
    """Return the dashboard's expressions, and the metrics that it or an alert names, that have no value."""
    expressions = list(expressions_of(json.loads(DASHBOARD.read_text())))
    metrics = set(re.findall("muster_[a-z_]*", ALERTS.read_text() + DASHBOARD.read_text()))
    assert expressions
    wanted = [*expressions, *(f"count({metric})" for metric in sorted(metrics))]
    return [expression for expression in wanted if not prometheus.query(expression)]


def expressions_of(part: Json) -> Iterator[str]:
    """Return all values of `expr` in a dashboard."""
    if isinstance(part, dict):
        for key, value in part.items():
            yield from [value] if key == "expr" else expressions_of(value)
    elif isinstance(part, list):
        for value in part:
            yield from expressions_of(value)

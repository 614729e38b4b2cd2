"""The profiles of compose.yaml that are not up by default."""

import json
import re
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from muster import process, programs, wait
from muster.api import Json, Unanswered
from muster.cluster.docker import docker
from muster.cluster.project import Project
from muster.traffic.loadgen import PlayFactory

# With the profile `monitoring` Prometheus finds each node and proxy; alerts are tested, and each metric exists.

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


@pytest.mark.long("compose")
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


# With the profile `tls` terminals reach the same cluster by wss.

UNKNOWN = "CERTIFICATE_VERIFY_FAILED"


@pytest.fixture
def tls_port(project: Project) -> int:
    """The published port of the proxy with TLS."""
    port = process.free_port()
    project.variables |= {"COMPOSE_PROFILES": "tls", "MUSTER_TLS_PORT": f"127.0.0.1:{port}"}
    return port


@pytest.mark.long("compose")
def test_a_terminal_connects_with_the_certificate_that_is_made(project: Project, tls_port: int) -> None:
    project.up()
    made = ssl.create_default_context(cafile=made_certificate(project))
    wait.until(lambda: failure(tls_port, made), lambda why: why == "", within=30)
    assert UNKNOWN in failure(tls_port, ssl.create_default_context()), "somebody vouches for it"

    token = project.inside("node", "muster-node", "token", "--terminal", "t1").strip()
    # In TLS 1.3 a ticket is read while the request is written: by two threads, without a lock before Python 3.13.
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    url, headers = f"wss://localhost:{tls_port}/ws?terminal_id=t1", {"Authorization": f"Bearer {token}"}
    with connect(url, ssl=made, additional_headers=headers, open_timeout=10):
        wait.until(lambda: project.api.get("/v1/terminals/t1")["status"], lambda status: status == "online")
    wait.until(project.states, lambda states: states == ["ready"] * 3, within=5)
    assert project.inside("proxy-tls", "stat", "-c", "%a %U", "/tls/key.pem").strip() == "600 muster"


@pytest.mark.long("compose")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_versions_below_tls_1_2_are_refused(project: Project, tls_port: int) -> None:
    project.up()
    certificate = made_certificate(project)
    wait.until(lambda: failure(tls_port, ssl.create_default_context(cafile=certificate)), lambda why: why == "")
    old = ssl.create_default_context(cafile=certificate)
    # Else OpenSSL would not even ask.
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    assert "ALERT_PROTOCOL_VERSION" in failure(tls_port, old)


@pytest.mark.long("compose")
def test_a_certificate_of_ones_own_is_served_and_served_anew_when_it_is_renewed(
    project: Project, tls_port: int
) -> None:
    project.up()
    made = ssl.create_default_context(cafile=made_certificate(project))
    wait.until(lambda: failure(tls_port, made), lambda why: why == "", within=30)

    project.variables["MUSTER_TLS"] = str(project.directory / "tls")
    own = new_certificate(project)
    project.compose("up", "-d")
    wait.until(lambda: failure(tls_port, own), lambda why: why == "", within=30)
    assert UNKNOWN in failure(tls_port, made)

    renewed = new_certificate(project)
    wait.until(lambda: failure(tls_port, renewed), lambda why: why == "", within=40)
    assert UNKNOWN in failure(tls_port, own)


def made_certificate(project: Project) -> Path:
    """Write the certificate that the profile has made to a file."""
    file = project.directory / "made.pem"
    file.write_text(project.inside("proxy-tls", "cat", "/tls/cert.pem"))
    return file


def new_certificate(project: Project) -> ssl.SSLContext:
    """Make a pair in the folder `tls`, as files that another user can read; return a client that trusts it alone."""
    folder = project.directory / "tls"
    folder.mkdir(exist_ok=True)
    # By the proxy's image, since this machine may have no openssl.
    image = f"muster/proxy:{project.variables['MUSTER_TAG']}"
    run = ["run", "--rm", "--user", "0", "--network", "none", "-v", f"{folder}:/tls", "-w", "/tls"]
    pair = "-nodes -days 1 -subj /CN=own -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem"
    make = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 {pair}".split()
    docker(*run, "--entrypoint", "openssl", image, *make)
    docker(*run, "--entrypoint", "chmod", image, "644", "key.pem")
    folder.chmod(0o755)
    return ssl.create_default_context(cafile=folder / "cert.pem")


def failure(port: int, context: ssl.SSLContext) -> str:
    """Return why a request by TLS fails; empty if it is answered."""
    try:
        answer = httpx.get(f"https://localhost:{port}/readyz", verify=context, timeout=5, trust_env=False)
    except httpx.HTTPError as error:
        return str(error) or repr(error)
    return "" if answer.status_code == 200 else str(answer.status_code)

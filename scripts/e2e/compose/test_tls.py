"""With the profile `tls` terminals reach the same cluster by wss."""

import ssl
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from muster import process, wait
from muster.cluster.docker import docker
from muster.cluster.project import Project

UNKNOWN = "CERTIFICATE_VERIFY_FAILED"


@pytest.fixture
def tls_port(project: Project) -> int:
    """The published port of the proxy with TLS."""
    port = process.free_port()
    project.variables |= {"COMPOSE_PROFILES": "tls", "MUSTER_TLS_PORT": f"127.0.0.1:{port}"}
    return port


def test_a_terminal_connects_with_the_certificate_that_is_made(project: Project, tls_port: int) -> None:
    project.up()
    made = ssl.create_default_context(cafile=made_certificate(project))
    wait.until(lambda: failure(tls_port, made), lambda why: why == "", within=30)
    assert UNKNOWN in failure(tls_port, ssl.create_default_context()), "somebody vouches for it"

    token = project.inside("node", "muster-node", "token", "--terminal", "t1").strip()
    url, headers = f"wss://localhost:{tls_port}/ws?terminal_id=t1", {"Authorization": f"Bearer {token}"}
    with connect(url, ssl=made, additional_headers=headers, open_timeout=10):
        wait.until(lambda: project.api.get("/v1/terminals/t1")["status"], lambda status: status == "online")
    wait.until(project.states, lambda states: states == ["ready"] * 3, within=5)
    assert project.inside("proxy-tls", "stat", "-c", "%a %U", "/tls/key.pem").strip() == "600 muster"


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

"""An operator's own files: snippets and certificates."""

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from muster import wait
from muster.cluster import ProcessCluster
from muster.cluster.sidecar import AT_ONCE, Sidecar
from muster.faults import lease
from muster.fixtures import AgentsFactory, need
from muster.traffic.loadgen import OK, Generator
from muster.traffic.terminal import UPGRADE, token

# An operator's snippet is broken: what last ran goes on, nodes come and go, and it is used once it is right.

RIGHT, BROKEN, MENDED = (
    "location = /own { return 204; }\n",
    "location = /own { return 205\n",
    "location = /own { return 201; }\n",
)


@pytest.fixture
def broken(proxy: Sidecar) -> Path:
    """A snippet that was right, is applied, and is broken now."""
    snippet = proxy.folder / "snippets" / "server" / "own.conf"
    snippet.write_text(RIGHT)
    wait.until(lambda: proxy.status("/own"), lambda status: status == 204, within=15)
    snippet.write_text(BROKEN)
    return snippet


def joins(proxy: Sidecar, port: int, within: float) -> None:
    """Add a node, and wait until it is in the file."""
    lease.publish(proxy.cluster, f"node-{port}", f"127.0.0.9:{port}")
    wait.until(proxy.nodes, lambda nodes: f"127.0.0.9:{port}" in nodes, within)


def refused(proxy: Sidecar, within: float) -> None:
    """Wait until the metric says that the operator's files are refused."""
    wait.until(lambda: proxy.metric("own_files_refused"), lambda refused: refused == 1, within)


@pytest.mark.takes(seconds=25)
@pytest.mark.cluster(nodes=2, sidecar_flags=AT_ONCE)
def test_nodes_join_beside_a_broken_snippet_and_no_session_is_lost(
    process_cluster: ProcessCluster, proxy: Sidecar, broken: Path, agents: AgentsFactory
) -> None:
    fleet = agents(50).online()
    refused(proxy, within=15)
    assert "own.conf" in proxy.state()["own_files_error"]
    joins(proxy, 9, within=3)

    process_cluster.kill("sidecar")
    process_cluster.start("sidecar")
    refused(proxy, within=2)
    joins(proxy, 8, within=5)

    process_cluster.kill("sidecar")
    proxy.set_flags("--sessions 5000")
    process_cluster.start("sidecar")
    joins(proxy, 7, within=5)
    assert not fleet.ends()


@pytest.mark.cluster(nodes=2, sidecar_flags=AT_ONCE)
def test_nginx_starts_with_the_snippet_of_before_and_takes_the_right_one(
    process_cluster: ProcessCluster, proxy: Sidecar, broken: Path
) -> None:
    joins(proxy, 8, within=15)
    proxy.restart()
    assert proxy.status("/own") == 204
    lease.remove(process_cluster, "node-8")
    wait.until(lambda: proxy.serves("127.0.0.9:8"), lambda serves: not serves, within=20)
    process_cluster.kill("nginx")
    wait.until(lambda: proxy.status("/own"), lambda status: status == 204, within=5)
    broken.write_text(MENDED)
    wait.until(lambda: proxy.status("/own"), lambda status: status == 201, within=40)
    wait.until(lambda: proxy.metric("own_files_refused"), lambda refused: refused == 0, within=5)


# A snippet may rewrite a path to the WebSocket's, and set another limit.

REWRITE = """
rewrite "^/ocpp/(?<station>[A-Za-z0-9]+)$" /ws?terminal_id=$station last;
client_max_body_size 8m;
client_header_timeout 7s;
location = /own { return 204; }
"""


@pytest.mark.cluster(nodes=2, node_flags="--ping 60s", sidecar_flags=AT_ONCE)
def test_a_snippet_rewrites_paths_and_sets_limits(process_cluster: ProcessCluster, proxy: Sidecar) -> None:
    (proxy.folder / "snippets" / "server" / "own.conf").write_text(REWRITE)
    wait.until(lambda: proxy.status("/own", body=bytes(1_200_000)), lambda status: status == 204, within=15)
    with ExitStack() as sessions:
        for number in range(8):
            headers = {"Authorization": f"Bearer {token(process_cluster.secret, f'CP{number}')}"}
            sessions.enter_context(connect(f"ws://{proxy.address}/ocpp/CP{number}", additional_headers=headers))
        wait.until(lambda: process_cluster.online(at=process_cluster.node(1)), lambda online: online == 8)
    assert "uninitialized" not in process_cluster.log("sidecar")


# TLS at the proxy: no HTTP/2, no old versions, and certificates that are renewed under the sessions.
# What connects here answers pings only while it is read.


class Certificate:
    """A self-signed certificate for localhost and its key, as the files `cert` and `key`."""

    def __init__(self, directory: Path) -> None:
        self.cert, self.key = directory / "cert.pem", directory / "key.pem"
        self.renew()

    def renew(self) -> None:
        """Replace both files."""
        command = ["openssl", *"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split()]
        self._run([*command, "-keyout", str(self.key), "-out", str(self.cert)])

    def break_key(self) -> None:
        """Replace the key alone, by one that does not belong to the certificate."""
        self._run(["openssl", "genrsa", "-out", str(self.key), "2048"])

    def served_at(self, address: str) -> bool:
        """Return whether a server serves the certificate that is in the file."""
        shown = self._run(["openssl", "s_client", "-connect", address], check=False)
        return self._serial(shown) == self._serial(self.cert.read_bytes()) != b""

    def _serial(self, certificate: bytes) -> bytes:
        return self._run(["openssl", "x509", "-noout", "-serial"], certificate, check=False)

    @staticmethod
    def _run(command: list[str], text: bytes = b"", check: bool = True) -> bytes:
        return subprocess.run(command, check=check, input=text, capture_output=True, timeout=120).stdout


def https(address: str, path: str = "/livez", *flags: str, show: str = "http_code") -> str:
    """Return what curl says of a request, whose certificate it does not check: the status, or "000" for none."""
    command = ["curl", "-sk", "-m", "5", "-o", "/dev/null", "-w", f"%{{{show}}}", *flags, f"https://{address}{path}"]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout


@pytest.fixture
def certificate(process_cluster: ProcessCluster, proxy: Sidecar) -> Certificate:
    """The certificate with which the proxy serves."""
    need("openssl", "curl")
    made = Certificate(process_cluster.directory)
    (proxy.folder / "snippets" / "server" / "own.conf").write_text("location = /own { return 204; }\n")
    proxy.restart(f"--tls-cert {made.cert} --tls-key {made.key}")
    return made


@pytest.fixture
def session(certificate: Certificate, process_cluster: ProcessCluster, proxy: Sidecar) -> Iterator[ClientConnection]:
    """A session over TLS."""
    context = ssl.create_default_context(cafile=str(certificate.cert))
    context.check_hostname = False
    # In TLS 1.3 a ticket is read while the request is written, by two threads without a lock (see `enters`).
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    headers = {"Authorization": f"Bearer {token(process_cluster.secret, 'kept')}"}
    url = f"wss://{proxy.address}/ws?terminal_id=kept"
    with connect(url, ssl=context, additional_headers=headers, ping_interval=None) as made:
        wait.until(lambda: process_cluster.online(at=process_cluster.node(1)) == 1)
        yield made


def lives(session: ClientConnection, cluster: ProcessCluster) -> bool:
    """Return whether both sides still have the session."""
    session.ping().wait(5)
    return cluster.online(at=cluster.node(1)) == 1


@pytest.mark.cluster(nodes=1, node_flags="--ping 10m")
def test_tls_is_1_2_or_newer_and_carries_http_1_1_only(certificate: Certificate, proxy: Sidecar) -> None:
    assert https(proxy.address) == "200"
    assert https(proxy.address, "/own") == "204"
    assert https(proxy.address, "/livez", "--tls-max", "1.2") == "200"
    assert https(proxy.address, "/livez", "--tlsv1.3") == "200"
    assert https(proxy.address, "/livez", "--tls-max", "1.1") == "000"
    assert https(proxy.address, "/livez", "--http2", show="http_version") == "1.1"


@pytest.mark.cluster(nodes=1, node_flags="--ping 10m")
def test_a_renewed_certificate_is_served_after_one_reload(
    certificate: Certificate, session: ClientConnection, process_cluster: ProcessCluster, proxy: Sidecar
) -> None:
    certificate.renew()
    wait.until(lambda: certificate.served_at(proxy.address), within=15)
    wait.until(lambda: proxy.metric("reloads_total", reason="certificate", result="confirmed"))
    assert proxy.metric("reloads_total", reason="certificate") == 1
    assert lives(session, process_cluster)


@pytest.mark.takes(seconds=26)
@pytest.mark.cluster(nodes=1, node_flags="--ping 10m")
def test_a_key_of_another_certificate_is_refused_and_nodes_join_meanwhile(
    certificate: Certificate, session: ClientConnection, process_cluster: ProcessCluster, proxy: Sidecar
) -> None:
    def refused() -> float:
        return proxy.metric("reloads_total", reason="certificate", result="refused")

    certificate.break_key()
    wait.until(refused, within=15)
    lease.publish(process_cluster, "joining", "127.0.0.9:9")
    wait.until(proxy.nodes, lambda nodes: "127.0.0.9:9" in nodes, within=30)
    assert refused() <= 4
    assert certificate.served_at(proxy.address) and https(proxy.address) == "200"
    assert proxy.metric("own_files_refused") == 1

    certificate.renew()
    wait.until(lambda: certificate.served_at(proxy.address), within=25)
    wait.until(lambda: proxy.metric("own_files_refused"), lambda refused: refused == 0, within=15)
    assert lives(session, process_cluster)


# Terminals with certificates, which are let in without a token.


class Authority:
    """A certificate authority: `authority.cert`, and the certificates that it signs, as files."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory, self.cert, self._key = directory, directory / f"{name}.pem", directory / f"{name}.key"
        self._openssl("req", "-x509", *KEY_FLAGS, "-days", "2", "-subj", f"/CN={name}", key=self._key, out=self.cert)

    def issue(self, subject: str, names: str = "DNS:x", days: int = 2) -> tuple[Path, Path]:
        """Return a certificate and its key, for this subject with these alternative names."""
        key, request, cert = (self._directory / f"issued.{ending}" for ending in ("key", "csr", "pem"))
        (self._directory / "issued.ext").write_text(f"subjectAltName={names}\n")
        self._openssl("req", *KEY_FLAGS, "-subj", subject, key=key, out=request)
        signed = ["x509", "-req", "-in", str(request), "-CA", str(self.cert), "-CAkey", str(self._key)]
        signed += ["-days", str(days), "-extfile", str(self._directory / "issued.ext")]
        self._openssl(*signed, "-CAcreateserial", out=cert)
        return cert, key

    @staticmethod
    def _openssl(*words: str, out: Path, key: Path | None = None) -> None:
        files = ["-out", str(out), *(["-keyout", str(key)] if key else [])]
        subprocess.run(["openssl", *words, *files], check=True, capture_output=True, timeout=20)


KEY_FLAGS = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@pytest.fixture
def authority(certificate: Certificate, process_cluster: ProcessCluster, proxy: Sidecar) -> Authority:
    """The authority whose certificates the proxy accepts."""
    made = Authority(process_cluster.directory, "terminals")
    proxy.restart(f"--client-ca {made.cert}")
    return made


def enters(
    proxy: Sidecar, query: str = "", cert: tuple[Path, Path] | None = None, headers: dict[str, str] | None = None
) -> int:
    """Return the status with which a handshake is answered, with a certificate and its key if there are some."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if cert:
        context.load_cert_chain(*cert)
    # `websockets` reads and writes in two threads. TLS in Python before 3.13 has no lock for that, and loses a request
    # now and then.
    with (
        httpx.Client(verify=context) as client,
        client.stream("GET", f"https://{proxy.address}/ws{query}", headers={**UPGRADE, **(headers or {})}) as answer,
    ):
        return answer.status_code


@pytest.mark.cluster(nodes=2, node_flags="--ping 60s --mtls-terminals")
def test_a_certificate_lets_a_terminal_in_and_no_other(
    authority: Authority, process_cluster: ProcessCluster, proxy: Sidecar
) -> None:
    own = authority.issue("/O=Fleet\\, CN=evil/CN=t1")
    assert enters(proxy, cert=own) == 101
    assert enters(proxy, "?terminal_id=t1", own) == 101
    wait.until(lambda: process_cluster.api.ask("GET", "/v1/terminals/t1", at=process_cluster.node(1))[0] == 200)
    assert enters(proxy, "?terminal_id=evil", own) == 403
    assert enters(proxy, "?terminal_id=t1") == 401
    bearer = {"Authorization": f"Bearer {token(process_cluster.secret, 't2')}"}
    assert enters(proxy, "?terminal_id=t2", headers=bearer) == 101
    assert enters(proxy, "?terminal_id=t2", own, bearer) == 101, "a token counts before a certificate"
    assert process_cluster.api.ask("POST", "/v1/revocations", {"terminal": "t1"}, at=process_cluster.node(1))[0] == 201
    wait.until(lambda: enters(proxy, cert=own), lambda status: status == 401)
    assert enters(proxy, cert=authority.issue("/CN=not an id")) == 401
    assert enters(proxy, cert=authority.issue("/O=nobody")) == 401
    assert enters(proxy, cert=Authority(process_cluster.directory, "others").issue("/CN=t1")) == 401


@pytest.mark.cluster(nodes=1, node_flags="--ping 60s --mtls-terminals")
def test_a_certificate_that_was_not_verified_lets_nobody_in(
    authority: Authority, process_cluster: ProcessCluster, proxy: Sidecar
) -> None:
    own = authority.issue("/CN=t1", "DNS:t2,URI:spiffe://fleet/terminals/t3")
    forged = {"X-Client-Cert": quote(own[0].read_text(), safe=""), "X-Client-Id-From": "cn"}
    assert enters(proxy, "?terminal_id=t1", headers=forged) == 401
    assert enters(proxy, "?terminal_id=t3", own, {"X-Client-Id-From": "san-uri"}) == 403, "it is overwritten"
    direct = httpx.get(f"http://{process_cluster.node(1)}/ws", headers={**UPGRADE, "X-Client-Id-From": "cn"})
    assert direct.status_code == 401
    proxy.restart("--client-id-from san-uri")
    assert enters(proxy, "?terminal_id=t3", own) == 101
    assert enters(proxy, "?terminal_id=t1", own) == 403


@pytest.mark.cluster(nodes=1, node_flags="--ping 60s")
def test_a_certificate_is_nothing_to_a_node_without_the_flag(authority: Authority, proxy: Sidecar) -> None:
    assert enters(proxy, "?terminal_id=t1", authority.issue("/CN=t1")) == 401


@pytest.mark.cluster(nodes=1, node_flags="--mtls-terminals --trusted-proxy 10.0.0.0/8")
def test_a_certificate_from_a_proxy_that_is_not_trusted_lets_nobody_in(authority: Authority, proxy: Sidecar) -> None:
    assert enters(proxy, "?terminal_id=t1", authority.issue("/CN=t1")) == 401


# Terminals of the Rust client and the load generator come by wss, with certificates checked.


class SignedPair:
    """A certificate for the proxy and its key, as the files `cert` and `key`; those who trust `ca` accept it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.ca, self.cert, self.key = (directory / f"signed-{name}.pem" for name in ("ca", "cert", "key"))
        self.renew()

    def renew(self) -> None:
        """Replace all files: the certificate is of a new authority."""
        authority = Authority(self._directory, "servers")
        for made, file in zip(authority.issue("/CN=proxy", "IP:127.0.0.1"), (self.cert, self.key), strict=True):
            made.replace(file)
        authority.cert.replace(self.ca)


@pytest.fixture
def signed(process_cluster: ProcessCluster, proxy: Sidecar) -> SignedPair:
    """The certificate with which the proxy serves."""
    need("openssl")
    made = SignedPair(process_cluster.directory)
    proxy.restart(f"--tls-cert {made.cert} --tls-key {made.key}")
    return made


@pytest.mark.takes(seconds=20)
@pytest.mark.cluster(nodes=2, node_flags="--ping 60s", sidecar_flags=AT_ONCE)
def test_terminals_stay_when_the_certificate_is_renewed_and_trust_the_new_one_when_they_come_back(
    signed: SignedPair, process_cluster: ProcessCluster, proxy: Sidecar, agents: AgentsFactory
) -> None:
    fleet = agents(20, "--ca", str(signed.ca), "--first", "200ms", url=f"wss://{proxy.address}/ws")
    fleet.online(at=process_cluster.node(1))
    signed.renew()
    wait.until(lambda: proxy.metric("reloads_total", reason="certificate", result="confirmed"), within=20)
    assert not fleet.ends()
    process_cluster.kill("nginx")
    wait.until(lambda: len(fleet.lines("online")), lambda sessions: sessions >= 40, within=30)
    plain = agents(1, prefix="plain-", url=f"ws://{proxy.address}/ws")
    wait.until(lambda: plain.ends("speaks TLS; write wss://"), within=15)


@pytest.mark.takes(seconds=20)
@pytest.mark.parametrize("mode", ["", "--plain"])
@pytest.mark.cluster(nodes=2)
def test_a_fleet_that_comes_and_goes_by_wss_loses_nothing(
    signed: SignedPair, proxy: Sidecar, cluster_generator: Generator, mode: str
) -> None:
    servers = ["--url", f"wss://{proxy.address}/ws", "--api", f"https://{proxy.address}", "--ca", str(signed.ca)]
    load = "--terminals 200 --ramp 2s --for 8s --broadcasts 5 --commands 5 --churn 10%/s --leave close:2,reset:1"
    run = cluster_generator.run(*servers, *load.split(), *mode.split(), "--grace", "2s", "--seed", "1")
    assert run.code == OK, run.out
    assert run.closes() and not run.report["faults"], run.out
    full, short = (run.report["latencies"][name]["count"] for name in ("tls_full", "tls_resumed"))
    assert full >= 200 and short > 0, "a terminal that comes back shows its ticket"
    assert "full handshakes" in run.out

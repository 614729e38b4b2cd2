"""A URL that begins with wss:// asks for TLS, and the server's certificate is checked."""

import asyncio
import json
import shutil
import ssl
import subprocess
import tempfile
import unittest
from pathlib import Path

from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from muster_client import Offline, Opened, Report, Terminal

SOON = 20
WELCOME = {
    "type": "welcome",
    "session": "s",
    "node": "n",
    "time": "2030-01-01T00:00:00Z",
    "ping_ms": 0,
    "resumed": False,
}


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """Make a certificate for a host that signs itself. Return it and its key."""
    made = folder / f"{host}.pem", folder / f"{host}.key"
    name = ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command = ["openssl", "req", "-x509", "-days", "2", *key, *name, "-out", str(made[0]), "-keyout", str(made[1])]
    subprocess.run(command, check=True, capture_output=True)
    return made


async def greet(session: ServerConnection) -> None:
    """Answer the hello, as a node."""
    await session.recv()
    await session.send(json.dumps(WELCOME))
    await session.wait_closed()


async def first_report(url: str, trusted: ssl.SSLContext | None) -> Report:
    """Return what a terminal tells first."""
    reports: asyncio.Queue[Report] = asyncio.Queue()
    options = {"proxy": None} | ({"ssl": trusted} if trusted else {})
    terminal = Terminal(url, "t1", lambda _: None, report=reports.put_nowait, options=options)
    running = asyncio.create_task(terminal.run())
    try:
        async with asyncio.timeout(SOON):
            return await reports.get()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@unittest.skipUnless(shutil.which("openssl"), "openssl is missing")
class Tls(unittest.IsolatedAsyncioTestCase):
    async def test_only_a_server_whose_certificate_is_trusted_and_names_the_host_is_spoken_to(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            for host, is_trusted, opens in (
                ("localhost", True, True),
                ("localhost", False, False),
                ("other", True, False),
            ):
                with self.subTest(host=host, is_trusted=is_trusted):
                    path, key = certificate(Path(name), host)
                    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    served.load_cert_chain(path, key)
                    trusted = ssl.create_default_context(cafile=path) if is_trusted else None
                    protocols = [Subprotocol("muster.v1")]
                    async with serve(greet, "localhost", 0, ssl=served, subprotocols=protocols) as server:
                        port = next(iter(server.sockets)).getsockname()[1]
                        report = await first_report(f"wss://localhost:{port}/ws", trusted)
                    if opens:
                        self.assertIsInstance(report, Opened)
                    else:
                        assert isinstance(report, Offline)
                        self.assertIn("certificate verify failed", report.end.why)

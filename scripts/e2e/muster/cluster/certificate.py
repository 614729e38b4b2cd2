"""The certificate of a proxy, and what it serves of it."""

import subprocess
from pathlib import Path


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
        return subprocess.run(command, check=check, input=text, capture_output=True, timeout=20).stdout


def https(address: str, path: str = "/livez", *flags: str, show: str = "http_code") -> str:
    """Return what curl says of a request, whose certificate it does not check: the status, or "000" for none."""
    command = ["curl", "-sk", "-m", "5", "-o", "/dev/null", "-w", f"%{{{show}}}", *flags, f"https://{address}{path}"]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout

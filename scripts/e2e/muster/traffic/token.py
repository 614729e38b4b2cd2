"""Tokens of terminals, as `muster-node token` makes them."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping

# Seconds for which a token is valid: longer than any test.
VALID = 86400


def token(secret: str, terminal: str) -> str:
    """Return a token for this terminal, signed with `secret` (KID=SECRET)."""
    kid, key = secret.split("=", 1)
    header = {"alg": "HS256", "typ": "JWT", "kid": kid}
    signed = f"{_encoded(header)}.{_encoded({'sub': terminal, 'exp': int(time.time()) + VALID})}"
    return f"{signed}.{_base64(hmac.digest(key.encode(), signed.encode(), hashlib.sha256))}"


def _encoded(part: Mapping[str, object]) -> str:
    return _base64(json.dumps(part).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

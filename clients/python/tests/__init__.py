"""Tests of the client. What asyncio logs of handshakes that fail as planned is not shown."""

import logging

logging.disable(logging.CRITICAL)

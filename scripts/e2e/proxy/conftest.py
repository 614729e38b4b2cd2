"""The fixtures of the tests of the proxy."""

from collections.abc import Iterator

import pytest

from muster.cluster.sidecar import Sidecar
from muster.cluster.system_nginx import SystemNginx


@pytest.fixture
def system(proxy: Sidecar) -> Iterator[SystemNginx]:
    """An Nginx that the system runs, in the place of the sidecar's own."""
    made = SystemNginx(proxy)
    yield made
    made.down()

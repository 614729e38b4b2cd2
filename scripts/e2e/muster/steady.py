"""Keeps a machine busy, to see that what passes once passes always."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# The loop ends with its parent, also where the parent was killed.
LOOP = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"


@contextmanager
def busy_cores(for_each_core: int = 1) -> Iterator[None]:
    """Keep each core of this machine busy with so many processes, each in a session of its own.

    The kernel weighs sessions against each other before it weighs the processes in them.
    """
    count = for_each_core * (os.cpu_count() or 1)
    loops = [subprocess.Popen([sys.executable, "-c", LOOP], start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()

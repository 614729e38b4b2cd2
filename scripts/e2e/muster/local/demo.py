"""A generator that runs against a cluster which ends with it."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from muster import process, programs
from muster.local.processes import DidNotStart, Processes

FLAGS = "--terminals 2000 --ramp 5s --broadcasts 5 --churn 5%/s --for 20s --allow-busy --allow-shortfall"
SLO = "refused==0,indeterminate==0,late==0,lost==0"


def demo(flags: list[str]) -> int:
    """Run a generator against a cluster that ends with it."""
    cluster = Processes(Path(tempfile.mkdtemp(prefix="muster-demo-")))
    try:
        programs.install(programs.PACKAGES)
        programs.build()
        print("starting Redis, three nodes, and Nginx with its sidecar", file=sys.stderr)
        cluster.up(3)
        proxy = cluster.read("sidecar.address")
        print(f"terminals connect to ws://{proxy}/ws", file=sys.stderr)
        return _generate(cluster, proxy, flags)
    except (DidNotStart, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        cluster.down()


def _generate(cluster: Processes, proxy: str, flags: list[str]) -> int:
    generator: list[str | Path] = [
        *programs.PRIORITY,
        programs.directory() / "muster-loadgen",
        "run",
        "--url",
        f"ws://{proxy}/ws",
    ]
    command = [*generator, "--api", f"http://{proxy}", *FLAGS.split(), "--slo", SLO, *flags]
    secrets = {"MUSTER_SECRET": cluster.read("secret"), "MUSTER_KEY": cluster.read("key")}
    running = subprocess.Popen(command, env={**os.environ, **secrets}, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        code = running.wait()
    finally:
        process.end(running.pid, signal.SIGINT)
        running.wait()
    if code != 0:
        for log in sorted(cluster.directory.glob("*.log")):
            print(f"==> {log.name} <==", *log.read_text(errors="replace").splitlines()[-5:], sep="\n", file=sys.stderr)
    return code

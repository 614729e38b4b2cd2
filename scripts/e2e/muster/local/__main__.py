"""The commands of scripts/cluster and scripts/demo.

This folder uses the standard library alone, so that a visitor needs nothing but Python.
"""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import NoReturn

from muster import process, programs
from muster.local.processes import DidNotStart, Processes

USAGE = """A cluster that keeps running: Redis, three nodes, and Nginx with its sidecar.
  scripts/cluster up [NODES] | status | env | down   its state is in .cluster, or in $MUSTER_CLUSTER_DIR
  scripts/cluster kill NAME | start NAME             with NAME one of redis, node1, node2, ..., nginx
An Nginx that was killed restarts by itself."""
# Of the generator of scripts/demo.
FLAGS = "--terminals 2000 --ramp 5s --broadcasts 5 --churn 5%/s --for 20s --allow-shortfall"
SLO = "refused==0,indeterminate==0,late==0,lost==0"


def main(words: list[str]) -> int:
    """Run one command and return its exit code."""
    os.chdir(programs.ROOT)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupted)
    match words:
        case ["demo", *flags]:
            return demo(flags)
        case ["up", *nodes] if len(nodes) < 2:
            return up(*nodes)
        case ["status"]:
            return status(_cluster())
        case ["env"]:
            return variables(_cluster())
        case ["down"]:
            _cluster().down()
            return 0
        case ["kill" | "start" as verb, name]:
            return kill(_cluster(), name) if verb == "kill" else start(_cluster(), name)
    print(USAGE, file=sys.stderr)
    return 2


def _interrupted(number: int, _frame: FrameType | None) -> NoReturn:
    # A second Ctrl-C must not stop the clean-up.
    for other in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(other, signal.SIG_IGN)
    sys.exit(128 + number)


def _cluster() -> Processes:
    # What $node_flags and $sidecar_flags say goes to the programs.
    flags = {program: os.environ.get(f"{program}_flags", "").split() for program in ("node", "sidecar")}
    return Processes(Path(os.environ.get("MUSTER_CLUSTER_DIR", ".cluster")).absolute(), flags)


def _is_up(cluster: Processes) -> bool:
    return (cluster.directory / "key").exists()


def up(nodes: str = "3") -> int:
    """Start a cluster that keeps running."""
    if not nodes.isdigit() or int(nodes) == 0:
        print(f"up {nodes}: give a number of nodes, for example 3", file=sys.stderr)
        return 2
    cluster = _cluster()
    if _is_up(cluster):
        print("it is up already", file=sys.stderr)
    else:
        _start_all(cluster, int(nodes))
    return status(cluster)


def _start_all(cluster: Processes, nodes: int) -> None:
    try:
        programs.install(programs.PACKAGES)
        programs.build()
        cluster.up(nodes)
    except BaseException as error:
        cluster.down()
        if isinstance(error, DidNotStart | subprocess.CalledProcessError):
            sys.exit(str(error))
        raise


def status(cluster: Processes) -> int:
    """Print how to use the cluster, and which processes run."""
    if not _is_up(cluster):
        print("down; start it by: scripts/cluster up")
        return 1
    proxy, key = cluster.read("sidecar.address"), _key_file(cluster)
    node = programs.directory() / "muster-node"
    token = subprocess.run(
        [node, "token", "--terminal", "t1"],
        env={"MUSTER_SECRET": cluster.read("secret")},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    curl = f'curl -H "Authorization: Bearer $(cat {key})" http://{proxy}'
    print(f"""terminals  ws://{proxy}/ws?terminal_id=ID
API        http://{proxy}/v1/
a key      in {key}   (of an operator)
a token    {token}   (for terminal t1)

{curl}/v1/nodes
{curl}/v1/commands -d '{{"target":{{"all":true}},"name":"hello","payload":"hi"}}'
""")
    for name in ["redis", *(name for name in cluster.names() if name.startswith("node")), "sidecar"]:
        print(name, "up" if process.runs(cluster.pid(name)) else "DOWN")
    return 0


def variables(cluster: Processes) -> int:
    """Print the environment that programs need:  eval "$(scripts/cluster env)"."""
    if not _is_up(cluster):
        print("down; start it by: scripts/cluster up", file=sys.stderr)
        return 1
    proxy, key, secret = (cluster.read(file) for file in ("sidecar.address", "key", "secret"))
    print(f"export MUSTER_URL=ws://{proxy}/ws MUSTER_API=http://{proxy} MUSTER_KEY={key} MUSTER_SECRET={secret}")
    # What the command line `muster` reads.
    print(f"export MUSTER_API_URL=http://{proxy} MUSTER_KEY_FILE={_key_file(cluster)}")
    return 0


def _key_file(cluster: Processes) -> str:
    """Return the path of the file with an operator's key, quoted for a shell."""
    return shlex.quote(str((cluster.directory / "key").resolve()))


def kill(cluster: Processes, name: str) -> int:
    """Kill one process."""
    if name != "nginx" and name not in cluster.names():
        print(f"{name}: there is {' '.join([*cluster.names(), 'nginx'])}", file=sys.stderr)
        return 2
    cluster.kill(name)
    return 0


def start(cluster: Processes, name: str) -> int:
    """Start one process again, or one more node."""
    if name not in ("redis", "sidecar") and not (name.startswith("node") and name[4:].isdigit()):
        print(f"{name}: there is redis, sidecar, node1, node2, ...", file=sys.stderr)
        return 2
    if name in cluster.names() and process.runs(cluster.pid(name)):
        print(f"{name} is up already", file=sys.stderr)
    else:
        cluster.start(name)
    return 0


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
    to = ["--url", f"ws://{proxy}/ws", "--api", f"http://{proxy}"]
    generator = [*programs.PRIORITY, programs.program("muster-loadgen"), "run"]
    command = [*generator, *to, *FLAGS.split(), "--slo", SLO, *flags]
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

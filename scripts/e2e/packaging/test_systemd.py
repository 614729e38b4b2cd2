"""The systemd units are valid, leave little open, and start programs that can do their work within them.

And the manifests for Kubernetes are valid.
"""

import os
import random
import re
import shutil
import signal
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from muster import process, programs, wait
from muster.api import Api
from muster.fixtures import missing, need
from muster.local.processes import redis_answers

UNITS = programs.ROOT / "compose" / "systemd"
# What the units allow: they start as another user, who gains no privilege.
CONFINED = "setpriv --reuid nobody --regid nogroup --clear-groups --no-new-privs --bounding-set=-all".split()
PASSWORD = "guess-me"
NODE, SIDECAR, AGENT = "muster-node@.service", "muster-sidecar.service", "muster-terminal.service"
# In tenths: 2.0 of 10. `systemd-analyze security` calls 5.0 OK.
EXPOSURE = 20
PAGE = programs.ROOT / "docs" / "operations.md"
# The unit's own variable, and flags of cargo, of systemctl and of kubectl.
OTHERS = {"MUSTER_ADDRESS", "--release", "--locked", "--now", "--from-file"}


class Host:
    """A host as the units expect it, and what they start, started without systemd. Needs root.

    Programs, units, settings and credentials are below `root`. There is a Redis with a password.
    """

    def __init__(self, directory: Path) -> None:
        self.directory, self.root = directory, directory / "host"
        # An address of its own: a node's port is the name of its instance.
        self.address = f"127.0.0.{random.SystemRandom().randrange(2, 252)}"
        self.redis_port = process.free_port()
        self.etc, self._traces = self.root / "etc" / "muster", self.root / "traces"
        for folder in "usr/bin usr/local/bin etc/systemd/system etc/muster traces var/lib/muster-sidecar".split():
            (self.root / folder).mkdir(parents=True)
        for name in ("muster-node", "muster-sidecar"):
            shutil.copy(programs.program(name), self.root / "usr" / "local" / "bin")
        for file in ("/usr/bin/kill", programs.program("muster-terminal")):
            shutil.copy(file, self.root / "usr" / "bin")
        shutil.copytree("/usr/lib/systemd/system", self.root / "usr" / "lib" / "systemd" / "system", symlinks=True)
        for unit in (*UNITS.glob("*.service"), programs.ROOT / "terminal" / AGENT):
            shutil.copy(unit, self.root / "etc" / "systemd" / "system")
        self._configure()

    def _configure(self) -> None:
        for name in ("secret", "cluster-secret"):
            command = [programs.program("muster-node"), "secret"]
            (self.etc / name).write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
        (self.etc / "redis-password").write_text(f"{PASSWORD}\n")
        redis = f"MUSTER_REDIS=redis://127.0.0.1:{self.redis_port}\n"
        (self.etc / "node.env").write_text(f"MUSTER_ADDRESS={self.address}\nMUSTER_DRAIN=1s\n{redis}")
        (self.etc / "sidecar.env").write_text(f"MUSTER_PROXY_LISTEN=127.0.0.1:0\n{redis}")
        for path in (self._traces, self.root / "var" / "lib" / "muster-sidecar", self.etc, *self.etc.iterdir()):
            shutil.chown(path, "nobody")

    def start_redis(self) -> None:
        """Start Redis, and wait until it answers."""
        command = f"redis-server --bind 127.0.0.1 --port {self.redis_port} --requirepass {PASSWORD} --dir".split()
        process.launch(self.directory, "redis", [*command, self.directory, "--save", ""])
        wait.until(lambda: redis_answers(self.redis_port, PASSWORD), within=20)

    def start(self, unit: str, name: str, instance: str = "") -> None:
        """Start what a unit starts, as systemd would, with the host's folders for the root's. Its calls are traced."""
        environment = dict(line.split("=", 1) for line in self._settings(unit))
        for line in self._values(unit, "Environment", instance):
            environment |= dict(word.split("=", 1) for word in line.split())
        line = string.Template(self._values(unit, "ExecStart", instance)[0]).substitute(environment)
        given = ["env", "-i", f"PATH={os.environ['PATH']}", *(f"{key}={value}" for key, value in environment.items())]
        trace: list[str | Path] = ["strace", "-D", "-f", "-qq", "-e", "signal=none", "-o", self._traces / name]
        process.launch(self.directory, name, [*given, *CONFINED, *trace, *line.split()])

    def _settings(self, unit: str) -> list[str]:
        file = self._values(unit, "EnvironmentFile")[0]
        return [line for line in (self.root / file.lstrip("/")).read_text().splitlines() if line]

    def _values(self, unit: str, key: str, instance: str = "") -> list[str]:
        """Return the values of a key of the unit, with the host's folders where a program is to find them."""
        values = re.findall(f"^{key}=(.*)$", (UNITS / unit).read_text(), re.MULTILINE)
        places = {"%i": instance, "%d": str(self.etc)}
        places |= {path: f"{self.root}{path}" for path in ("/usr/local/bin", "/var/lib")}
        pattern = "|".join(map(re.escape, places))
        return [re.sub(pattern, lambda found: places[found[0]], value) for value in values]

    def ends(self, name: str) -> bool:
        """Send SIGTERM; return whether the program ends within 20 s."""
        pid = int((self.directory / f"{name}.pid").read_text())
        os.kill(pid, signal.SIGTERM)
        return process.gone(pid, 20)

    def log(self, name: str) -> str:
        """Return what a program has printed."""
        return (self.directory / f"{name}.log").read_text()

    def calls(self, name: str) -> set[str]:
        """Return the system calls that a program has made."""
        return set(re.findall(r"^\d+ +([a-z0-9_]+)\(", (self._traces / name).read_text(errors="replace"), re.MULTILINE))

    def end(self) -> None:
        """End all programs."""
        for file in self.directory.glob("*.pid"):
            process.end(int(file.read_text()))


def calls_of(group: str) -> set[str]:
    """Return the system calls of a group that systemd knows by name, and of the groups in it."""
    shown = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True)
    found: set[str] = set()
    for name in re.findall(r"^ +([@a-z0-9_-]+)$", shown.stdout, re.MULTILINE):
        found |= calls_of(name) if name.startswith("@") else {name}
    return found


@pytest.fixture
def host(directory: Path) -> Iterator[Host]:
    """A host with the units."""
    need("systemd-analyze", "strace")
    if not shutil.which("setpriv"):
        missing("setpriv is missing; install it")
    if os.geteuid() != 0:
        missing("only root may start programs as another user")
    made = Host(directory)
    yield made
    made.end()
    process.end_nginx(made.root / "var" / "lib" / "muster-sidecar")


def test_the_units_are_valid(host: Host) -> None:
    units = ["muster-node@9000.service", SIDECAR, AGENT]
    verify = ["systemd-analyze", "verify", "--man=no", f"--root={host.root}", *units]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    # What systemd warns of it calls a success.
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("unit", [NODE, SIDECAR])
def test_a_unit_leaves_less_open_than_2_of_10(host: Host, unit: str) -> None:
    security = ["systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}"]
    done = subprocess.run([*security, UNITS / unit], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-400:] + done.stderr


def test_what_the_units_start_serves_and_stops_and_makes_no_forbidden_call(host: Host) -> None:
    host.start_redis()
    host.start(NODE, "node", instance="9000")
    host.start(SIDECAR, "proxy")
    api = Api(lambda: re.findall("ready on (.*)", host.log("proxy"))[-1], read_key(host))
    wait.until(lambda: api.is_ready(f"{host.address}:9000"), within=20)
    wait.until(lambda: re.findall("ready on (.*)", host.log("proxy")), within=20)
    nodes = wait.until(lambda: api.get("/v1/nodes")["nodes"], within=20)
    assert [node["address"] for node in nodes] == [f"{host.address}:9000"]

    for name in ("proxy", "node"):
        assert host.ends(name), host.log(name)[-2000:]

    # Both units allow the same.
    allowed = calls_of("@system-service") - calls_of("@privileged")
    for name in ("node", "proxy"):
        calls = host.calls(name)
        assert len(calls) > 20, "the trace lacks most of the calls"
        assert calls <= allowed, f"{name}: {calls - allowed}"


def test_every_variable_and_flag_that_the_page_on_operations_names_exists() -> None:
    node = ["", " secret", " key", " key list", " store export", " store import", " store raise-schema"]
    helps = ["muster-sidecar", *(f"muster-node{command}" for command in node)]
    known = OTHERS | {name for words in helps for name in names(help_of(*words.split()))}
    assert "MUSTER_REDIS" in known
    assert names(PAGE.read_text()) - known == set()


def names(text: str) -> set[str]:
    """Return the variables and flags in a text."""
    return set(re.findall(r"MUSTER_[A-Z_]+|\B--[a-z][a-z-]+", text))


def help_of(program: str, *words: str) -> str:
    """Return what a program says of its flags."""
    command = [programs.program(program), *words, "--help"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def read_key(host: Host) -> str:
    """Return a key that the cluster accepts, as the page makes one."""
    command = [programs.program("muster-node"), "key", "--scope", "read", "--secret-file", str(host.etc / "secret")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


# The manifests for Kubernetes fit its schemas: of the oldest version that its makers still support, and of the newest.

KUBERNETES = programs.ROOT / "compose" / "kubernetes"
SCHEMAS = "kubernetes-validate==1.37.0"


@pytest.fixture(scope="session")
def schemas() -> Path:
    """A program that checks manifests by the schemas of Kubernetes, from PyPI."""
    try:
        return programs.pip_install(SCHEMAS)
    except SystemExit as error:
        missing(str(error))


def manifest_errors(schemas: Path, version: str, *files: Path) -> str:
    """Return what is wrong with these manifests; nothing if they fit the schemas of this version."""
    words = ["-m", "kubernetes_validate", "--strict", "--quiet", "-k", version]
    command = [sys.executable, *words, *map(str, files)]
    env = {**os.environ, "PYTHONPATH": str(schemas)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=env)
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize("version", ["1.34", "1.37"])
def test_manifests_fit_the_schemas_of_kubernetes(schemas: Path, version: str, directory: Path) -> None:
    files = sorted(KUBERNETES.glob("*.yaml"))
    assert len(files) == 2 and manifest_errors(schemas, version, *files) == ""
    wrong = directory / "wrong.yaml"
    wrong.write_text(files[0].read_text().replace("livenessProbe", "liveProbe"))
    assert "liveProbe" in manifest_errors(schemas, version, wrong)

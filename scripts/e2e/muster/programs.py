"""The programs under test and the programs of others: where they are, and how they get there.

Uses the standard library alone.
"""

import fcntl
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = {
    "redis-server": "redis-server",
    "nginx": "nginx-light",
    "cc": "gcc libc6-dev",
    "setsid": "util-linux",
}
TEST_PACKAGES = {
    "openssl": "openssl",
    "curl": "curl",
    "patch": "patch",
    "chromium": "chromium",
    "systemd-analyze": "systemd",
    "strace": "strace",
    "faketime": "faketime",
    "mosquitto": "mosquitto",
}
# What the clients in other languages are tested with.
CLIENT_PACKAGES = {
    "node": "nodejs",
    "npm": "npm",
    "javac": "default-jdk-headless",
    "mvn": "maven",
    "go": "golang-go",
}
PROGRAMS = ["-p", "muster-node", "-p", "muster-sidecar", "-p", "muster-loadgen"]

# A command in front of a generator. The generator shares its machine with the servers, which terminals would not: where
# this user may, it runs before them as a real-time process. With a lower nice value alone it waits until a server's
# slice ends, about 3 ms. The kernel compares sessions by their autogroup before it compares the nice values in them.
PRIORITY = [
    "bash",
    "-c",
    '{ chrt --rr --pid 1 $$ || { echo -10 >/proc/$$/autogroup; renice -n -10 -p $$; } } >/dev/null 2>&1; exec "$@"',
    "first",
]

# Debian keeps daemons where a plain user's shell does not look.
os.environ["PATH"] += ":/usr/sbin:/sbin"


def directory() -> Path:
    """Return the folder of the built programs: MUSTER_BIN, or where cargo puts release builds."""
    if given := os.environ.get("MUSTER_BIN"):
        return Path(given).resolve()
    return ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release"


def program(name: str) -> str:
    """Return the path of a built program, for example of "muster-node"."""
    return str(directory() / name)


def chance(seed: int, name: str) -> dict[str, str]:
    """Return the environment that gives a program of terminals its chance: another one for each `name`."""
    return {"MUSTER_SEED": str(random.Random(f"{seed} {name}").getrandbits(63))}


def build() -> None:
    """Compile the three programs, unless MUSTER_BIN says that they are built already."""
    if command := build_command():
        subprocess.run(command, cwd=ROOT, check=True)


def build_command(*besides: str) -> list[str]:
    """Return what compiles the three programs and what `besides` names; nothing if MUSTER_BIN says where they are.

    The programs are always named together: the features of their dependencies follow from what is built at once, and
    one alone would have most of its dependencies compiled again.
    """
    if "MUSTER_BIN" in os.environ:
        if not (directory() / "muster-node").exists():
            sys.exit(f"MUSTER_BIN: there is no muster-node in {directory()}; name the folder of a build, or unset it")
        return []
    if not (directory() / "muster-loadgen").exists():
        print("compiling the programs, which takes 2 to 4 minutes on two cores the first time", file=sys.stderr)
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    return ["cargo", "build", "--release", "--locked", *quiet, *PROGRAMS, *besides]


def install(packages: dict[str, str]) -> None:
    """Install the Debian packages of those programs that are missing, by PROGRAM: PACKAGES.

    Raises SystemExit with the command to give, where this user may not install.
    """
    if all(map(shutil.which, packages)):
        return
    # Tests that run at once may want the same packages.
    with (Path(tempfile.gettempdir()) / f"muster-install.{os.geteuid()}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install([word for program, words in packages.items() if not shutil.which(program) for word in words.split()])


def _install(missing: list[str]) -> None:
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(f"{sys.argv[0]}: something is missing; install it, on Debian by: apt-get install {' '.join(missing)}")
    print("installing", *missing, file=sys.stderr)
    _quietly("apt-get", "update", "-qq")
    _quietly("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)
    for package in {"redis-server", "nginx-light", "mosquitto"} & set(missing):
        # Debian starts these as services, on ports that are not ours to take.
        subprocess.run(["service", package.removesuffix("-light"), "stop"], check=False, capture_output=True)


def cargo_tool(name: str, version: str, *flags: str) -> str:
    """Return the PATH with a program of crates.io, such as the subcommand "cargo-deny"; compile it if it is missing."""
    tools = directory().parent / "tools"
    path = f"{os.environ['PATH']}:{tools / 'bin'}"
    if not shutil.which(name, path=path):
        print(f"compiling {name}, which takes minutes on two cores", file=sys.stderr)
        install = ["cargo", "install", "--locked", "--quiet", *flags, "--root", str(tools), f"{name}@{version}"]
        subprocess.run(install, check=True)
    return path


def go_tool(module: str) -> str:
    """Return the program of a Go module, for example of "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12".

    It is compiled if it is missing. Raises SystemExit as `install` does, or if it can't be compiled.
    """
    tools = directory().parent / "tools" / module.replace("/", "_")
    found = tools / Path(module.partition("@")[0]).name
    if not found.exists():
        install({"go": CLIENT_PACKAGES["go"]})
        _or_exit("go", "install", module, GOBIN=str(tools))
    return str(found)


def pip_install(*packages: str) -> Path:
    """Install packages of PyPI, for example `kubernetes-validate==1.37.0`, and return the folder for PYTHONPATH.

    Raises SystemExit if pip can't get them.
    """
    folder = ROOT / "target" / "e2e-pip" / "_".join(packages)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            pip = "-m pip install --quiet --disable-pip-version-check --root-user-action ignore --target".split()
            _or_exit(sys.executable, *pip, str(folder), *packages)
            (folder / "done").touch()
    return folder


def _or_exit(*command: str, **variables: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, **variables})
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr[-500:]}")


def install_rust_components() -> None:
    """Install rustfmt and clippy where cargo lacks them."""
    for component, command in (("rustfmt", "fmt"), ("clippy", "clippy")):
        found = subprocess.run(["cargo", command, "--version"], cwd=ROOT, check=False, capture_output=True)
        if found.returncode != 0:
            subprocess.run(["rustup", "component", "add", component], cwd=ROOT, check=True)


def _quietly(*command: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(command, check=True, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def npm_install(*packages: str) -> Path:
    """Install packages of npm, for example `ws@8.18.3`, and return the folder for NODE_PATH.

    The folder lies beside the built programs, so that the next test finds it.
    """
    install({"node": "nodejs", "npm": "npm"})
    at = ROOT / "target" / "e2e-node"
    at.mkdir(parents=True, exist_ok=True)
    with (at / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _quietly(
            "npm", "install", "--prefix", str(at), "--silent", "--no-audit", "--no-fund", "--ignore-scripts", *packages
        )
    return at / "node_modules"


def maven_package(project: Path) -> None:
    """Build the Maven project of this folder; what it makes lies below `target/`.

    Raises SystemExit as `install` does.
    """
    install({"mvn": "maven", "javac": "default-jdk-headless"})
    command = ["mvn", "-q", "-B", "-f", str(project / "pom.xml"), "package"]
    with (Path(tempfile.gettempdir()) / f"muster-maven.{os.geteuid()}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Where all packages are there already, nothing is asked for.
        if subprocess.run([*command, "-o"], check=False, capture_output=True).returncode != 0:
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)

"""What a release is made of: its workflow, its notes, its archives, and the bills of materials."""

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

from muster import programs
from muster.cluster.docker import BASE_IMAGES
from muster.fixtures import missing

RELEASE = programs.ROOT / "compose" / "release"

# The workflows are valid, and the release has its notes.

ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
WORKFLOWS = {path.name: path for path in (programs.ROOT / ".github" / "workflows").glob("*.yml")}


def lint(*workflows: Path) -> subprocess.CompletedProcess[str]:
    """Check workflows: their form, their expressions, and the inputs of their actions."""
    try:
        command = [programs.go_tool(ACTIONLINT), "-shellcheck=", "-pyflakes=", *map(str, workflows)]
    except SystemExit as error:
        missing(str(error))
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_workflows_are_valid(directory: Path) -> None:
    checked = lint(*WORKFLOWS.values())
    assert checked.returncode == 0, checked.stdout + checked.stderr
    wrong = directory / "release.yml"
    text = WORKFLOWS["release.yml"].read_text()
    for right, other in (("outputs.time }}", "outputs.date }}"), ("runs-on: ubuntu-24.04\n", "runs-on: ubuntu-1\n")):
        assert right in text
        wrong.write_text(text.replace(right, other))
        assert lint(wrong).returncode == 1, other


def test_actions_are_pinned_by_commit_and_programs_are_built_with_the_same_rust() -> None:
    used = re.findall(r"uses: (.*)", "\n".join(path.read_text() for path in WORKFLOWS.values()))
    loose = [name for name in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d.*|\./\.github/.*", name)]
    assert len(used) > 5 and loose == []
    assert set(re.findall(r"container: (.*)", WORKFLOWS["release.yml"].read_text())) == {BASE_IMAGES[1]}


def test_a_release_has_the_notes_of_its_version() -> None:
    def notes(version: str) -> subprocess.CompletedProcess[str]:
        command = [str(RELEASE / "notes"), version]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    log = (programs.ROOT / "CHANGELOG.md").read_text()
    for version in re.findall(r"^## \[(.*?)\]", log, re.MULTILINE):
        printed = notes(version).stdout.strip()
        assert printed.startswith("### ") and printed in log and "\n## " not in printed
    assert (notes("9.9.9").returncode, notes("9.9.9").stdout) == (1, "")
    assert "## [9.9.9]" in notes("9.9.9").stderr


# The archives.


def released(script: str, target: str, folder: Path, umask: int = 0o022, **variables: str) -> list[Path]:
    """Return the files that a script of compose/release makes for a target.

    Without MUSTER_BIN among the variables it builds the programs itself.
    """
    environment = {key: value for key, value in os.environ.items() if key != "MUSTER_BIN"} | variables
    command = [str(RELEASE / script), target, str(folder)]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True, env=environment, umask=umask)
    assert done.returncode == 0
    return [Path(line) for line in done.stdout.splitlines()]


ALL = ["muster", "muster-loadgen", "muster-node", "muster-sidecar", "muster-terminal"]
TARGET, WINDOWS = "x86_64-unknown-linux-musl", "x86_64-pc-windows-gnu"


@pytest.mark.parametrize(("target", "names"), [(TARGET, ALL), (WINDOWS, ["muster-terminal.exe"])])
def test_an_archive_has_the_same_bytes_whoever_makes_it(directory: Path, target: str, names: list[str]) -> None:
    built = directory / "built"
    built.mkdir()
    for name in names:
        (built / name).write_text(name)
    (first,), (second,) = (
        released("build", target, directory / str(umask), umask=umask, TZ=zone, MUSTER_BIN=str(built))
        for zone, umask in (("UTC", 0o022), ("Asia/Shanghai", 0o077))
    )
    assert first.read_bytes() == second.read_bytes()
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=first.parent, check=True)
    with tarfile.open(first) as archive:
        members = archive.getmembers()
    assert [member.name for member in members] == sorted(member.name for member in members)
    assert {(member.uid, member.gid) for member in members} == {(0, 0)} and len({each.mtime for each in members}) == 1
    assert [Path(each.name).name for each in members if "/bin/" in each.name and each.mode == 0o755] == names


@pytest.mark.long("release")
@pytest.mark.timeout(3600)
def test_the_programs_of_an_archive_need_nothing_of_the_host(directory: Path) -> None:
    programs.install({"musl-gcc": "musl-tools"})
    subprocess.run(["rustup", "target", "add", TARGET], cwd=programs.ROOT, check=True)
    (archive,) = released("build", TARGET, directory / "made")
    with tarfile.open(archive) as opened:
        opened.extractall(directory, filter="data")
    found = list(directory.glob("muster-*/bin/*"))
    assert len(found) == len(ALL)
    for program in found:
        # The folder has no library, no loader and no other program.
        command = ["chroot", str(program.parent), f"/{program.name}", "--version"]
        assert subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.mark.long("release")
@pytest.mark.timeout(3600)
def test_the_agent_of_an_archive_is_a_program_of_windows(directory: Path) -> None:
    programs.install({"x86_64-w64-mingw32-gcc": "gcc-mingw-w64-x86-64"})
    subprocess.run(["rustup", "target", "add", WINDOWS], cwd=programs.ROOT, check=True)
    (archive,) = released("build", WINDOWS, directory / "made")
    with tarfile.open(archive) as opened:
        opened.extractall(directory, filter="data")
    (program,) = directory.glob("muster-*/bin/*")
    header = program.read_bytes()[:1024]
    assert header.startswith(b"MZ") and b"PE\0\0" in header


# The bills of materials.

CYCLONEDX, VALIDATOR = "0.5.9", "cyclonedx-python-lib[json-validation]==11.12.0"
# Prints what is wrong with each bill, by the schema of its makers.
VALIDATE = """
import pathlib, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

for name in sys.argv[1:]:
    if wrong := JsonStrictValidator(SchemaVersion.V1_5).validate_str(pathlib.Path(name).read_text()):
        print(name, str(wrong)[:500])
"""


@pytest.mark.long("release")
def test_each_program_has_a_valid_bill_of_materials(directory: Path) -> None:
    path = programs.cargo_tool("cargo-cyclonedx", CYCLONEDX)
    bills = released("bill", TARGET, directory / "first", PATH=path)
    assert len(bills) == len(ALL)
    again = released("bill", TARGET, directory / "again", PATH=path)
    assert [bill.read_bytes() for bill in bills] == [bill.read_bytes() for bill in again]
    torn = directory / "torn.json"
    torn.write_text(bills[0].read_text().replace('"bomFormat"', '"form"'))
    assert invalid(*bills) == [] and invalid(torn) != []
    locked = {
        (crate["name"], crate["version"])
        for crate in tomllib.loads((programs.ROOT / "Cargo.lock").read_text())["package"]
    }
    for bill in bills:
        assert str(programs.ROOT) not in bill.read_text()
        parts = json.loads(bill.read_text())["components"]
        crates = {(part["name"], part["version"]) for part in parts}
        assert {"tokio", "ring", "serde"} <= {name for name, _ in crates} and crates <= locked
        assert [part["name"] for part in parts if not part.get("licenses")] == []


def invalid(*bills: Path) -> list[str]:
    """Return what is wrong with these bills."""
    env = {**os.environ, "PYTHONPATH": str(programs.pip_install(VALIDATOR))}
    command = [sys.executable, "-c", VALIDATE, *map(str, bills)]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout.splitlines()

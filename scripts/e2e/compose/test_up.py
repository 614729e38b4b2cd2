"""One command makes a cluster of three that is healthy, takes commands, is confined, and ends orderly."""

import os
import subprocess
from pathlib import Path

import pytest

from muster import programs, wait
from muster.cluster.docker import BASE_IMAGES, docker
from muster.cluster.docker import missing as docker_lacks
from muster.cluster.project import Project
from muster.fixtures import missing, need
from muster.traffic.loadgen import PlayFactory

HEALTH = (
    '{{index .Config.Labels "com.docker.compose.service"}} '
    "{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}} {{.State.ExitCode}}{{end}}"
)
CONFINED = (
    "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}} "
    "{{.HostConfig.SecurityOpt}}"
)
# Bytes. The compiler, or its cache, would be several times as large.
LARGEST = 250_000_000
# Prints those of its arguments, each ADDRESS/PORT, to which a connection can be made.
REACH = 'for at in "$@"; do timeout 1 bash -c "exec 3<>/dev/tcp/$at" && echo "$at"; done; true'


def test_up_makes_three_nodes_and_every_container_healthy(project: Project) -> None:
    project.up()
    wait.until(project.states, lambda states: states == ["ready"] * 3, within=10)
    healthy = ["node healthy"] * 3 + ["proxy healthy", "redis healthy", "secrets exited 0"]
    wait.until(lambda: sorted(project.inspect(HEALTH)), lambda health: health == healthy, within=20)


@pytest.mark.parametrize("image", ["node", "proxy", "loadgen", "redis:7.0"])
def test_an_image_is_debian_with_one_program(project: Project, image: str) -> None:
    name = f"muster/{image}" if ":" in image else f"muster/{image}:{project.variables['MUSTER_TAG']}"
    user, size = docker("image", "inspect", "-f", "{{.Config.User}} {{.Size}}", name).split()
    assert user == "muster"
    assert int(size) < LARGEST


def test_a_browser_finds_three_nodes_ready(project: Project) -> None:
    need("chromium")
    project.up()
    profile = project.directory / "chromium"
    # Each node knows of the others within a second.
    page = f"http://{project.address()}/"
    wait.until(lambda: browsed(page, profile), lambda text: "Muster: 3 nodes are ready" in text, within=20)


def browsed(page: str, profile: Path) -> str:
    """Return the page as a browser has it."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--dump-dom"]
    return subprocess.run(["chromium", *flags, page], capture_output=True, text=True, check=False, timeout=60).stdout


def test_only_the_proxy_can_be_reached_and_no_container_has_a_privilege(project: Project) -> None:
    project.up()
    assert "".join(docker("port", id_) for id_ in project.ids()).split("\n") == [
        f"8080/tcp -> {project.address()}",
        "",
    ]
    # From the network to which the published port leads. The proxy shows that an attempt can succeed.
    targets = [*addresses(project, "redis", 6379), *addresses(project, "node", 9000), "proxy/8080"]
    assert len(targets) == 5
    run = ["run", "--rm", "--no-deps", "-T", "--entrypoint", "bash", "loadgen", "-c", REACH, "-"]
    reached = project.compose(*run, *targets).splitlines()
    assert [line for line in reached if line in targets] == ["proxy/8080"]
    confined = "muster true [ALL] [] [no-new-privileges:true]"
    assert project.inspect(CONFINED) == [confined] * len(project.ids())


def addresses(project: Project, service: str, port: int) -> list[str]:
    """Return where the containers of a service listen, in all their networks."""
    template = f"{{{{range .NetworkSettings.Networks}}}}{{{{.IPAddress}}}}/{port} {{{{end}}}}"
    return " ".join(project.inspect(template, service)).split()


def test_stop_ends_every_program_by_itself_and_down_leaves_nothing(project: Project, play: PlayFactory) -> None:
    project.up()
    play(200, "--commands", "20", "--churn", "5%/s", "--for", "5s").judge()
    project.compose("stop")
    ends = project.inspect("{{.Name}} {{.State.ExitCode}} {{.State.OOMKilled}}")
    assert ends
    assert [end for end in ends if not end.endswith(" 0 false")] == []
    project.compose("down", "-v")
    assert project.left() == []


# Lists the files of the system, installs the packages, uses them, removes and purges them, and lists again. What dpkg
# itself, the list of users and the cache of libraries leave behind is not the packages'. Nginx is not in the image.
INSTALL = """
set -e
files() {
  find / -xdev -path /proc -prune -o -path /packages -prune -o -path /tmp -prune -o -print | grep -vE "$OTHERS" | sort
}
OTHERS='^/(var/lib/dpkg|var/log|var/cache)|^/etc/(passwd|shadow|group|gshadow|subuid|subgid)-?$'
files >/tmp/before
dpkg --force-depends -i /packages/*.deb
for program in muster muster-node muster-sidecar muster-loadgen muster-terminal; do $program --version; done
muster-terminal --check --config /etc/muster/terminal.toml
grep -q ^muster-proxy: /etc/passwd
ls /usr/lib/systemd/system/muster-node@.service /usr/lib/systemd/system/muster-sidecar.service
! grep -r /usr/local /usr/lib/systemd/system/muster*
echo '# changed' >>/etc/muster/node.env
dpkg --force-depends -i /packages/muster-node_*.deb
grep -q changed /etc/muster/node.env
dpkg -r muster muster-node muster-sidecar muster-loadgen muster-terminal
ls /etc/muster/node.env
dpkg -P muster-node muster-sidecar muster-terminal
! grep -q ^muster-proxy: /etc/passwd
files >/tmp/after
diff /tmp/before /tmp/after
echo nothing is left
"""


def test_packages_are_installed_removed_and_purged_and_leave_nothing(directory: Path) -> None:
    if why := docker_lacks():
        missing(why)
    packages = directory / "packages"
    environment = {**os.environ, "MUSTER_BIN": str(programs.directory())}
    build = [programs.ROOT / "compose" / "debian" / "build", packages]
    made = subprocess.run(build, capture_output=True, text=True, check=False, env=environment)
    assert (made.returncode, len(made.stdout.splitlines())) == (0, 5), made.stdout + made.stderr
    run = ["run", "--rm", "-i", "--network=none", "-v", f"{packages}:/packages:ro", BASE_IMAGES[0], "bash"]
    assert docker(*run, stdin=INSTALL).endswith("nothing is left\n")

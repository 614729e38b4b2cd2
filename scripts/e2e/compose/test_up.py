"""One command makes a cluster of three that is healthy, takes commands, is confined, and ends orderly."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from muster import programs, wait
from muster.cluster.docker import BASE_IMAGES, docker, session, works
from muster.cluster.docker import missing as docker_lacks
from muster.cluster.project import Project
from muster.fixtures import missing, need
from muster.traffic.loadgen import PlayFactory

pytestmark = pytest.mark.long("compose")

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


# The packages for Debian.


@pytest.fixture
def packages(directory: Path) -> Path:
    """The folder of the packages for Debian. The test is skipped where there is no Docker engine to install them in."""
    if why := docker_lacks():
        missing(why)
    folder = directory / "packages"
    environment = {**os.environ, "MUSTER_BIN": str(programs.directory())}
    build = [programs.ROOT / "compose" / "debian" / "build", folder]
    made = subprocess.run(build, capture_output=True, text=True, check=False, env=environment)
    assert (made.returncode, len(made.stdout.splitlines())) == (0, 5), made.stdout + made.stderr
    return folder


# Lists the files of the system, installs the packages, uses them, removes and purges them, and lists again. What dpkg
# itself, the list of users and the cache of libraries leave behind is not the packages'. Nginx is not in the image.
# `set -e` takes no notice of a command behind `!`.
NOT = 'set -e; not() { ! "$@"; }'
INSTALL = f"""{NOT}
files() {{
  find / -xdev -path /proc -prune -o -path /packages -prune -o -path /tmp -prune -o -print | grep -vE "$OTHERS" | sort
}}
OTHERS='^/(var/lib/dpkg|var/log|var/cache)|^/etc/(passwd|shadow|group|gshadow|subuid|subgid)-?$'
files >/tmp/before
dpkg --force-depends -i /packages/*.deb
for program in muster muster-node muster-sidecar muster-loadgen muster-terminal; do $program --version; done
muster-terminal --check --config /etc/muster/terminal.toml
grep -q ^muster-proxy: /etc/passwd
ls /usr/lib/systemd/system/muster-node@.service /usr/lib/systemd/system/muster-sidecar.service
not grep -r /usr/local /usr/lib/systemd/system/muster*
echo '# changed' >>/etc/muster/node.env
dpkg --force-depends -i /packages/muster-node_*.deb
grep -q changed /etc/muster/node.env
dpkg -r muster muster-node muster-sidecar muster-loadgen muster-terminal
ls /etc/muster/node.env
dpkg -P muster-node muster-sidecar muster-terminal
not grep -q ^muster-proxy: /etc/passwd
files >/tmp/after
diff /tmp/before /tmp/after
echo nothing is left
"""


def test_packages_are_installed_removed_and_purged_and_leave_nothing(packages: Path) -> None:
    run = ["run", "--rm", "-i", "--network=none", "-v", f"{packages}:/packages:ro", BASE_IMAGES[0], "bash"]
    assert docker(*run, stdin=INSTALL).endswith("nothing is left\n")


# What a machine gives systemd and a container does not: control groups that it may write, and shared mounts, by
# which it hands over credentials.
INIT = """
for at in /sys/fs/cgroup /sys/fs/cgroup/systemd; do mount -o remount,rw $at; done
mount --make-rshared /
exec /lib/systemd/systemd
"""
# Not --privileged: a Docker engine that lacks one capability itself could not give all. A service manager needs most.
MIGHTY = "--cap-add=ALL --cap-drop=SYS_RESOURCE --security-opt=seccomp=unconfined --security-opt=apparmor=unconfined"
# A host with systemd, as an administrator has it before Muster comes.
HOST = f"""
FROM {BASE_IMAGES[0]}
RUN apt-get update && apt-get install -y --no-install-recommends systemd redis-server nginx-light procps \\
 && rm -rf /var/lib/apt/lists/*
RUN systemctl disable nginx redis-server && echo requirepass guess-me >>/etc/redis/redis.conf
STOPSIGNAL SIGRTMIN+3
CMD {json.dumps(["sh", "-c", INIT])}
"""
# What an administrator does: installs, makes the secrets and the settings, and starts a node, a proxy and an agent.
BEGIN = """
within() {
  for _ in $(seq 300); do if "$@" >/dev/null 2>&1; then return; fi; sleep 0.1; done
  echo "not within 30 s: $*"; journalctl --no-pager -n 60; exit 1
}
dpkg -i /packages/*.deb
systemctl start redis-server
cd /etc/muster
(umask 077; muster-node secret >secret; muster-node secret >cluster-secret; echo guess-me >redis-password)
for settings in node sidecar; do echo MUSTER_REDIS=redis://127.0.0.1:6379 >>$settings.env; done
install -d -m 700 /var/lib/private /var/lib/private/muster-terminal
(umask 077; muster-node token --terminal box-1 --secret-file secret >/var/lib/private/muster-terminal/token)
cat >terminal.toml <<END
id = "box-1"
urls = ["ws://127.0.0.1:8080/ws"]
token_file = "/var/lib/muster-terminal/token"
[commands.say]
program = ["/bin/echo", "well done"]
END
systemctl enable --now muster-node@9000 muster-sidecar muster-terminal
(umask 077; muster-node key --scope admin --secret-file secret >/root/key)
export MUSTER_API_URL=http://127.0.0.1:8080 MUSTER_KEY_FILE=/root/key
within eval 'muster ls --status online | grep box-1'
muster send say --to box-1 --wait=20s
"""
# What happens to a host: its units reload, one program is killed, all are stopped and removed.
LIVE = f"""{NOT}
{BEGIN}
systemctl reload muster-node@9000 muster-sidecar
systemctl kill -s KILL muster-node@9000
within eval '[ "$(systemctl show -P NRestarts muster-node@9000)" = 1 ] && systemctl is-active muster-node@9000'
within eval 'muster ls --status online | grep box-1'
muster send say --to box-1 --wait=20s
systemctl --failed --no-legend | tee /tmp/failed
[ ! -s /tmp/failed ]
dpkg -r muster-terminal muster-sidecar muster-node
not pgrep -f '^/usr/bin/muster|^nginx'
echo all have served and are gone
"""


def test_packages_serve_under_systemd(packages: Path) -> None:
    name = f"{session(packages.parent)}-systemd"
    docker("build", "-q", "-t", "muster/systemd:bookworm", "-", stdin=HOST)
    own = [*MIGHTY.split(), "--cgroupns=private", "--network=none", "--tmpfs=/run", "-v", f"{packages}:/packages:ro"]
    docker("run", "-d", "--name", name, *own, "muster/systemd:bookworm")
    try:
        wait.until(lambda: works("exec", name, "systemctl", "is-system-running", "--wait"), within=60)
        assert docker("exec", "-i", name, "bash", stdin=LIVE).endswith("all have served and are gone\n")
    finally:
        docker("rm", "-f", "-v", name)

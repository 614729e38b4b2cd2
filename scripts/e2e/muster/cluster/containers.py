"""A cluster of containers, as compose/compose.yaml makes it.

Terminals and operators are outside: they reach Nginx by its published port, and a node by its container's address,
which only the project's networks and this machine can reach. That needs an engine on this machine.
"""

from pathlib import Path

from muster import wait
from muster.cluster.base import Cluster, Settings
from muster.cluster.docker import docker
from muster.cluster.project import NODES_FILE, Project

NODE_PORT = 9000
NGINX_PID = "/var/lib/muster-sidecar/nginx.pid"
# As an operator does it by compose/README.md.
REDIS_CLI = 'redis-cli --no-auth-warning --user admin --pass "$(cat /secrets/admin-password)" "$@"'
# The image has no pgrep. A process is gone when its parent has taken note of its end.
KILL_NGINX = """
for comm in /proc/[0-9]*/comm; do if grep -qsx nginx $comm; then pids+=" $(basename $(dirname $comm))"; fi; done
kill -9 $pids && while kill -0 $pids 2>/dev/null; do sleep 0.05; done"""
# The first process of the sidecar's container collects processes that have ended (`init` in compose.yaml).
PID = {
    "nginx": f"$(cat {NGINX_PID})",
    "sidecar": "$(basename $(dirname $(grep -lsx muster-sidecar /proc/[0-9]*/comm)))",
}


class ContainerCluster(Cluster):
    """Containers of one Compose project. node1 is the first of the service `node`; nginx runs in the sidecar's.

    A container that has ended stays so until it is started, though as shipped Docker starts it again.
    """

    def __init__(self, directory: Path, settings: Settings, tag: str) -> None:
        self.directory, self.nodes = directory, settings.nodes
        self._containers: dict[str, str] = {}
        self._addresses: dict[int, str] = {}
        self.project = Project(directory, tag, overrides(settings))
        self.project.variables["MUSTER_NODES"] = str(settings.nodes)
        if settings.durable:
            self.project.variables["MUSTER_APPENDFSYNC"] = "always"
        try:
            self.project.up()
        except BaseException:
            self.project.down()
            raise
        self.api = self.project.api
        self.secret = self._inside("node1", "cat", "/secrets/secret").strip()

    def container(self, name: str) -> str:
        """Return a container's id, whether it runs or not; empty if there is none yet."""
        if not self._containers.get(name):
            service = {"sidecar": "proxy", "nginx": "proxy"}.get(name, name.rstrip("0123456789"))
            number = name.removeprefix(service) if name.startswith(service) else ""
            labels = {"project": self.project.name, "service": service, "container-number": number or "1"}
            filters = [f"--filter=label=com.docker.compose.{label}={value}" for label, value in labels.items()]
            self._containers[name] = docker("ps", "-aq", *filters).strip()
        return self._containers[name]

    def _inside(self, name: str, *words: str) -> str:
        return docker("exec", self.container(name), *words)

    def _shell(self, name: str, script: str) -> str:
        return self._inside(name, "bash", "-c", script)

    def _signal(self, name: str, signal: str) -> None:
        if name == "nginx":
            self._shell(name, f"kill -{signal} {PID[name]}")
        else:
            docker("kill", "--signal", signal, self.container(name))

    def proxy(self) -> str:
        return self.project.address()

    def node(self, number: int) -> str:
        # A node that has ended keeps the address that it had last.
        if number not in self._addresses:
            template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
            address = docker("inspect", "-f", template, self.container(f"node{number}")).strip()
            self._addresses[number] = f"{address}:{NODE_PORT}"
        return self._addresses[number]

    def kill(self, name: str) -> None:
        if name == "nginx":
            self._shell(name, KILL_NGINX)
        else:
            self._signal(name, "KILL")
            docker("wait", self.container(name))

    def start(self, name: str) -> None:
        number = int(name.removeprefix("node")) if name.startswith("node") else 0
        if self.container(name):
            docker("start", self.container(name))
        else:
            self.project.compose("up", "-d", "--no-deps", "--no-recreate", "--scale", f"node={number}", "node")
        # It may come back with another address.
        self._addresses.pop(number, None)
        wait.until(lambda: self.api.is_ready(self.node(number)) if number else self._serves(name))

    def _serves(self, name: str) -> bool:
        return "PONG" in self.redis("PING") if name == "redis" else self.api.is_ready(self.proxy())

    def stop(self, name: str) -> None:
        self._signal(name, "STOP")

    def cont(self, name: str) -> None:
        self._signal(name, "CONT")

    def term(self, name: str) -> None:
        self._signal(name, "TERM")

    def runs(self, name: str) -> bool:
        return docker("inspect", "-f", "{{.State.Running}}", self.container(name)).strip() == "true"

    def reload(self) -> None:
        self._signal("nginx", "HUP")

    def redis(self, *words: str) -> str:
        return self._inside("redis", "sh", "-c", REDIS_CLI, "-", *words)

    def log(self, name: str) -> str:
        return docker("logs", self.container(name))

    def upstream(self) -> str:
        return self._inside("nginx", "cat", NODES_FILE)

    def status(self, name: str) -> str:
        return self._shell(name, f"cat /proc/{PID.get(name, '1')}/status")

    def files(self, name: str) -> int:
        return len(self._shell(name, f"ls /proc/{PID.get(name, '1')}/fd").split())

    def collect(self) -> None:
        self.project.logs()

    def down(self) -> None:
        self.project.down()


def overrides(settings: Settings) -> dict[str, object]:
    """Return what is laid over compose.yaml: flags by their environment variables, and no container that restarts."""
    services = {
        "redis": {"restart": "no"},
        "node": {"restart": "no", "environment": variables(settings.of_node())},
        "proxy": {"environment": variables(settings.of_sidecar())},
    }
    return {"services": services}


def variables(flags: dict[str, str]) -> dict[str, str]:
    """Return the environment variables that say the same as these flags."""
    return {
        f"MUSTER_{flag.removeprefix('--').replace('-', '_').upper()}": value or "true" for flag, value in flags.items()
    }

"""A cluster of containers, as compose/compose.yaml makes it. Its project is named, and ended, by scripts/lib/compose.

Agents and operators are outside: they reach Nginx by its published port, and a node by its container's address, which a container of
the project's networks and this machine can reach, and nobody else. On a machine where the engine is not, this does not work.
"""

import json, os, subprocess

from .api import Unanswered
from .checks import until
from .cluster import DIR, Cluster, node_settings, write

NODE_PORT = 9000
SIDECAR_DIR = "/var/lib/muster-sidecar"
# As an operator does it by compose/README.md.
REDIS_CLI = 'redis-cli --no-auth-warning --user admin --pass "$(cat /secrets/admin-password)" "$@"'
# The image has no pgrep. Gone is a process when somebody has taken note of its end.
KILL_NGINX = """
for comm in /proc/[0-9]*/comm; do if grep -qsx nginx $comm; then pids+=" $(basename $(dirname $comm))"; fi; done
kill -9 $pids && while kill -0 $pids 2>/dev/null; do sleep 0.05; done"""


class Compose(Cluster):
    """Containers of one project, by the names that `Cluster` has: node1 is the first of the service `node`, and nginx runs in the
    sidecar's. What has ended stays so until it is started, though as shipped Docker starts again what ends by itself.

    node_flags, sidecar_flags, durable   as for `Native`
    """

    def __init__(self, nodes, node_flags="", sidecar_flags="", durable=False):
        self.nodes, self.containers, self.addresses = nodes, {}, {}
        self.environment = {**os.environ, "COMPOSE_FILE": f"compose/compose.yaml:{DIR}/trial.json", "MUSTER_NODES": str(nodes)}
        if durable:
            self.environment["MUSTER_APPENDFSYNC"] = "always"
        words = sidecar_flags.split()
        services = {
            "redis": {"restart": "no"},
            "node": {"restart": "no", "environment": variables(node_settings(node_flags))},
            "proxy": {"environment": variables(dict(zip(words[::2], words[1::2])))},
        }
        # YAML of a kind that Compose reads.
        write("trial.json", json.dumps({"services": services}))
        self._compose("up", "-d", *([] if "MUSTER_BUILT" in os.environ else ["--build"]))
        self.proxy = os.environ["MUSTER_PORT"]
        self.secret = self._inside("node1", "cat", "/secrets/secret").strip()
        self.key = self._inside("node1", "muster-node", "key", "--scope", "admin").strip()
        until("Nginx serves", lambda: self.ready(self.proxy))

    def _compose(self, *words):
        with open(f"{DIR}/compose.log", "w+") as log:
            command = [*os.environ["MUSTER_COMPOSE"].split(), *words]
            if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment).returncode:
                log.seek(0)
                raise RuntimeError(f"{' '.join(command)}: {''.join(log.readlines()[-20:])}")

    def container(self, name):
        """Its id, whether it runs or not; empty if there is none yet."""
        if not self.containers.get(name):
            service = {"sidecar": "proxy", "nginx": "proxy"}.get(name, name.rstrip("0123456789"))
            labels = {"project": os.environ["COMPOSE_PROJECT_NAME"], "service": service, "container-number": name[len(service) :] or "1"}
            filters = [f"--filter=label=com.docker.compose.{label}={value}" for label, value in labels.items()]
            self.containers[name] = docker("ps", "-aq", *filters).strip()
        return self.containers[name]

    def _inside(self, name, *words):
        return docker("exec", self.container(name), *words)

    def _signal(self, name, signal):
        docker("kill", "--signal", signal, self.container(name))

    def node(self, number):
        # Of one that has ended, the last that it had.
        if number not in self.addresses:
            address = docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", self.container(f"node{number}"))
            self.addresses[number] = f"{address.strip()}:{NODE_PORT}"
        return self.addresses[number]

    def kill(self, name):
        if name == "nginx":
            self._inside(name, "bash", "-c", KILL_NGINX)
        else:
            self._signal(name, "KILL")
            docker("wait", self.container(name))

    def start(self, name):
        number = int(name.removeprefix("node")) if name.startswith("node") else None
        if self.container(name):
            docker("start", self.container(name))
        else:
            self._compose("up", "-d", "--no-deps", "--no-recreate", "--scale", f"node={number}", "node")
        # It may come back with another.
        self.addresses.pop(number, None)
        until(f"{name} serves", lambda: self.ready(self.node(number)) if number else "PONG" in self.redis("PING"))

    def stop(self, name):
        self._signal(name, "STOP")

    def cont(self, name):
        self._signal(name, "CONT")

    def term(self, name):
        self._signal(name, "TERM")

    def runs(self, name):
        return docker("inspect", "-f", "{{.State.Running}}", self.container(name)).strip() == "true"

    def reload(self):
        self._inside("nginx", "bash", "-c", f"kill -HUP $(cat {SIDECAR_DIR}/nginx.pid)")

    def redis(self, *words):
        return self._inside("redis", "sh", "-c", REDIS_CLI, "-", *words)

    def log(self, name):
        return docker("logs", self.container(name))

    def upstream(self):
        return self._inside("nginx", "cat", f"{SIDECAR_DIR}/current/nodes.conf")

    def status(self, name):
        return self._inside(name, "cat", "/proc/1/status")

    def files(self, name):
        return len(self._inside(name, "ls", "/proc/1/fd").split())


def variables(settings):
    """The environment that says the same as these flags."""
    return {"MUSTER_" + flag.removeprefix("--").replace("-", "_").upper(): value for flag, value in settings.items()}


def docker(*words):
    """What it prints; what it can't do, a trial may ask again."""
    done = subprocess.run(["docker", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise Unanswered(f"docker {' '.join(words)}: {done.stdout.strip()}")
    return done.stdout

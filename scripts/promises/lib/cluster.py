# The cluster that scripts/promise started, as its promises see it: the API of each node, the terminals, and what is done to it.

import argparse, atexit, http.client, json, os, random, subprocess, sys, threading, time

DIR = os.environ["MUSTER_CLUSTER_DIR"]
BIN = os.environ["MUSTER_BIN"]


def read(name):
    with open(f"{DIR}/{name}") as file:
        return file.read().strip()


KEY = read("key")
PROXY = read("sidecar.address")


def arguments(**scales):
    """The scale's numbers, by name; each scale is a pair of small and full."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", choices=["small", "full"], default="small")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31))
    given = parser.parse_args()
    random.seed(given.seed)
    for name, (small, full) in scales.items():
        setattr(given, name, full if given.scale == "full" else small)
    return given


def node(number):
    return read(f"node{number}.address")


class Unanswered(Exception):
    pass


_connections = threading.local()


def ask(method, path, body=None, at=None, headers={}, timeout=10):
    """One request: its status and its JSON. At a node's address, or else through the proxy."""
    at = at or PROXY
    pool = _connections.__dict__.setdefault("pool", {})
    try:
        connection = pool.get(at) or http.client.HTTPConnection(at, timeout=timeout)
        pool[at] = connection
        text = json.dumps(body) if body is not None else None
        connection.request(method, path, text, {"Authorization": f"Bearer {KEY}", **headers})
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        pool.pop(at, None)
        raise Unanswered(str(error))
    if answer.getheader("Connection", "").lower() == "close":
        pool.pop(at, None)
    try:
        return answer.status, json.loads(content)
    except ValueError:
        return answer.status, content.decode(errors="replace")


def get(path, at=None):
    status, answer = ask("GET", path, at=at)
    if status != 200:
        raise Unanswered(f"GET {path}: {status} {answer}")
    return answer


def post(body, at=None, headers={}):
    """Posts a command that must be accepted."""
    status, answer = ask("POST", "/v1/commands", body, at=at, headers=headers)
    if status != 202:
        raise Unanswered(f"{body}: {status} {answer}")
    return answer


def pages(path, field, at=None):
    """All rows of a list."""
    after, rows = "", []
    while True:
        mark = "&" if "?" in path else "?"
        page = get(f"{path}{mark}limit=1000{after}", at)
        rows += page[field]
        if page["next"] is None:
            return rows
        after = f"&after={page['next']}"


def until(what, holds, seconds=30):
    """Waits for a condition; what can't be asked for is not so yet."""
    end = time.monotonic() + seconds
    last = None
    while time.monotonic() < end:
        try:
            last = holds()
            if last:
                return last
        except Unanswered as error:
            last = error
        time.sleep(0.05)
    fail(f"waited in vain: {what} ({last})")


def do(*words):
    """Something that scripts/cluster can do to the cluster: kill NAME, start NAME."""
    subprocess.run(["scripts/cluster", *words], check=True, stdout=subprocess.DEVNULL)


def signal(name, which):
    os.kill(int(read(f"{name}.pid")), which)


def redis(*words):
    return subprocess.run(["redis-cli", "-p", read("redis.port"), *words], capture_output=True, text=True).stdout


_agents = []


@atexit.register
def end_agents():
    for agents in _agents:
        agents.end()


class Agents:
    """Terminals that write down what they run (client/examples/agents.rs)."""

    def __init__(self, terminals, *flags, url=None, name="agents"):
        self.log, self.terminals = f"{DIR}/{name}.jsonl", terminals
        url = url or f"ws://{PROXY}/ws"
        command = [f"{BIN}/examples/agents", "--url", url, "--terminals", str(terminals), "--log", self.log, *flags]
        open(self.log, "a").close()
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _agents.append(self)

    def online(self, count=None):
        until("all agents are online", lambda: get("/v1/fleet")["online"] == (count or self.terminals), 60)
        return self

    def lines(self, what=None):
        with open(self.log) as file:
            lines = [json.loads(line) for line in file if line.endswith("\n")]
        return [line for line in lines if what in (None, line["what"])]

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Events:
    """What /v1/events tells from now on."""

    def __init__(self, at=None):
        self.seen, self.at = [], at or node(1)
        self.connection = http.client.HTTPConnection(self.at, timeout=120)
        self.connection.request("GET", "/v1/events", headers={"Authorization": f"Bearer {KEY}"})
        self.answer = self.connection.getresponse()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        kind = None
        try:
            for line in self.answer:
                line = line.decode().strip()
                if line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: "):
                    self.seen.append((kind, json.loads(line[6:])))
        except (OSError, http.client.HTTPException, ValueError):
            pass

    def of(self, kind):
        return [data for seen, data in list(self.seen) if seen == kind]


_failed = []


def check(what, holds, counts=""):
    print(f"{'ok   ' if holds else 'FAIL '} {what}{': ' if counts != '' else ''}{counts}", flush=True)
    if not holds:
        _failed.append(what)


def fail(what):
    print(f"FAIL  {what}", flush=True)
    end_agents()
    # Also from a thread, where an exception would end that thread alone.
    os._exit(1)


def finish(given):
    if _failed:
        again = f"scripts/promise {os.path.basename(sys.argv[0])[:-3]} --scale {given.scale} --seed {given.seed}"
        print(f"FAIL  {len(_failed)} of them; again by: {again}")
    sys.exit(1 if _failed else 0)

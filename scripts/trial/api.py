"""How an operator asks a cluster, over HTTP; and the stream of what happens."""

import http.client, json, threading, time

# A connection that nothing was asked on for so long, in seconds, is not used again: the other side may be about to close it.
IDLE = 2
# Longer than anything that is done to a cluster, in seconds: who is refused for so long is refused for ever.
REFUSED = 180


class Unanswered(Exception):
    """There was no answer, or not the one that was needed."""


class Api:
    """A mixin: whoever has `proxy` (HOST:PORT) and `key` can be asked. `at` is a node's address; without, the proxy is asked."""

    def ask(self, method, path, body=None, at=None, headers={}, timeout=10):
        """One request: its status and its JSON, or its text if it is none."""
        at = at or self.proxy
        pool = _connections.__dict__.setdefault("pool", {})
        try:
            connection, used = pool.pop(at, (None, 0))
            if not connection or time.monotonic() - used > IDLE:
                connection = http.client.HTTPConnection(at, timeout=timeout)
            text = json.dumps(body) if body is not None else None
            connection.request(method, path, text, {"Authorization": f"Bearer {self.key}", **headers})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(str(error))
        if answer.getheader("Connection", "").lower() != "close":
            pool[at] = connection, time.monotonic()
        try:
            return answer.status, json.loads(content)
        except ValueError:
            return answer.status, content.decode(errors="replace")

    def get(self, path, at=None):
        status, answer = self.ask("GET", path, at=at)
        if status != 200:
            raise Unanswered(f"GET {path}: {status} {answer}")
        return answer

    def post(self, body, at=None, headers={}):
        """Posts a command that must be accepted: its view."""
        status, answer = self.ask("POST", "/v1/commands", body, at=at, headers=headers)
        if status != 202:
            raise Unanswered(f"{body}: {status} {answer}")
        return answer

    def insist(self, body, key, at=None, refused=None):
        """Posts a command until it is accepted, which its key makes harmless: its id. 502 to 504 mean: not now. `refused` is a
        Counter of the reasons."""
        end = time.monotonic() + REFUSED
        while time.monotonic() < end:
            try:
                status, answer = self.ask("POST", "/v1/commands", body, at=at, headers={"Idempotency-Key": key})
            except Unanswered:
                status, answer = 503, None
            if status == 202:
                return answer["id"]
            if status not in (502, 503, 504):
                raise RuntimeError(f"{body}: {status} {answer}")
            if refused is not None:
                refused[f"{status} {answer['detail']}" if isinstance(answer, dict) else status] += 1
            time.sleep(0.1)
        raise RuntimeError(f"{body}: refused for {REFUSED} s, in the end by {status} {answer}")

    def pages(self, path, field, at=None):
        """All rows of a list."""
        after, rows = "", []
        while True:
            mark = "&" if "?" in path else "?"
            page = self.get(f"{path}{mark}limit=1000{after}", at)
            rows += page[field]
            if page["next"] is None:
                return rows
            after = f"&after={page['next']}"

    def ready(self, at):
        """Whether this node says that it is."""
        return self.ask("GET", "/readyz", at=at)[0] == 200

    def metric(self, name, at):
        """A node's counter, as `muster_delivered_total` or `muster_sessions_ended_total{end="too_slow"}`."""
        lines = self.ask("GET", "/metrics", at=at)[1].splitlines()
        return sum(int(line.split()[-1]) for line in lines if line.startswith(name + " "))


_connections = threading.local()


class Events:
    """What /v1/events tells from now on, at a node."""

    def __init__(self, cluster, at):
        self.seen = []
        self.connection = http.client.HTTPConnection(at, timeout=120)
        self.connection.request("GET", "/v1/events", headers={"Authorization": f"Bearer {cluster.key}"})
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

"""The HTTP API as an operator uses it, and the stream of events."""

import json
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import httpx

from muster import wait
from muster.wait import NotYet

# Seconds that an operator goes on posting a command that is refused. No fault of a test lasts so long.
REFUSED = 180

Json = Any


class Unanswered(NotYet):
    """The request had no answer, or not the status that was needed."""


class Api:
    """The API of a cluster, asked through the proxy unless `at` names another HOST:PORT."""

    def __init__(self, proxy: Callable[[], str], key: str) -> None:
        self.proxy, self.key = proxy, key
        # The texts of the latest errors.
        self.errors: deque[str] = deque(maxlen=1000)
        # A connection is never used again: addresses come back as other programs, and a worker of Nginx that a reload
        # has replaced closes its idle connections, at the moment of the next request too.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(headers={"Authorization": f"Bearer {key}"}, limits=limits, timeout=10)

    def ask(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        at: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10,
    ) -> tuple[int, Json]:
        """Send one request; return its status and its JSON, or its text if it is no JSON."""
        url = f"http://{at or self.proxy()}{path}"
        content = None if body is None else json.dumps(body)
        try:
            answer = self._client.request(method, url, content=content, headers=headers, timeout=timeout)
        except httpx.HTTPError as error:
            raise Unanswered(f"{method} {path}: {error}") from None
        if answer.is_error:
            self.errors.append(answer.text)
        try:
            return answer.status_code, answer.json()
        except ValueError:
            return answer.status_code, answer.text

    def get(self, path: str, *, at: str | None = None) -> Json:
        """Return what is found at `path`. Raises `Unanswered` for any status but 200."""
        status, answer = self.ask("GET", path, at=at)
        if status != 200:
            raise Unanswered(f"GET {path}: {status} {answer}")
        return answer

    def post(self, body: Json, *, at: str | None = None, headers: Mapping[str, str] | None = None) -> Json:
        """Post a command that must be accepted; return the answer, whose `id` names the command."""
        status, answer = self.ask("POST", "/v1/commands", body, at=at, headers=headers)
        if status != 202:
            raise Unanswered(f"{body}: {status} {answer}")
        return answer

    def insist(self, body: Json, key: str, *, at: str | None = None, refused: Counter[str] | None = None) -> str:
        """Post a command until it is accepted, and return its id. The Idempotency-Key makes repeating harmless.

        `refused` counts the reasons of answers 502, 503 and 504, which mean: not now. Any other answer is an error.
        """

        def accepted() -> str:
            try:
                status, answer = self.ask("POST", "/v1/commands", body, at=at, headers={"Idempotency-Key": key})
            except Unanswered as error:
                status, answer = 503, str(error)
            if status == 202:
                return str(answer["id"])
            why = f"{status} {answer['detail'] if isinstance(answer, dict) else answer}"
            assert status in (502, 503, 504), f"{body}: {why}"
            if refused is not None:
                refused[why] += 1
            raise Unanswered(f"{body}: {why}")

        return wait.until(accepted, within=REFUSED, every=0.1)

    def pages(self, path: str, field: str, *, at: str | None = None) -> list[Json]:
        """Return all rows of a list, page after page."""
        rows: list[Json] = []
        after = ""
        while True:
            page = self.get(f"{path}{'&' if '?' in path else '?'}limit=1000{after}", at=at)
            rows += page[field]
            if page["next"] is None:
                return rows
            after = f"&after={page['next']}"

    def counts(self, command: str, *, at: str | None = None) -> dict[str, int]:
        """Return how many targets of a command are in each state."""
        return dict(self.get(f"/v1/commands/{command}", at=at)["counts"])

    def is_ready(self, at: str) -> bool:
        """Return whether the node at this address says that it is ready."""
        return self.ask("GET", "/readyz", at=at)[0] == 200

    def metric(self, name: str, at: str) -> int:
        """Return a node's counter, for example `muster_sessions_ended_total{end="too_slow"}`; 0 if it has none."""
        lines = str(self.ask("GET", "/metrics", at=at)[1]).splitlines()
        return sum(int(line.split()[-1]) for line in lines if line.startswith(f"{name} "))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class Events:
    """What /v1/events tells, at one node, from the moment this is made; or since `after`, an event's id."""

    def __init__(self, api: Api, at: str, after: str | None = None) -> None:
        self.seen: list[tuple[str, Json]] = []
        headers = {"Authorization": f"Bearer {api.key}", **({"Last-Event-ID": after} if after else {})}
        # Events may be rare: the stream has comments between them, and no end.
        self._client = httpx.Client(headers=headers, timeout=httpx.Timeout(10, read=120))
        request = self._client.build_request("GET", f"http://{at}/v1/events")
        try:
            self._answer = self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise Unanswered(f"GET /v1/events: {error}") from None
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        # The stream ends with its node, or when it is closed.
        with suppress(httpx.HTTPError, httpx.StreamError, OSError):
            for kind, data in _events(self._answer.iter_lines()):
                self.seen.append((kind, data))

    def close(self) -> None:
        """End the stream."""
        self._client.close()

    def of(self, kind: str) -> list[Json]:
        """Return the data of the events of one kind, for example `terminal.offline`."""
        return [data for seen, data in list(self.seen) if seen == kind]


def _events(lines: Iterator[str]) -> Iterator[tuple[str, Json]]:
    kind = ""
    for line in lines:
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))

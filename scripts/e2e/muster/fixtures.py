"""The fixtures of all tests. A test names what it needs; whatever it started is ended when it is over."""

import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest
from playwright.sync_api import Browser, sync_playwright

from muster import programs, reporting
from muster.cluster import Cluster, ContainerCluster, ProcessCluster, Settings, docker
from muster.cluster.redis_topology import RedisServers
from muster.cluster.sidecar import Sidecar, SmallDisk
from muster.faults.line import Line
from muster.traffic.agents import Agents, AgentsConfig, Attackers
from muster.traffic.knock import Knock
from muster.traffic.load import Load, LoadConfig, SlowReaders
from muster.traffic.terminal import Listener

T = TypeVar("T")

# A test runs as root here and there, where Chromium has no sandbox. It asks no host for updates.
BROWSER = "--no-sandbox --disable-gpu --disable-quic --disable-background-networking --disable-component-update".split()


@dataclass(frozen=True)
class Scale:
    """The size of a run. What is counted must hold at any scale and on any machine."""

    full: bool

    def __call__(self, small: T, full: T) -> T:
        """Return the value for this scale."""
        return full if self.full else small

    def judge_time(self, what: str, took: float, limit: float) -> None:
        """Demand, at full scale on a machine with nothing else to do, that `what` took less than `limit` seconds."""
        print(f"{what}: {took:.1f} s (at full scale it must be less than {limit:g} s)")
        assert not self.full or took < limit, f"{what} took {took:.1f} s; it must be less than {limit:g} s"


@pytest.fixture
def scale(request: pytest.FixtureRequest) -> Scale:
    """The size of this run: `scale(60, 600)` is 60 at small scale and 600 at full scale."""
    return Scale(request.config.option.scale == "full")


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """The seed of all that is left to chance. Python's `random` is seeded with it."""
    chosen = int(request.config.option.seed)
    random.seed(chosen)
    return chosen


@pytest.fixture
def directory(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder for what the test's programs write. What a failure leaves of it is in `test_output/`."""
    made = Path(tempfile.mkdtemp(dir=request.config.option.runs))
    made.chmod(0o711)
    yield made
    reporting.leave(request.node, made)


@pytest.fixture
def servers(request: pytest.FixtureRequest, directory: Path) -> Iterator[RedisServers | None]:
    """Redis servers of the kind by which a test is parametrized. By default the cluster has one Redis, its own."""
    if kind := getattr(request, "param", None):
        made: RedisServers = kind(directory)
        yield made
        made.end()
    else:
        yield None


@pytest.fixture
def on_containers(request: pytest.FixtureRequest) -> bool:
    """Whether the cluster is made of containers: as `--compose` says."""
    return bool(request.config.option.compose)


@pytest.fixture
def cluster(request: pytest.FixtureRequest, directory: Path, servers: RedisServers | None) -> Iterator[Cluster]:
    """A running cluster, as the marker `cluster` describes it (`muster.cluster.Settings`)."""
    mark = request.node.get_closest_marker("cluster")
    settings = Settings(**(mark.kwargs if mark else {}))
    if request.config.option.scale == "full":
        settings = replace(settings, node_flags=f"{settings.node_flags} {settings.full_node_flags}")
    made = start_cluster(request, directory, settings, servers)
    yield made
    end_cluster(request, made)


def start_cluster(
    request: pytest.FixtureRequest, directory: Path, settings: Settings, servers: RedisServers | None = None
) -> Cluster:
    """Start the kind of cluster that was asked for, or skip a test that cannot run on it."""
    if not request.getfixturevalue("on_containers"):
        if servers and (why := "a line leads to one Redis" if settings.lines else settings.one_redis):
            pytest.skip(f"one Redis only: {why}")
        return ProcessCluster(directory, settings, servers, request.config.option.seed)
    if settings.lines or settings.processes_only or "process_cluster" in request.fixturenames:
        lines = "between its nodes and Redis are lines that can be made bad" if settings.lines else ""
        why = settings.processes_only or lines or "the test uses what only processes can"
        pytest.skip(f"processes only: {why}")
    return ContainerCluster(directory, settings, images_tag(request, directory))


def images_tag(request: pytest.FixtureRequest, directory: Path) -> str:
    """Return the tag of the images of compose/, which are made if no test of this run has made them yet.

    They get the programs that are under test. With `--long compose` they are made as whoever has only the sources does.
    """
    if why := docker.missing():
        missing(why)
    built = None if request.config.option.long == "compose" else programs.directory()
    return docker.build_images(directory, built)


def missing(why: str) -> NoReturn:
    """Skip the test for want of a tool. Under CI a missing tool is a failure."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def need(*names: str) -> None:
    """Install the programs of `programs.TEST_PACKAGES` that a test runs. Where this user may not, skip the test."""
    try:
        programs.install({name: programs.TEST_PACKAGES[name] for name in names})
    except SystemExit as error:
        missing(str(error))


def end_cluster(request: pytest.FixtureRequest, cluster: Cluster) -> None:
    """End a cluster. A failed test leaves its logs and events in `test_output/`; of others no secret may be found."""
    leaks: list[str] = []
    try:
        if reporting.failed(request.node):
            cluster.collect()
            reporting.write_events(cluster)
        else:
            leaks = cluster.leaks()
        reporting.leave(request.node, cluster.directory)
    finally:
        cluster.down()
    assert not leaks, f"a secret, a token or a key can be read in: {', '.join(leaks)}"


@pytest.fixture
def process_cluster(cluster: Cluster) -> ProcessCluster:
    """The cluster, for tests that use what only processes can. They do not run on containers."""
    assert isinstance(cluster, ProcessCluster)
    return cluster


@pytest.fixture
def proxy(process_cluster: ProcessCluster) -> Sidecar:
    """The cluster's Nginx with its sidecar, whose files, processes and status a test looks at."""
    return Sidecar(process_cluster)


@pytest.fixture
def small_disk(proxy: Sidecar) -> Iterator[SmallDisk]:
    """A disk with the files of the proxy, which starts anew on it: `small_disk.fill()`, then `small_disk.free()`."""
    proxy.end()
    made = SmallDisk(proxy.folder)
    if not made.mount():
        missing("no disk can be mounted here")
    try:
        proxy.cluster.start(proxy.name)
        yield made
    finally:
        made.unmount()


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Headless Chromium, as Debian has it."""
    need("chromium")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=BROWSER)
        yield made
        made.close()


AgentsFactory = Callable[..., Agents]
AttackersFactory = Callable[..., Attackers]
LoadFactory = Callable[..., Load]
KnockFactory = Callable[..., Knock]
LineFactory = Callable[[str], Line]
ListenFactory = Callable[[int, str], Listener]


@pytest.fixture
def agents(cluster: Cluster, seed: int) -> Iterator[AgentsFactory]:
    """Terminals that write down what they run: `agents(100, "--results", prefix="till-").online()`."""
    made: list[Agents] = []

    def start(terminals: int, *flags: str, **config: object) -> Agents:
        made.append(Agents(cluster, AgentsConfig(terminals, flags, seed, **config)))  # type: ignore[arg-type]
        return made[-1]

    yield start
    for each in made:
        each.end()


@pytest.fixture
def attackers(cluster: Cluster, seed: int) -> Iterator[AttackersFactory]:
    """Clients that break the rules: `attackers("--count", "200", "--for", "10s").result(within=60)`."""
    made: list[Attackers] = []

    def start(*flags: str, **where: str) -> Attackers:
        made.append(Attackers(cluster, seed, *flags, **where))
        return made[-1]

    yield start
    for each in made:
        each.end()


@pytest.fixture
def load(request: pytest.FixtureRequest, cluster: Cluster, seed: int) -> Iterator[LoadFactory]:
    """Commands under way: `load(agents, commands=600, pace=60)`, and at the end `assert load.judged()`."""
    made: list[Load] = []

    def start(terminals: Agents, *, commands: int, pace: float, at: str | None = None) -> Load:
        made.append(Load(cluster, terminals, seed, LoadConfig(commands, pace, at)))
        return made[-1]

    yield start
    if reporting.failed(request.node):
        for each in made:
            each.write_ledger(cluster.directory / "ledger.jsonl")


@pytest.fixture
def knock(cluster: Cluster, seed: int) -> Iterator[KnockFactory]:
    """Handshakes, so many a second: `knock(40)`. Several at once need names: `knock(40, name="other")`."""
    made: list[Knock] = []

    def start(rate: float, *flags: str, name: str = "knock", **where: str) -> Knock:
        made.append(Knock(cluster, rate, name, flags, seed=seed, **where))
        return made[-1]

    yield start
    for each in made:
        each.finish()


@pytest.fixture
def line(seed: int) -> Iterator[LineFactory]:
    """Ways that can be made bad: `line(cluster.node(1))`. Terminals connect to the `url` of a way."""
    with ExitStack() as made:

        def start(upstream: str) -> Line:
            return made.enter_context(closing(Line(upstream, seed)))

        yield start


@pytest.fixture
def slow_readers(cluster: Cluster, agents: AgentsFactory, line: LineFactory, scale: Scale) -> SlowReaders:
    """Fast terminals and terminals that can be made slow, of a node with a small `--queue`."""
    fast = agents(scale(60, 990), prefix="fast-", url=cluster.url(1)).online()
    way = line(cluster.node(1))
    slow = agents(scale(6, 10), "--first", "1s", prefix="slow-", url=way.url).online()
    return SlowReaders(fast, slow, way)


@pytest.fixture
def listen(cluster: Cluster) -> Iterator[ListenFactory]:
    """Terminals that write down what they receive: `listen(1, "t1")` connects the terminal t1 to node 1."""
    made: list[Listener] = []

    def start(number: int, terminal: str) -> Listener:
        made.append(Listener(cluster, number, terminal))
        return made[-1]

    yield start
    for each in made:
        each.leave()

"""The cluster of compose/compose.yaml as it is shipped."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from muster import reporting
from muster.cluster.project import Project
from muster.fixtures import images_tag
from muster.traffic.loadgen import UNNOTICED, ContainerLoad, PlayFactory

# Seconds. The first of these tests makes the images, and on a busy machine the others wait long for them.
TIMEOUT = 1800


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give these tests the time that making the images takes."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(TIMEOUT))


@pytest.fixture
def on_containers() -> bool:
    """Whether the fixture `cluster` is made of containers: here it always is."""
    return True


@pytest.fixture
def project(request: pytest.FixtureRequest, directory: Path) -> Iterator[Project]:
    """A project, not started yet: a test may set variables before `project.up()`. All of it is gone afterwards."""
    made = Project(directory, images_tag(request, directory))
    yield made
    if reporting.failed(request.node):
        made.logs()
    reporting.leave(request.node, directory)
    made.down()


@pytest.fixture
def play(project: Project) -> Iterator[PlayFactory]:
    """Load from a container: `play(300, "--broadcasts", "5", "--for", "30s")`, and at the end `load.judge()`."""
    made: list[ContainerLoad] = []

    def start(terminals: int, *flags: str, slo: str = UNNOTICED) -> ContainerLoad:
        made.append(ContainerLoad(project, terminals, flags, slo))
        return made[-1]

    yield start
    for each in made:
        each.end()

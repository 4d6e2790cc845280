import pytest
from harness import Net


@pytest.fixture
def net(tmp_path):
    """Addresses of its own for one test; what it starts ends with it."""
    world = Net(tmp_path)
    yield world
    world.stop()


@pytest.fixture(scope="module")
def shared_net(tmp_path_factory):
    """Addresses for all tests of a file."""
    world = Net(tmp_path_factory.mktemp("world"))
    yield world
    world.stop()

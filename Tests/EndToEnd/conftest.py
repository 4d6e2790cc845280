import pytest
from harness import Net
from ours import OurPeer
from swarm import Others


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


@pytest.fixture
def tracker(net):
    return net.start(
        "tracker", "tracker", 8060, "--http", f"{net.at('30.1')}:6969", "--udp", f"{net.at('30.1')}:6969", "--interval", "10")


@pytest.fixture
def ours(net):
    return lambda number, *flags: OurPeer(net, number, *flags)


@pytest.fixture
def others(net, tmp_path):
    made = Others(net, tmp_path)
    yield made
    made.stop()

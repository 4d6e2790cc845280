import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "EndToEnd"))

from harness import Net  # noqa: E402


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    """Starts a service by name, once, on addresses of its own."""
    net = Net(tmp_path_factory.mktemp("contract"))
    running = {}

    def nameserver():
        zone = "$TTL 60\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"
        return net.nameserver("nameserver", 8054, {"example.com.": zone}, "11.1")

    def resolver():
        return net.resolver("resolver", 8055, "12.1", ["9.1"], "--forward", f".={net.at('11.1')}:5300")

    def registrar():
        flags = ["--tld", f"com=http://{net.at('0.1')}:8054"]
        start("nameserver").ask(
            "POST", "/api/v1/servers/localhost/zones",
            json={"name": "com.", "kind": "Native", "zone": "$TTL 60\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"})
        return net.start("registrar", "registrar", 8056, *flags)

    def mail():
        return net.mail("mail", 8025, "20.1", "hamburger.edu", None, [("bob@hamburger.edu", "hungry")])

    def start(name):
        if name not in running:
            running[name] = {"nameserver": nameserver, "resolver": resolver, "registrar": registrar, "mail": mail}[name]()
        return running[name]

    yield start
    net.stop()

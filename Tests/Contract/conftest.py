import pathlib
import smtplib
import sys
from email.message import EmailMessage

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "EndToEnd"))

from harness import Net, eventually  # noqa: E402
from ours import OurPeer  # noqa: E402

ZONE = "$TTL 60\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"


def a_name_server(net, *zones):
    return net.nameserver("nameserver", 8054, {zone: ZONE for zone in zones}, "11.1")


def nameserver(net):
    return a_name_server(net, "example.com.")


def resolver(net):
    """One that has answers: it asks a name server for the names of the contract's examples."""
    a_name_server(net, "edu.", "networkutopia.com.")
    service = net.resolver("resolver", 8055, "12.1", ["9.1"], "--forward", f".={net.at('11.1')}:5300")
    service.ask("GET", "/resolve?name=ns.networkutopia.com&type=A")
    return service


def registrar(net):
    """One with a registrant and a domain of the names that the contract's examples use."""
    a_name_server(net, "com.")
    service = net.start("registrar", "registrar", 8056, "--tld", f"com=http://{net.at('0.1')}:8054")
    service.ask("POST", "/v1/registrants", json={"name": "Alice"})
    service.ask("POST", "/v1/domains", json={
        "name": "networkutopia.com", "years": 1, "name_servers": [{"name": "ns.example.com"}]})
    return service


def tracker(net):
    """One with a torrent that has a peer, of the hash that the contract's examples use, and a user with a key."""
    service = net.start("tracker", "tracker", 8060, "--http", f"{net.at('30.1')}:6969")
    hash = "2b8fe7f5a7e2a7e0f1b1c6b7b5f2a1a9f8e7d6c5"
    service.ask("POST", "/v1/torrents", json={"info_hash": hash, "name": "film.bin"})
    service.ask("POST", "/v1/users", json={"name": "Alice"})
    service.ask("POST", "/v1/users/1/keys", json={})
    quoted = "".join(f"%{hash[place:place + 2]}" for place in range(0, 40, 2))
    service.http.get(
        f"http://{net.at('30.1')}:6969/announce?info_hash={quoted}&peer_id=-NU0001-abcdefghijkl&port=6881&left=0", timeout=10)
    return service


def peer(net):
    """One that shares the file whose hash the contract's examples use, and has a magnet link of which nothing else is known;
    a second peer takes the file, slowly enough to be there for long."""
    # It may call the address of the contract's example.
    seeder, leecher = OurPeer(net, 1, "--allow-egress", "127.0.30.0/24"), OurPeer(net, 2)
    seeder.ask("PUT", "/v1/files/crepes.mp4", data=(b"flour, milk, eggs\n" * 20000)[:300_000])
    hash = seeder.make("crepes.mp4", piece_length=16384, trackers=[f"http://{net.at('30.1')}:6969/announce"])
    assert hash == "888530822b2b40d461be3c0890a8ca6fccf4d16c"
    seeder.add_magnet("magnet:?xt=urn:btih:1234567890123456789012345678901234567890&dn=unknown")
    leecher.ask("PATCH", "/v1/limits", json={"download_limit": 1024})
    leecher.add_magnet(f"magnet:?xt=urn:btih:{hash}")
    leecher.call(hash, seeder.address)
    eventually(lambda: seeder.peers(hash))
    return seeder.service


def letter(to):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "alice@hamburger.edu", to, "Ketchup"
    message.set_content("How about pickles?")
    message.add_attachment(b"flour, milk, eggs", maintype="text", subtype="plain", filename="recipe.txt")
    return message


def mail(net):
    """One with a letter and two drafts of Bob's, a folder of his own, and a letter in the queue that finds no way out."""
    dead = net.resolver("resolver", 8055, "12.1", ["9.1"])
    service = net.mail(
        "mail", 8025, "20.1", "hamburger.edu", dead, [("bob@hamburger.edu", "hungry"), ("alice@hamburger.edu", "ketchup")])
    service.ask("POST", "/v1/mailboxes/bob@hamburger.edu/folders", json={"name": "Receipts"})
    service.ask("POST", "/v1/domains", json={"name": "unused.example"})
    with smtplib.SMTP(net.at("20.1"), 2587) as session:
        session.login("alice@hamburger.edu", "ketchup")
        session.send_message(letter("bob@hamburger.edu"))
        session.send_message(letter("carol@elsewhere.example"))
    # One to be sent, number 2, and one to be written anew, number 3.
    for _ in range(2):
        service.ask(
            "POST", "/v1/mailboxes/bob@hamburger.edu/messages", json={"draft": True, "to": ["alice@hamburger.edu"]})
    return service


def catch(net):
    """A mail host in catch mode that has caught a letter."""
    service = net.mail("catch", 8027, "20.3", "catch.example", None, [], "--catch")
    with smtplib.SMTP(net.at("20.3"), 2525) as session:
        session.send_message(letter("new-user@example.com"))
    eventually(lambda: service.ask("GET", "/v1/messages")["items"])
    return service


@pytest.fixture
def services(tmp_path):
    """Starts a service by name, with something in it, on addresses of its own."""
    net = Net(tmp_path)
    yield lambda name: {
        "nameserver": nameserver, "resolver": resolver, "registrar": registrar, "tracker": tracker, "peer": peer,
        "mail": mail, "catch": catch}[name](net)
    net.stop()

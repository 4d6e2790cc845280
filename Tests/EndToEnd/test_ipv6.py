"""Every service on ::1: worlds are IPv4 on loopback, a server alone is not."""
import poplib
import smtplib
import socket
import struct

import pytest
from harness import Service, eventually, run


def free_ports(count):
    """Ports of ::1 that nobody listens on, by TCP or UDP."""
    found = []
    while len(found) < count:
        with socket.socket(socket.AF_INET6) as tcp, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
            tcp.bind(("::1", 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind(("::1", port))
                found.append(port)
            except OSError:
                continue
    return found


@pytest.fixture
def start(tmp_path):
    services = []

    def started(name, door, *arguments):
        service = Service(name, tmp_path / f"{name}-{door}", f"[::1]:{door}", "--allow-egress", "::1/128", *arguments)
        services.append(service)
        return service.start()

    yield started
    assert [service.stop() for service in reversed(services)] == [0] * len(services)


def test_mail(start):
    door, smtp, pop3 = free_ports(3)
    service = start(
        "mail", door, "--hostname", "mail.six.example", "--domain", "six.example", "--smtp", f"[::1]:{smtp}",
        "--pop3", f"[::1]:{pop3}")
    service.ask("POST", "/v1/mailboxes", json={"address": "bob@six.example", "password": "hungry"})
    with smtplib.SMTP("::1", smtp) as session:
        session.sendmail("alice@crepes.fr", ["bob@six.example"], "Subject: six\r\n\r\nDo you like ketchup?\r\n")
    mailbox = poplib.POP3("::1", pop3, timeout=30)
    mailbox.user("bob")
    mailbox.pass_("hungry")
    lines = mailbox.retr(1)[1]
    mailbox.quit()
    assert b"Do you like ketchup?" in lines
    # RFC 5321 section 4.1.3: an address literal of version 6 says so.
    assert any(b"[IPv6:::1]" in line for line in lines if b"from" in line)


def test_names(start):
    authority, resolver, dns, local = free_ports(4)
    hosting = start("nameserver", authority, "--dns", f"[::1]:{dns}")
    hosting.ask("POST", "/api/v1/servers/localhost/zones", json={
        "name": "six.example.", "kind": "Native", "zone": "@ 300 NS ns\nns 300 AAAA ::1\nwww 300 AAAA 2001:db8::6\n"})
    walker = start(
        "resolver", resolver, "--dns", f"[::1]:{local}", "--allow", "::1/128", "--forward", f"six.example=[::1]:{dns}")
    for port in [dns, local]:
        for transport in ["+notcp", "+tcp"]:
            said = run("dig", "@::1", "-p", port, "+tries=1", "+short", transport, "www.six.example", "AAAA")
            assert said.strip() == "2001:db8::6"
    answer = walker.ask("GET", "/resolve?name=www.six.example&type=AAAA&trace=1")
    assert answer["Answer"][0]["data"] == "2001:db8::6"


def test_registrar(start):
    tld, door, dns = free_ports(3)
    start("nameserver", tld, "--dns", f"[::1]:{dns}").ask("POST", "/api/v1/servers/localhost/zones", json={
        "name": "com.", "kind": "Native", "zone": "@ 300 NS ns\nns 300 AAAA ::1\n"})
    registrar = start("registrar", door, "--tld", f"com=http://[::1]:{tld}")
    made = registrar.ask("POST", "/v1/domains", json={
        "name": "six.com", "years": 1, "name_servers": [{"name": "ns.six.com", "addresses": ["2001:db8::53"]}]})
    assert made["status"] == "active"
    assert "2001:db8::53" in run("dig", "@::1", "-p", dns, "+norecurse", "six.com", "NS")


def test_tracker(start):
    door, announce = free_ports(2)
    service = start(
        "tracker", door, "--http", f"[::1]:{announce}", "--http", f"127.0.0.1:{announce}", "--udp", f"[::1]:{announce}")
    hash, quoted = bytes(range(20)), "".join(f"%{octet:02x}" for octet in range(20))

    def told(host, peer, port, *more):
        query = f"info_hash={quoted}&peer_id=-XX0001-{peer * 12}&port={port}&left=1&key={peer}" + "".join(more)
        answer = service.http.get(f"http://{host}:{announce}/announce?{query}", timeout=10)
        assert answer.status_code == 200 and answer.content.startswith(b"d8:complete"), answer.content
        return answer.content

    # A client by both families, which is counted once and is no peer of its own.
    told("127.0.0.1", "a", 7001)
    alone = told("[::1]", "a", 7001)
    assert b"10:incompletei1e" in alone and b"5:peers0:" in alone and b"6:peers6" not in alone
    assert b"11:external ip16:" + bytes(15) + b"\1" in alone
    both = told("127.0.0.1", "b", 7002)
    assert b"10:incompletei2e" in both
    assert b"5:peers6:" + bytes([127, 0, 0, 1]) + (7001).to_bytes(2, "big") in both
    assert b"6:peers618:" + bytes(15) + b"\1" + (7001).to_bytes(2, "big") in both
    # By UDP over version 6 an address has 18 octets, and there are no others (BEP 15).
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
        udp.connect(("::1", announce))
        udp.settimeout(10)
        udp.send(struct.pack(">QII", 0x41727101980, 0, 7))
        connection = struct.unpack(">IIQ", udp.recv(100))[2]
        udp.send(struct.pack(
            ">QII20s20sQQQIIIiH", connection, 1, 8, hash, b"-XX0001-cccccccccccc", 0, 1, 0, 2, 0, 0, -1, 7003))
        answer = udp.recv(2000)
        action, transaction, _, leechers, seeders = struct.unpack(">IIIII", answer[:20])
        assert (action, transaction, leechers, seeders) == (1, 8, 3, 0)
        assert answer[20:] == bytes(15) + b"\1" + (7001).to_bytes(2, "big")
    peers = service.ask("GET", f"/v1/torrents/{hash.hex()}/peers")["items"]
    assert {peer["address"] for peer in peers} == {"127.0.0.1:7001", "[::1]:7001", "127.0.0.1:7002", "[::1]:7003"}


def test_peers(start, tmp_path):
    """A tracker and two peers that know no address but of version 6."""
    doors, wires = free_ports(3), free_ports(3)
    start("tracker", doors[0], "--http", f"[::1]:{wires[0]}", "--udp", f"[::1]:{wires[0]}")
    seeder, leecher = (start("peer", doors[n], "--bittorrent", f"[::1]:{wires[n]}") for n in [1, 2])
    original = bytes(range(256)) * 8192
    seeder.ask("PUT", "/v1/files/film.bin", data=original)
    for scheme in ["udp", "http"]:
        job = seeder.ask("POST", "/v1/torrents", json={
            "path": "film.bin", "trackers": [f"{scheme}://[::1]:{wires[0]}/announce"]})
        path = eventually(lambda: seeder.ask("GET", f"/v1/jobs/{job['id']}"), lambda job: job["done"])["result"]
        eventually(lambda: seeder.ask("GET", path + "/trackers")["items"], lambda told: told[0]["state"] == "working")
        leecher.ask("POST", "/v1/torrents", json={"magnet": seeder.ask("GET", path)["magnet"]})
        eventually(lambda: leecher.ask("GET", path), lambda seen: seen["state"] == "seeding")
        got = leecher.http.get(f"{leecher.url}{path}/files/0/content", timeout=30)
        assert got.content == original
        decisions = leecher.ask("GET", path + "/decisions?limit=1000")["items"]
        assert {decision["peer"] for decision in decisions if decision["event"] == "peer.connected"} == {f"[::1]:{wires[1]}"}
        leecher.ask("DELETE", path + "?data=true")
        seeder.ask("DELETE", path)

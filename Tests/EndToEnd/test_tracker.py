"""The tracker, with the clients that people use."""
import http.client
import json
import os
import signal
import socket
import struct

import libtorrent
import pytest
import requests
from announcing import CONNECT, udp
from harness import Net, eventually
from swarm import MIB, Torrenter, aria2, content, digest, torrent, transmission


@pytest.fixture
def net(tmp_path):
    net = Net(tmp_path)
    yield net
    net.stop()


@pytest.fixture
def tracker(net):
    def start(*flags):
        return net.start(
            "tracker", "tracker", 8060, "--http", f"{net.at('30.1')}:6969", "--udp", f"{net.at('30.1')}:6969", *flags)
    return start


@pytest.fixture
def peers(net, tmp_path):
    """Makes libtorrent sessions, and ends them."""
    made = []

    def make(count):
        for _ in range(count):
            made.append(Torrenter(net.at(f"60.{len(made) + 1}"), tmp_path / f"peer{len(made) + 1}"))
        return made[-count:]
    yield make
    for peer in made:
        if hasattr(peer, "session"):
            peer.stop()


def announce_url(net, scheme):
    return f"{scheme}://{net.at('30.1')}:6969/announce"


@pytest.mark.parametrize("scheme", ["http", "udp"])
def test_real_clients_find_each_other(scheme, net, tracker, peers, tmp_path):
    service = tracker()
    seeder, *leechers = peers(3)
    original = content(seeder.folder / "film.bin", 8 * MIB + 12345)
    data = torrent(original, announce_url(net, scheme))
    file = tmp_path / "film.torrent"
    file.write_bytes(data)
    info_hash = str(libtorrent.torrent_info(libtorrent.bdecode(data)).info_hash())
    seeder.add(data).wait()
    for leecher in leechers:
        leecher.add(data)
    others = {
        "aria2": aria2(net.at("60.11"), tmp_path / "aria2", file),
        "transmission": transmission(net.at("60.12"), tmp_path / "transmission", file)}
    try:
        for leecher in leechers:
            leecher.wait(90)
            assert digest(leecher.folder / "film.bin") == digest(original)
        assert others["aria2"].wait(90) == 0, others["aria2"].stdout.read()
        there = tmp_path / "transmission" / "film.bin"
        # It has to be called: who called before it came hears of it at the next announce.
        eventually(lambda: seeder.announce() or there.exists() and digest(there) == digest(original), seconds=90)
        assert digest(tmp_path / "aria2" / "film.bin") == digest(original)
        # All of them have said that they completed it, and aria2 that it is gone.
        eventually(lambda: service.ask("GET", f"/v1/torrents/{info_hash}"), lambda seen: seen["downloads"] == 4)
        there = {peer["address"].split(":")[0]: peer for peer in service.ask("GET", f"/v1/torrents/{info_hash}/peers")["items"]}
        assert set(there) >= {seeder.address, *(leecher.address for leecher in leechers), net.at("60.12")}
        assert all(peer["seeder"] for peer in there.values()), there
    finally:
        for process in others.values():
            process.send_signal(signal.SIGINT)
            process.wait(20)
    for peer in [seeder, *leechers]:
        peer.stop()
    # Who goes says so, but for transmission-cli by HTTP: it is forgotten when two intervals went by without it.
    def left():
        return [peer["address"].split(":")[0] for peer in service.ask("GET", f"/v1/torrents/{info_hash}/peers")["items"]]
    eventually(left, lambda left: set(left) <= {net.at("60.12")}, seconds=20)
    service.ask("PUT", "/v1/clock", json={"offset_seconds": 2 * 1800 + 60})
    assert left() == []


def test_what_was_completed_outlasts_a_kill(net, tracker, peers, tmp_path):
    service = tracker()
    seeder, leecher = peers(2)
    data = torrent(content(seeder.folder / "film.bin", MIB), announce_url(net, "http"))
    info_hash = str(libtorrent.torrent_info(libtorrent.bdecode(data)).info_hash())
    service.ask("POST", "/v1/torrents", data=data, headers={"Content-Type": "application/x-bittorrent"})
    seeder.add(data).wait()
    leecher.add(data).wait()
    eventually(lambda: service.ask("GET", f"/v1/torrents/{info_hash}"), lambda seen: seen["downloads"] == 1)
    service.ask("POST", "/v1/backup")  # Whose answer comes when all is written down.
    service.kill()
    service.start()
    seen = service.ask("GET", f"/v1/torrents/{info_hash}")
    assert (seen["downloads"], seen["registered"], seen["name"], seen["length"]) == (1, True, "film.bin", MIB)
    # Peers announce themselves again.
    seeder.announce()
    eventually(lambda: service.ask("GET", f"/v1/torrents/{info_hash}")["seeders"] == 1)


def test_a_torrent_that_is_not_listed_fails_at_the_client(net, tracker, peers):
    service = tracker("--mode", "listed")
    seeder, = peers(1)
    data = torrent(content(seeder.folder / "film.bin", MIB), announce_url(net, "http"))
    info_hash = str(libtorrent.torrent_info(libtorrent.bdecode(data)).info_hash())
    seeder.add(data).wait()
    told = []
    eventually(lambda: told.extend(seeder.alerts()) or any("this torrent is not registered here" in alert for alert in told))
    service.ask("POST", "/v1/torrents", json={"info_hash": info_hash})
    seeder.announce()
    eventually(lambda: service.ask("GET", f"/v1/torrents/{info_hash}")["seeders"] == 1)
    service.ask("PATCH", f"/v1/torrents/{info_hash}", json={"denied": True})
    seeder.announce()
    eventually(lambda: told.extend(seeder.alerts()) or any("this torrent is not allowed here" in alert for alert in told))


def test_what_happens_is_told_while_it_happens(net, tracker, peers):
    service = tracker()
    seeder, leecher = peers(2)
    data = torrent(content(seeder.folder / "film.bin", MIB), announce_url(net, "http"))
    info_hash = str(libtorrent.torrent_info(libtorrent.bdecode(data)).info_hash())
    seen = []
    with service.http.get(f"{service.url}/v1/events", stream=True, timeout=60) as stream:
        seeder.add(data).wait()
        leecher.add(data).wait()
        leecher.stop()
        service.ask("POST", "/v1/torrents", json={"info_hash": info_hash, "denied": True})
        service.ask("DELETE", f"/v1/torrents/{info_hash}")
        for line in stream.iter_lines():
            key, _, value = line.decode().partition(": ")
            if key == "event":
                seen.append((value, None))
            elif key == "data":
                seen[-1] = (seen[-1][0], json.loads(value).get("peer"))
                if seen[-1][0] == "torrent.deleted":
                    break
    at = {peer.address: f"{peer.address}:6881" for peer in [seeder, leecher]}
    assert seen == [
        ("peer.started", at[seeder.address]), ("peer.started", at[leecher.address]), ("peer.completed", at[leecher.address]),
        ("peer.stopped", at[leecher.address]), ("torrent.added", None), ("torrent.deleted", None)], seen


def test_a_private_tracker_knows_its_users_by_their_keys(net, tracker, peers):
    service = tracker("--mode", "private")
    names, keys = ["alice", "bob"], []
    for number, name in enumerate(names, 1):
        assert service.ask("POST", "/v1/users", json={"name": name})["id"] == number
        keys.append(service.ask("POST", f"/v1/users/{number}/keys", json={}))
    (seeder, leecher, stranger), url = peers(3), f"http://{net.at('30.1')}:6969"
    original = content(seeder.folder / "film.bin", 2 * MIB)
    first = torrent(original, url + keys[0]["announce_path"])
    info_hash = str(libtorrent.torrent_info(libtorrent.bdecode(first)).info_hash())
    service.ask("POST", "/v1/torrents", data=first, headers={"Content-Type": "application/x-bittorrent"})
    seeder.add(first).wait()
    # The same torrent with another user's URL, and by UDP, whose datagrams carry the URL's path (BEP 41).
    leecher.add(torrent(original, url.replace("http", "udp") + keys[1]["announce_path"])).wait()
    told = []
    stranger.add(torrent(original, url + "/announce"))
    eventually(lambda: told.extend(stranger.alerts()) or any("this tracker is private" in alert for alert in told))
    for peer in [seeder, leecher]:
        peer.announce()
    eventually(lambda: service.ask("GET", "/v1/users/2"), lambda user: user["downloaded"] >= 2 * MIB)
    eventually(lambda: service.ask("GET", "/v1/users/1"), lambda user: user["uploaded"] >= 2 * MIB)
    assert service.ask("GET", "/v1/users/2")["ratio"] == 0
    assert service.ask("GET", f"/v1/torrents/{info_hash}")["downloads"] == 1
    service.ask("POST", "/v1/backup")
    service.kill()
    service.start()
    assert [user["name"] for user in service.ask("GET", "/v1/users")["items"]] == names
    assert service.ask("GET", "/v1/users/1")["uploaded"] >= 2 * MIB
    service.ask("PATCH", f"/v1/users/1/keys/{keys[0]['id']}", json={"disabled": True})
    told = []
    eventually(lambda: seeder.announce() or told.extend(seeder.alerts()) or any("key" in a and "is disabled" in a for a in told))
    # A key in time.
    timed = service.ask("POST", "/v1/users/1/keys", json={"expires_in": 3600})
    asked = requests.Session()
    asked.trust_env = False
    scrape = f"{url}{timed['announce_path'].replace('announce', 'scrape')}?info_hash=" + "%00" * 20
    assert asked.get(scrape, timeout=10).content.startswith(b"d5:filesde")
    # A scrape by UDP has no place for a key.
    line = udp(net.at("60.9"), (net.at("30.1"), 6969))
    line.settimeout(10)
    line.send(CONNECT + struct.pack(">I", 1))
    line.send(line.recv(100)[8:] + struct.pack(">II", 2, 7) + bytes.fromhex(info_hash))
    answer = line.recv(1500)
    assert answer[:8] == struct.pack(">II", 3, 7) and b"private" in answer
    service.ask("PUT", "/v1/clock", json={"offset_seconds": 3600})
    assert b"has expired" in asked.get(scrape, timeout=10).content


def test_malformed_announces_are_told_why_and_stop_nothing(net, tracker):
    service = tracker()
    door = f"http://{net.at('30.1')}:6969"
    plain = requests.Session()
    plain.trust_env = False
    for query in ["", "?", "?info_hash=x", "?info_hash=" + "%00" * 20, "?info_hash=%zz&peer_id=%&port=-1"]:
        answer = plain.get(f"{door}/announce{query}", timeout=10)
        assert answer.status_code == 200 and answer.content.startswith(b"d14:failure reason"), query
    assert plain.get(f"{door}/scrape", timeout=10).content.startswith(b"d14:failure reason")
    # The REST API is not there, nor are announces on its own door.
    assert plain.get(f"{door}/v1/torrents", timeout=10).status_code == 404
    assert plain.get(f"{service.url}/announce", timeout=10).status_code == 404
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((net.at("60.1"), 0))
        udp.connect((net.at("30.1"), 6969))
        udp.settimeout(10)
        connect = struct.pack(">QII", 0x41727101980, 0, 7)
        scrape = struct.pack(">QII", 1234, 2, 8) + bytes(20)
        for junk in [b"", b"x", connect[:-1], os.urandom(200), scrape, struct.pack(">QII", 1234, 1, 9) + bytes(82)]:
            udp.send(junk)
        # None of those was answered: the first answer is to this.
        udp.send(connect)
        action, transaction, connection = struct.unpack(">IIQ", udp.recv(100))
        assert (action, transaction) == (0, 7)
        udp.send(struct.pack(">QII", connection, 2, 8) + bytes(20))
        assert struct.unpack(">IIIII", udp.recv(100)) == (2, 8, 0, 0, 0)
        # The id is good for this address alone.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((net.at("60.2"), 0))
            other.connect((net.at("30.1"), 6969))
            other.settimeout(10)
            other.send(struct.pack(">QII", connection, 2, 8) + bytes(20))
            other.send(connect)
            assert struct.unpack(">II", other.recv(100)[:8]) == (0, 7)
    metrics = plain.get(f"{service.url}/metrics", timeout=10).text
    assert "tracker_ignored_datagrams_total 7" in metrics, metrics
    assert service.is_ready()


def test_a_proxy_s_word_is_taken_where_the_operator_says_so(net, tracker):
    other = f"{net.at('30.1')}:6970"
    service = tracker("--http", other, "--proxy", net.at("60.9"), "--proxy", f"{net.at('60.7')}@{other}")
    query = "info_hash=" + "%01" * 20 + "&peer_id=-XX0001-abcdefghijkl&port=7001&left=1&ip=203.0.113.77"

    def answer(source, forwarded, port=6969):
        connection = http.client.HTTPConnection(net.at("30.1"), port, timeout=10, source_address=(net.at(source), 0))
        connection.request("GET", f"/announce?{query}", headers={"X-Forwarded-For": forwarded})
        answer = connection.getresponse().read()
        connection.close()
        return answer

    def seen(*asked):
        assert answer(*asked).startswith(b"d8:complete")
        return {peer["address"] for peer in service.ask("GET", f"/v1/torrents/{'01' * 20}/peers")["items"]}

    # Of what the proxy hands on the last is its own word; what a client claims counts for nothing.
    assert seen("60.9", "198.51.100.1, 203.0.113.5") == {"203.0.113.5:7001"}
    assert seen("60.8", "203.0.113.6") == {"203.0.113.5:7001", f"{net.at('60.8')}:7001"}
    # Some add the client's port; who says nothing that can be used is not taken for the client itself.
    assert seen("60.9", "203.0.113.5:4321") == {"203.0.113.5:7001", f"{net.at('60.8')}:7001"}
    assert b"does not say from which address" in answer("60.9", "unknown")
    # A listener believes those that are configured for it.
    assert seen("60.7", "203.0.113.9", 6970) == {"203.0.113.5:7001", "203.0.113.9:7001", f"{net.at('60.8')}:7001"}
    assert f"{net.at('60.7')}:7001" in seen("60.7", "203.0.113.10")


def test_a_scrape_is_what_clients_expect(net, tracker, peers):
    """libtorrent's own scrape, over both protocols."""
    tracker()
    seeder, = peers(1)
    for scheme in ["http", "udp"]:
        data = torrent(content(seeder.folder / f"{scheme}.bin", MIB, scheme.encode()), announce_url(net, scheme))
        seeder.add(data).wait()
        seen = []

        def replies():
            seeder.handle.scrape_tracker()
            seen.extend(alert for alert in seeder.session.pop_alerts() if isinstance(alert, libtorrent.scrape_reply_alert))
            return [(reply.complete, reply.incomplete) for reply in seen]
        assert eventually(replies, lambda told: (1, 0) in told)

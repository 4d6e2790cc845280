"""The tracker among floods and made-up torrents: who means it is answered all along, and rightly."""
import collections
import concurrent.futures
import multiprocessing
import random
import re
import socket
import struct

import libtorrent
from announcing import CONNECT, HASHES, Peer, announce, metric, path, peak, start, swarm, udp

WRONG = re.compile(rb"HTTP/1\.1 4\d\d |HTTP/1\.1 200 .*\r\n\r\nd14:failure reason", re.DOTALL)


def flood(tracker, strange, known, stale, seed, count):
    """Sends what makes no sense, and reads the answers. Strangers have no connection id; one socket has."""
    chance, huge, told = random.Random(seed), bytes(60_000), collections.Counter()
    strangers, client = [udp(strange, tracker) for _ in range(3)], udp(known, tracker)
    client.settimeout(0.2)
    good = None
    while good is None:
        client.send(CONNECT + bytes(4))
        try:
            good = struct.unpack(">Q", client.recv(100)[8:])[0]
        except TimeoutError:
            pass
    connects, silent = {}, set()

    def read(wait):
        for one in [*strangers, client]:
            one.settimeout(wait)
            try:
                while answer := one.recv(4096):
                    action, transaction = struct.unpack(">II", answer[:8])
                    if one is client:
                        told["refused" if action == 3 else "scraped" if action == 2 else "wrong"] += transaction != 0
                        told["wrong"] += transaction in silent
                    else:
                        # No stranger is answered but for a connect, and never with more than it sent.
                        told["connected"] += 1
                        told["wrong"] += action != 0 or len(answer) > connects.get(transaction, 0)
            except (TimeoutError, BlockingIOError):
                pass
    for number in range(1, count + 1):
        kind, id = chance.randrange(10), chance.choice([stale, good, 0, 0x41727101980, chance.getrandbits(64)])
        head, body = struct.pack(">II", 1, number), announce(chance.randbytes(20), 1 + number % 65535)
        if kind == 0:
            datagram = CONNECT + struct.pack(">I", number) + chance.randbytes(chance.choice([0, 0, 1, 80]))
            connects[number] = len(datagram)
        elif kind < 6:
            datagram = [
                struct.pack(">Q", id) + head + body, (struct.pack(">Q", id) + head + body)[:number % 99],
                # What begins otherwise than a connect.
                b"\xff" + chance.randbytes(chance.randrange(300)),
                struct.pack(">QII", id, 2, number) + bytes(20) * chance.choice([0, 1, 500]),
                struct.pack(">QII", id, 1, number) + huge][kind - 1]
        else:
            mine = struct.pack(">Q", good)
            datagram = [
                mine + head + body, (mine + head + body)[:number % 98], mine + struct.pack(">II", 2, number) + bytes(1480),
                mine + struct.pack(">II", chance.choice([1, 2]), number) + huge[:10_000 * chance.randrange(2)]][kind - 6]
        if 0 < kind < 6 or kind in (7, 9):
            silent.add(number)
        (client if kind >= 6 else chance.choice(strangers)).send(datagram)
        if number % 64 == 0:
            read(0)
    read(0.5)
    told["silent"] = len(silent)
    return told


def test_a_flood_of_datagrams_hinders_nobody_who_means_it(net):
    service = start(net, "--mode", "listed", "--announces-per-address", "1000000")
    stale = Peer(net, "60.9")
    stale.told_by_udp(HASHES[0], 7009)
    # Ids are good for one run of the tracker.
    service.kill()
    service.start()
    others, peer, asked = swarm(net), Peer(net, "60.4"), 0
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as floods:
        under_way = [floods.submit(
            flood, peer.tracker, net.at(f"8{seed}.1"), net.at(f"9{seed}.1"), stale.connection, seed, 50_000) for seed in (1, 2)]
        while asked < 20 or not all(one.done() for one in under_way):
            assert peer.told_by_udp(HASHES[0], 7003) == others
            assert peer.told_by_http(HASHES[0], 7003) == others
            assert service.http.get(f"{service.url}/healthz", timeout=30).status_code == 200
            asked += 1
        told = sum((one.result() for one in under_way), collections.Counter())
    assert told["wrong"] == 0 and told["connected"] > 100 and told["refused"] > 100 and told["scraped"] > 100, told
    # What the sockets had no room for was never seen; what was is counted.
    ignored = metric(service, "tracker_ignored_datagrams_total")
    assert 100 < ignored <= told["silent"], (ignored, told)
    assert metric(service, "tracker_failures_total") >= told["refused"]
    for junk in [b"x", struct.pack(">QII", stale.connection, 1, 1) + announce(HASHES[0], 1)] * 10:
        stale.udp.send(junk)
    assert peer.told_by_udp(HASHES[0], 7003) == others
    assert metric(service, "tracker_ignored_datagrams_total") == ignored + 20
    assert peak(service) < 150


def test_slow_and_malformed_requests_are_each_answered_and_hinder_nobody(net):
    service = start(net)
    others, peer = swarm(net), Peer(net, "60.4")
    good, slow = path(HASHES[0], 7003), path(HASHES[1], 7003)
    host = f" HTTP/1.1\r\nHost: {peer.tracker[0]}\r\nConnection: close\r\n"
    plain = good.partition("info_hash=")[2].partition("&")[2]
    malformed = [
        b"/announce?info_hash=" + bytes(range(0x80, 0x94)) + b"&" + plain.encode(), b"/announce?info_hash=\0\r\n\t &port=1",
        b"/announce?info_hash=%&" + plain.encode(), b"/announce?info_hash=%zz&" + plain.encode(),
        (good + "&more=" + "z" * 100_000).encode(), (good + "&info_hash=" + "%01" * 20).encode(),
        good.replace("port=7003&", "").encode(), good.replace("port=7003", "port=65536").encode(), b"/announce", b"/announce/%ff?%",
        b"/scrape?" + b"&".join([b"info_hash=" + b"%01" * 20] * 101), b"/scrape?info_hash=%01%", b"/nothing",
        b"//announce?" + plain.encode()]
    flood, answers = [], {}
    for number in range(200):
        # Half of them are slow; of those each fifth never comes to its end.
        asked = b"GET %s" % (malformed[number // 2 % len(malformed)] if number % 2 else slow.encode()) + host.encode()
        asked += b"" if number % 10 == 0 else b"\r\n"
        size = len(asked) if number % 2 else len(asked) // 12 + 1
        one = socket.create_connection(peer.tracker, 60, (net.at(f"70.{number % 7 + 1}"), 0))
        flood.append((one, number, [asked[at:at + size] for at in range(0, len(asked), size)]))
    for turn in range(12):
        for one, number, pieces in flood:
            try:
                one.sendall(pieces[turn] if turn < len(pieces) else b"")
            except OSError:
                pass  # It was told already that this is too much.
        assert peer.told_by_http(HASHES[0], 7003) == others, f"turn {turn}"
        assert peer.told_by_udp(HASHES[0], 7003) == others, f"turn {turn}"
    for one, number, pieces in flood:
        if number % 10:
            answer = b""
            while piece := one.recv(65536):
                answer += piece
            answers[number] = answer
            if number % 2:
                assert WRONG.match(answer), (number, b"".join(pieces)[:100], answer[:200])
            else:
                # A slow one is told as all others are, unless it was slower than it may be.
                head, _, body = answer.partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 408 ") or libtorrent.bdecode(body)[b"incomplete"] > 0
    assert len(answers) == 180 and service.is_ready() and peak(service) < 150
    for one, _, _ in flood:
        one.close()
    assert peer.told_by_http(HASHES[0], 7003) == others


def test_made_up_torrents_take_nothing_from_others(net):
    service = start(net, "--announces-per-address", "1")
    others, liar, peer, chance = swarm(net), Peer(net, "61.1"), Peer(net, "60.4"), random.Random(1)
    told = []
    for _ in range(250):
        told += liar.ask([announce(chance.randbytes(20), 7000) for _ in range(40)])
    # 5,000 may come at once, and then one a second: the rest is refused, in words.
    accepted = [action for action, _ in told].count(1)
    assert {answer for action, answer in told if action != 1} == {b"too many announces come from your address"}
    assert len(told) == 10_000 and 5000 - liar.resent <= accepted < 10_000
    assert liar.get(HASHES[0], 7000) == {b"failure reason": b"too many announces come from your address", b"retry in": 1}
    assert metric(service, "tracker_failures_total") >= 10_001 - accepted
    totals = service.ask("GET", "/v1/totals")
    assert accepted <= totals["torrents"] - len(HASHES) <= accepted + liar.resent and totals["evicted"] == 0, totals
    # Another address is told of all who are there, by both protocols, and the liar never got among them.
    assert peer.told_by_udp(HASHES[0], 7003) == others and peer.told_by_http(HASHES[0], 7003) == others
    seen = {item["address"] for item in service.ask("GET", f"/v1/torrents/{HASHES[0].hex()}/peers")["items"]}
    assert seen == others | {f"{peer.source}:7003"} and peak(service) < 150

"""kill -9 of the tracker while peers announce, and what happens while it writes."""
import collections
import concurrent.futures
import contextlib
import http.client
import itertools
import sqlite3
import threading
import time

import pytest
import shims
from announcing import HASHES, Peer, start
from harness import eventually


# Beside the torrents' downloads: the thousands of octets that the user downloaded.
MOVED = "moved"


class Downloaders:
    """Four peers' addresses, on whose ports one after the other completes a torrent; each completion is sent once."""

    def __init__(self, net, key, first):
        self.net, self.key, self.first = net, key, first
        self.sent, self.acknowledged, self.known = [[collections.Counter() for _ in range(4)] for _ in range(2)] + [set()]
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(number,)) for number in range(4)]
        for thread in self.threads:
            thread.start()

    def work(self, number):
        peer = Peer(self.net, f"60.{number + 1}")
        for port in itertools.count(self.first):
            if self.stopping.wait(0.002):
                return
            hash = HASHES[port % len(HASHES)]
            try:
                assert b"failure reason" not in peer.get(hash, port, 1000, "&event=started", self.key)
                self.sent[number].update([hash, MOVED])
                assert b"failure reason" not in peer.get(hash, port, 0, "&event=completed&downloaded=1000", self.key)
                self.acknowledged[number].update([hash, MOVED])
                self.known.add((number, hash, port))
            except (OSError, http.client.HTTPException):
                peer.web.close()
                time.sleep(0.05)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def total(counters):
    return sum((collections.Counter(one) for one in counters), collections.Counter())


def test_killed_while_announces_come_it_keeps_what_was_written_and_makes_up_nothing(net):
    """Completions are acknowledged when they are counted and written down by batches, every two seconds."""
    service = start(net, "--mode", "private", "--announces-per-address", "1000000")
    service.ask("POST", "/v1/users", json={"name": "alice"})
    key = service.ask("POST", "/v1/users/1/keys", json={})["announce_path"].removeprefix("/announce")
    database = service.directory / "data" / "tracker.sqlite"
    before, known = collections.Counter(), set()

    def downloads():
        seen = {hash: service.ask("GET", f"/v1/torrents/{hash.hex()}")["downloads"] for hash in HASHES}
        return seen | {MOVED: service.ask("GET", "/v1/users/1")["downloaded"] // 1000}

    def written():
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as reader:
            seen = dict(reader.execute("SELECT info_hash, downloads FROM torrent").fetchall())
            return seen | {MOVED: reader.execute("SELECT downloaded FROM user").fetchone()[0] // 1000}

    for run in range(2):
        crowd = Downloaders(net, key, 2000 + 30_000 * run)
        try:
            eventually(lambda: total(crowd.acknowledged)[MOVED], lambda count: count >= 60)
            counted = before + total(crowd.acknowledged)
            # A batch later they lie in the database, and there they stay.
            durable = eventually(written, lambda rows: all(rows[what] >= counted[what] for what in counted))
            service.kill()
        finally:
            crowd.stop()
        service.start()
        now, sent = downloads(), before + total(crowd.sent)
        assert all(durable[what] <= now[what] <= sent[what] for what in now), (durable, now, sent)
        before, known = collections.Counter(now), known | crowd.known
        assert service.ask("GET", "/v1/totals")["peers"] == 0
    # Who was there says so again: the swarms are full again, nothing is counted twice.
    peers = [Peer(net, f"60.{number + 1}") for number in range(4)]
    for number, hash, port in known:
        assert b"failure reason" not in peers[number].get(hash, port, 0, key=key)
    for hash in HASHES:
        seen = service.ask("GET", f"/v1/torrents/{hash.hex()}")
        assert seen["registered"] and (seen["leechers"], seen["downloads"]) == (0, before[hash])
        assert seen["seeders"] == len([one for one in known if one[1] == hash]) > 20
    assert [key["disabled"] for key in service.ask("GET", "/v1/users/1/keys")["items"]] == [False]
    assert b"not known here" in peers[0].get(HASHES[0], 2000, key="/wrong")[b"failure reason"]
    assert service.stop() == 0
    with contextlib.closing(sqlite3.connect(database)) as owner:
        assert owner.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert owner.execute("SELECT COUNT(*) FROM announce_key").fetchall() == [(1,)]


@pytest.fixture
def slow(net, tmp_path, monkeypatch):
    """A private tracker whose disk takes nothing as long as a file exists, and a key; a peer has completed a torrent since."""
    environment, gate, _ = shims.fsync_gate(tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    service, peer = start(net, "--mode", "private"), Peer(net, "60.1")
    service.ask("POST", "/v1/users", json={"name": "alice"})
    key = service.ask("POST", "/v1/users/1/keys", json={})["announce_path"].removeprefix("/announce")
    gate.touch()
    peer.get(HASHES[0], 2000, 1000, "&event=started", key)
    peer.get(HASHES[0], 2000, 0, "&event=completed&downloaded=1000", key)
    yield service, gate
    gate.unlink(missing_ok=True)


def test_a_stop_while_a_batch_is_written_loses_nothing(slow):
    service, gate = slow
    time.sleep(3)  # The batch waits for the disk; where it doesn't yet, there is less to see here.
    seen = [service.ask("GET", "/v1/users/1")["downloaded"]]
    service.process.terminate()
    time.sleep(1)
    gate.unlink()
    assert service.process.wait(60) == 0
    service.start()
    seen.append(service.ask("GET", "/v1/users/1")["downloaded"])
    assert (seen, service.ask("GET", f"/v1/torrents/{HASHES[0].hex()}")["downloads"]) == ([1000, 1000], 1), service.tail()


def test_a_backup_while_a_batch_is_written_has_the_batch(slow):
    service, gate = slow
    time.sleep(3)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asked = pool.submit(service.ask, "POST", "/v1/backup")
        time.sleep(1)
        gate.unlink()
        copy = asked.result()["path"]
    with contextlib.closing(sqlite3.connect(f"file:{copy}/tracker.sqlite?mode=ro", uri=True)) as reader:
        assert reader.execute("SELECT downloaded FROM user").fetchall() == [(1000,)]
        assert reader.execute("SELECT downloads FROM torrent WHERE info_hash = ?", (HASHES[0],)).fetchall() == [(1,)]


def test_what_was_deleted_while_a_batch_was_written_stays_deleted(slow):
    service, gate = slow
    door = f"{service.url}/v1/torrents/{HASHES[0].hex()}"
    deleting = threading.Thread(target=service.http.delete, args=(door,), kwargs={"timeout": 60})
    deleting.start()
    time.sleep(3)  # The batch comes behind the deletion, and both wait for the disk.
    gate.unlink()
    deleting.join()
    assert service.http.get(door, timeout=30).status_code == 404
    assert service.stop() == 0
    service.start()
    assert service.http.get(door, timeout=30).status_code == 404

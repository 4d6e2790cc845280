"""The tracker where there is no room left: who was quiet longest makes room for others, and the operator hears of it."""
import json

import pytest
from announcing import Peer, metric
from harness import eventually, executable, run

# Of one shard, among whose torrents the coldest is looked for.
HASHES = [bytes([7, number]) + bytes(18) for number in range(4)]


@pytest.fixture
def tracker(net):
    door = f"{net.at('30.1')}:6969"
    return lambda *flags: net.start("tracker", "tracker", 8060, "--http", door, "--interval", "3600", *flags)


@pytest.fixture
def announce(net):
    """Lets a peer of that number announce a torrent; how many peers the torrent has then."""
    def tell(hash, number):
        answer = Peer(net, f"60.{number}").get(hash, 7000 + number)
        return answer[b"complete"] + answer[b"incomplete"]
    return tell


def later(service, seconds=60):
    """So that the one torrent was quiet longer than the next."""
    clock = service.ask("GET", "/v1/clock")
    service.ask("PUT", "/v1/clock", json={"offset_seconds": clock["offset_seconds"] + seconds})


def evictions(service):
    """As the log tells of them, together."""
    lines = [json.loads(line) for line in service.log.read_text().splitlines() if "to make room" in line]
    return sum(int(line["count"]) for line in lines)


def peers(service, hash):
    return service.ask("GET", f"/v1/torrents/{hash.hex()}/peers")["items"]


def test_the_peers_of_the_coldest_torrent_make_room(tracker, announce):
    service = tracker("--most-peers", "8")
    for hash in HASHES[:3]:
        service.ask("POST", "/v1/torrents", json={"info_hash": hash.hex()})
    for hash in HASHES[:2]:
        assert [announce(hash, number) for number in (1, 2, 3)] == [1, 2, 3]
        later(service)
    assert metric(service, "tracker_evicted_total") == 0
    # The first was heard of again: now the second is the coldest.
    announce(HASHES[0], 1)
    later(service)
    assert [announce(HASHES[2], number) for number in (4, 5, 6)] == [1, 2, 3]
    assert metric(service, "tracker_evicted_total") == 1
    assert metric(service, "tracker_peers") <= 8
    assert [len(peers(service, hash)) for hash in HASHES[:3]] == [3, 0, 3]
    eventually(lambda: evictions(service), lambda told: told == 1)
    # Who was forgotten is back with its next announce.
    assert announce(HASHES[1], 2) == 1
    assert service.ask("GET", f"/v1/torrents/{HASHES[1].hex()}")["leechers"] == 1


def test_the_coldest_torrent_that_nobody_registered_makes_room(tracker, announce):
    service = tracker("--most-torrents", "3")
    service.ask("POST", "/v1/torrents", json={"info_hash": HASHES[0].hex()})
    for number, hash in enumerate(HASHES[1:3], 1):
        assert announce(hash, number) == 1
        later(service)
    assert announce(HASHES[1], 3) == 2
    later(service)
    assert announce(HASHES[3], 4) == 1
    assert metric(service, "tracker_evicted_total") == 1 and metric(service, "tracker_torrents") == 3
    there = {item["info_hash"] for item in service.ask("GET", "/v1/torrents")["items"]}
    assert there == {hash.hex() for hash in (HASHES[0], HASHES[1], HASHES[3])}
    eventually(lambda: evictions(service), lambda told: told == 1)


@pytest.mark.parametrize("flag", ["--most-peers", "--most-torrents"])
@pytest.mark.parametrize("value", ["0", "100000001", "-1", "many"])
def test_what_is_no_bound_is_refused(flag, value, tmp_path):
    said = run(executable("utopia-tracker"), "--listen", "127.0.0.1:0", "--data", tmp_path / "data", f"{flag}={value}", check=False)
    assert flag in said and ("must be 1 to 100000000" in said or "invalid" in said), said
    assert not (tmp_path / "data").exists()

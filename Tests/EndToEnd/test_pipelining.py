"""How much a peer asks for at a time: as much as its link holds, the bandwidth times the delay, and little more."""
import pytest
from ours import OurPeer
from relay import Relay
from swarm import MIB, content, digest

RATE = 1 * MIB
BLOCK = 16384
# Each way.
DELAY = 0.3
SIZE = 10 * MIB


@pytest.fixture
def relay(net):
    made = []

    def start(target):
        made.append(Relay((net.at("60.1"), 6881), (target, 6881), DELAY))
        return made[-1].address[0]
    yield start
    for one in made:
        one.close()


@pytest.mark.parametrize("way", ["direct", "long"])
def test_a_link_is_kept_full_and_not_flooded(way, net, relay, tmp_path):
    seeder, leecher = OurPeer(net, 1), OurPeer(net, 2)
    original = content(tmp_path / "film.bin", SIZE)
    info_hash = seeder.share(original, piece_length=65536, upload_limit=RATE)
    leecher.add(seeder.metainfo(info_hash))
    leecher.wait(info_hash, "downloading")
    leecher.call(info_hash, seeder.address if way == "direct" else relay(seeder.address))
    asked, waiting = {}, {}
    while (torrent := leecher.torrent(info_hash))["state"] == "downloading":
        for depths, key, side in [(asked, "requests_out", leecher), (waiting, "requests_in", seeder)]:
            for peer in side.peers(info_hash):
                depths[torrent["pieces_here"]] = max(peer[key], depths.get(torrent["pieces_here"], 0))
    assert digest(leecher.folder / "film.bin") == digest(original)
    assert not [decision for decision in leecher.decisions(info_hash) if decision["event"] == "peer.disconnected"
                and torrent["state"] != "seeding"]
    # At first neither bandwidth nor delay is known, and in the end there is nothing more to ask for.
    known = {side: max(depth for pieces, depth in depths.items() if torrent["pieces"] * 0.6 < pieces < torrent["pieces"] * 0.9)
             for side, depths in [("asked", asked), ("waiting", waiting)]}
    product = RATE * 2 * DELAY / BLOCK
    if way == "direct":
        assert known["asked"] < product, (known, asked)
    else:
        assert product <= known["asked"] <= 4 * product, (known, asked)
    # What the one has asked for and the other has not yet is on its way.
    assert known["waiting"] <= known["asked"] * 1.5 + 8, (known, waiting)

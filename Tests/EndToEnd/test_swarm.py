"""One swarm of our peers and the clients that people use: each of them takes from ours and gives to ours."""
import pytest
from harness import eventually
from ours import announce_url, hash_of
from peerliar import LyingPeer
from swarm import MIB, aria2, content, digest, is_whole, torrent


@pytest.mark.parametrize("scheme", ["http", "udp"])
def test_one_swarm_of_all_clients(scheme, net, tracker, ours, others, tmp_path):
    seeder, leecher = ours(1), ours(2)
    original = content(tmp_path / "film.bin", 8 * MIB + 12345)
    info_hash = seeder.share(original, trackers=[announce_url(net, scheme)])
    data = seeder.metainfo(info_hash)
    file = tmp_path / "film.torrent"
    file.write_bytes(data)
    assert hash_of(data) == info_hash
    leecher.add(data)
    folders = [others.start(name, file, place)[1] for place, name in enumerate(
        ["libtorrent", "libtorrent", "libtorrent", "aria2", "transmission"], 1)]
    leecher.wait(info_hash)
    assert digest(leecher.folder / "film.bin") == digest(original)
    for place, folder in enumerate(folders, 1):
        eventually(lambda: seeder.call(info_hash, net.at(f"60.{place}")) or is_whole(folder / "film.bin", original))
    # The tracker has counted each.
    eventually(lambda: tracker.ask("GET", f"/v1/torrents/{info_hash}"), lambda seen: seen["downloads"] == 6)
    assert seeder.torrent(info_hash)["uploaded"] >= original.stat().st_size
    reasons = {decision.get("reason") for decision in leecher.decisions(info_hash) if decision["event"] == "piece.begun"}
    assert reasons & {"random", "rarest"}, reasons


@pytest.mark.parametrize("client", ["libtorrent", "aria2", "transmission"])
def test_each_client_takes_from_us(client, net, tracker, ours, others, tmp_path):
    seeder = ours(1)
    original = content(tmp_path / "film.bin", 3 * MIB + 1)
    info_hash = seeder.share(original, trackers=[announce_url(net)])
    file = tmp_path / "film.torrent"
    file.write_bytes(seeder.metainfo(info_hash))
    address, folder = others.start(client, file, 1)
    # Transmission calls nobody at a loopback address: it is called, sooner than at the next announce.
    eventually(lambda: seeder.call(info_hash, address) or is_whole(folder / "film.bin", original))
    assert seeder.torrent(info_hash)["uploaded"] >= original.stat().st_size
    met = [decision for decision in seeder.decisions(info_hash) if decision["event"] == "peer.unchoked"]
    assert any(decision["peer"].startswith(address + ":") for decision in met), met


@pytest.mark.parametrize("client", ["libtorrent", "aria2", "transmission"])
def test_each_client_gives_to_us(client, net, tracker, ours, others, tmp_path):
    leecher = ours(1)
    original = content(others.folder(f"{client}1") / "film.bin", 3 * MIB + 1)
    data = torrent(original, announce_url(net))
    file = tmp_path / "film.torrent"
    file.write_bytes(data)
    address, _ = others.start(client, file, 1, options=["--seed-time=10", "--seed-ratio=0"])
    info_hash = leecher.add(data)
    eventually(lambda: leecher.call(info_hash, address) or leecher.torrent(info_hash)["state"] == "seeding")
    assert digest(leecher.folder / "film.bin") == digest(original)
    finished = [decision for decision in leecher.decisions(info_hash) if decision["event"] == "piece.finished"]
    assert len(finished) == leecher.torrent(info_hash)["pieces"]
    assert all(peer.startswith(address + ":") for decision in finished for peer in decision["peers"]), finished


@pytest.mark.parametrize("client", ["ours", "libtorrent", "aria2"])
def test_a_magnet_link_is_enough(client, net, tracker, ours, others, tmp_path):
    seeder = ours(1)
    original = content(tmp_path / "film.bin", 2 * MIB + 1)
    info_hash = seeder.share(original, trackers=[announce_url(net)], piece_length=16384)
    link = seeder.torrent(info_hash)["magnet"]
    if client == "ours":
        leecher = ours(2)
        leecher.add_magnet(link)
        leecher.wait(info_hash)
        assert digest(leecher.folder / "film.bin") == digest(original)
        assert hash_of(leecher.metainfo(info_hash)) == info_hash
        return
    if client == "aria2":
        folder = others.folder("aria2")
        others.processes.append(aria2(net.at("60.1"), folder, link))
    else:
        file = tmp_path / "link"
        file.write_text(link)
        _, folder = others.start(client, file, 1)
    eventually(lambda: is_whole(folder / "film.bin", original))


def test_we_take_by_magnet_from_another_client(net, tracker, ours, others, tmp_path):
    leecher = ours(1)
    original = content(others.folder("libtorrent1") / "film.bin", 2 * MIB)
    data = torrent(original, announce_url(net), piece=16384)
    file = tmp_path / "film.torrent"
    file.write_bytes(data)
    others.start("libtorrent", file, 1)
    info_hash = leecher.add_magnet(f"magnet:?xt=urn:btih:{hash_of(data)}&tr={announce_url(net)}")
    leecher.wait(info_hash)
    assert leecher.torrent(info_hash)["name"] == "film.bin"
    assert digest(leecher.folder / "film.bin") == digest(original)


def test_a_folder_of_files(net, tracker, ours, others, tmp_path):
    """Pieces lie over the borders of files, some are empty, and only some are wanted."""
    original = others.folder("libtorrent1") / "album"
    sizes = {"one.mp3": MIB + 1, "two.mp3": 3, "cover/front.jpg": 100_000, "three.mp3": 2 * MIB, "notes.txt": 17}
    for name, size in sizes.items():
        content(original / name, size, seed=name.encode())
    data = torrent(original, announce_url(net))
    file = tmp_path / "album.torrent"
    file.write_bytes(data)
    others.start("libtorrent", file, 1)
    leecher = ours(1)
    info_hash = leecher.add(data)
    leecher.wait(info_hash)
    for name in sizes:
        assert digest(leecher.folder / "album" / name) == digest(original / name), name
    # Another takes two of them alone, and later all.
    chooser = ours(2)
    chooser.ask("PATCH", "/v1/limits", json={"download_limit": 1024})
    chooser.add(data)
    files = {item["path"]: item for item in chooser.ask("GET", f"/v1/torrents/{info_hash}/files")["items"]}
    assert {path: item["length"] for path, item in files.items()} == sizes
    for path, item in files.items():
        if path not in ["two.mp3", "cover/front.jpg"]:
            chooser.ask("PATCH", f"/v1/torrents/{info_hash}/files/{item['file']}", json={"wanted": False})
    chooser.ask("PATCH", "/v1/limits", json={"download_limit": 0})
    chooser.wait(info_hash)
    for name in ["two.mp3", "cover/front.jpg"]:
        assert digest(chooser.folder / "album" / name) == digest(original / name)
    assert chooser.torrent(info_hash)["downloaded"] < 2 * MIB
    answer = chooser.http.get(f"{chooser.url}/v1/torrents/{info_hash}/files/{files['cover/front.jpg']['file']}/content", timeout=30)
    assert answer.content == (original / "cover" / "front.jpg").read_bytes()
    answer = chooser.http.get(f"{chooser.url}/v1/torrents/{info_hash}/files/{files['three.mp3']['file']}/content", timeout=30)
    assert answer.status_code == 409
    for item in files.values():
        chooser.ask("PATCH", f"/v1/torrents/{info_hash}/files/{item['file']}", json={"wanted": True})
    chooser.wait(info_hash)
    for name in sizes:
        assert digest(chooser.folder / "album" / name) == digest(original / name), name


def test_peers_tell_each_other_of_peers(net, ours, others, tmp_path):
    """No tracker: each is told of one other, and hears of the rest from that one (BEP 11)."""
    seeder, middle, leecher = ours(1), ours(2), ours(3)
    original = content(tmp_path / "film.bin", 8 * MIB)
    info_hash = seeder.share(original)
    data = seeder.metainfo(info_hash)
    seeder.ask("PATCH", "/v1/limits", json={"upload_limit": MIB})
    for peer in [middle, leecher]:
        peer.add(data)
    middle.call(info_hash, seeder.address)
    eventually(lambda: middle.peers(info_hash))
    leecher.call(info_hash, middle.address)
    file = tmp_path / "film.torrent"
    file.write_bytes(data)
    address, folder = others.start("libtorrent", file, 1)
    others.sessions[0].handle.connect_peer((middle.address, 6881))
    met = eventually(
        lambda: {decision["peer"] for decision in leecher.decisions(info_hash) if decision["event"] == "peer.connected"},
        lambda met: any(peer.startswith(seeder.address) for peer in met))
    assert any(peer.startswith(middle.address) for peer in met), met
    seeder.ask("PATCH", "/v1/limits", json={"upload_limit": 0})
    leecher.wait(info_hash)
    eventually(lambda: is_whole(folder / "film.bin", original))
    assert digest(leecher.folder / "film.bin") == digest(original)


def test_a_private_torrent_stays_with_its_tracker(net, ours, tmp_path):
    """Whom a peer knows of it does not tell others (BEP 27)."""
    seeder, middle, leecher = ours(1), ours(2), ours(3)
    original = content(tmp_path / "film.bin", 4 * MIB)
    info_hash = seeder.share(original, private=True)
    data = seeder.metainfo(info_hash)
    for peer in [middle, leecher]:
        peer.add(data)
    leecher.call(info_hash, middle.address)
    middle.call(info_hash, seeder.address)
    leecher.wait(info_hash)
    met = {decision["peer"].split(":")[0] for decision in leecher.decisions(info_hash) if decision["event"] == "peer.connected"}
    assert met == {middle.address}


def test_tracker_and_peers_are_killed_in_mid_swarm(net, tracker, ours, others, tmp_path):
    """Nothing that was whole is fetched again, and all come to the end of it."""
    seeder, first, second = ours(1), ours(2), ours(3)
    original = content(tmp_path / "film.bin", 16 * MIB)
    info_hash = seeder.share(original, trackers=[announce_url(net)], upload_limit=3 * MIB)
    data = seeder.metainfo(info_hash)
    file = tmp_path / "film.torrent"
    file.write_bytes(data)
    _, folder = others.start("libtorrent", file, 1)
    for peer in [first, second]:
        peer.add(data)
    eventually(lambda: first.torrent(info_hash).get("pieces_here", 0), lambda held: 8 <= held)
    tracker.kill()
    first.kill()
    first.start()
    tracker.start()
    held = eventually(lambda: first.torrent(info_hash), lambda seen: seen["state"] != "checking")["pieces_here"]
    assert held >= 8
    seeder.kill()
    seeder.start()
    seeder.ask("PATCH", f"/v1/torrents/{info_hash}", json={"upload_limit": 0})
    for peer in [first, second]:
        peer.wait(info_hash)
        assert digest(peer.folder / "film.bin") == digest(original)
    fetched = [decision for decision in first.decisions(info_hash) if decision["event"] == "piece.finished"]
    assert len(fetched) <= 64 - held
    eventually(lambda: seeder.call(info_hash, net.at("60.1")) or is_whole(folder / "film.bin", original))
    eventually(lambda: tracker.ask("GET", f"/v1/torrents/{info_hash}"), lambda seen: seen["seeders"] >= 3)


def test_a_liar_is_found_and_banned(net, tracker, ours, tmp_path):
    seeder, leecher = ours(1), ours(2)
    original = content(tmp_path / "film.bin", 4 * MIB)
    info_hash = seeder.share(original, trackers=[announce_url(net)], upload_limit=200_000)
    liar = LyingPeer(net.at("60.1"), info_hash, 16)
    try:
        leecher.add(seeder.metainfo(info_hash))
        leecher.call(info_hash, liar.address)
        banned = eventually(
            lambda: [decision["peer"] for decision in leecher.decisions(info_hash) if decision["event"] == "peer.banned"])
        assert banned == [liar.address] and liar.given > 0
        seeder.ask("PATCH", f"/v1/torrents/{info_hash}", json={"upload_limit": 0})
        leecher.wait(info_hash)
        assert digest(leecher.folder / "film.bin") == digest(original)
    finally:
        liar.stop()

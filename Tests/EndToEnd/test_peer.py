"""The peer, with the clients that people use: each of them takes from it and gives to it."""
import pathlib
import signal
import subprocess

import libtorrent
import pytest
from harness import eventually
from ours import OurPeer, hash_of
from peerliar import LyingPeer
from swarm import MIB, Torrenter, aria2, content, digest, torrent, transmission


@pytest.fixture
def tracker(net):
    return net.start(
        "tracker", "tracker", 8060, "--http", f"{net.at('30.1')}:6969", "--udp", f"{net.at('30.1')}:6969", "--interval", "10")


@pytest.fixture
def ours(net):
    return lambda number, *flags: OurPeer(net, number, *flags)


class Others:
    """The clients of other people, started by their names and ended with the test."""

    def __init__(self, net, directory):
        self.net, self.directory, self.sessions, self.processes = net, pathlib.Path(directory), [], []

    def folder(self, name):
        return self.directory / name

    def start(self, name, file, place, options=()):
        """Begins to download, or to seed what lies in its folder already."""
        address, folder = self.net.at(f"60.{place}"), self.folder(f"{name}{place}")
        if name == "libtorrent":
            session = Torrenter(address, folder)
            self.sessions.append(session)
            text = file.read_bytes()
            session.add_magnet(text.decode()) if text.startswith(b"magnet:") else session.add(text)
        else:
            self.processes.append(
                aria2(address, folder, file, *options) if name == "aria2" else transmission(address, folder, file))
        return address, folder

    def stop(self):
        for session in self.sessions:
            session.stop()
        for process in self.processes:
            process.send_signal(signal.SIGINT)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture
def others(net, tmp_path):
    made = Others(net, tmp_path)
    yield made
    made.stop()


def announce_url(net, scheme="http"):
    return f"{scheme}://{net.at('30.1')}:6969/announce"


def is_whole(path, original):
    return path.exists() and path.stat().st_size == original.stat().st_size and digest(path) == digest(original)


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


def test_what_was_there_before_a_kill_is_not_fetched_again(net, tracker, ours, others, tmp_path):
    seeder, leecher = ours(1), ours(2)
    original = content(tmp_path / "film.bin", 16 * MIB)
    info_hash = seeder.share(original, trackers=[announce_url(net)], upload_limit=2 * MIB)
    leecher.add(seeder.metainfo(info_hash))
    eventually(lambda: leecher.torrent(info_hash).get("pieces_here", 0), lambda held: held >= 12)
    leecher.kill()
    leecher.start()
    held = eventually(lambda: leecher.torrent(info_hash), lambda seen: seen["state"] == "downloading")["pieces_here"]
    assert held >= 12
    seeder.kill()
    seeder.start()
    seeder.ask("PATCH", f"/v1/torrents/{info_hash}", json={"upload_limit": 0})
    leecher.call(info_hash, seeder.address)
    leecher.wait(info_hash)
    assert digest(leecher.folder / "film.bin") == digest(original)
    fetched = [decision for decision in leecher.decisions(info_hash) if decision["event"] == "piece.finished"]
    assert len(fetched) == 64 - held


def test_a_changed_file_is_found_and_mended(net, tracker, ours, tmp_path):
    seeder, leecher = ours(1), ours(2)
    original = content(tmp_path / "film.bin", 4 * MIB)
    info_hash = seeder.share(original, trackers=[announce_url(net)])
    leecher.add(seeder.metainfo(info_hash))
    leecher.wait(info_hash)
    leecher.ask("PATCH", f"/v1/torrents/{info_hash}", json={"paused": True})
    assert leecher.torrent(info_hash)["state"] == "paused"
    leecher.kill()
    with open(leecher.folder / "film.bin", "r+b") as file:
        file.seek(MIB)
        file.write(b"vandal")
    leecher.start()
    leecher.ask("PATCH", f"/v1/torrents/{info_hash}", json={"paused": False})
    leecher.wait(info_hash)
    assert digest(leecher.folder / "film.bin") == digest(original)
    assert leecher.torrent(info_hash)["downloaded"] < 5 * MIB


def test_removed_with_and_without_its_data(net, tracker, ours, tmp_path):
    peer = ours(1)
    original = content(tmp_path / "film.bin", MIB)
    info_hash = peer.share(original, trackers=[announce_url(net)])
    data = peer.metainfo(info_hash)
    peer.ask("DELETE", f"/v1/torrents/{info_hash}")
    assert digest(peer.folder / "film.bin") == digest(original)
    peer.add(data)
    peer.wait(info_hash)
    peer.ask("DELETE", f"/v1/torrents/{info_hash}?data=true")
    assert list(peer.folder.iterdir()) == []
    assert peer.ask("GET", "/v1/torrents")["items"] == []
    # The tracker was told.
    eventually(lambda: tracker.ask("GET", f"/v1/torrents/{info_hash}"), lambda seen: seen["seeders"] == 0)


def test_a_web_seed_is_enough(net, ours, tmp_path):
    """A server of somebody else's gives the files by ranges (BEP 19)."""
    from webseed import serve
    original = tmp_path / "www" / "album"
    for name, size in {"a song.mp3": MIB + 1, "notes.txt": 17, "more/b.mp3": 300_000}.items():
        content(original / name, size, seed=name.encode())
    with serve(net.at("70.1"), original.parent) as url:
        made = libtorrent.create_torrent(libtorrent.list_files(str(original)), 65536, libtorrent.create_torrent.v1_only)
        made.add_url_seed(url + "/")
        libtorrent.set_piece_hashes(made, str(original.parent))
        leecher = ours(1)
        info_hash = leecher.add(libtorrent.bencode(made.generate()))
        leecher.wait(info_hash)
        seeds = leecher.ask("GET", f"/v1/torrents/{info_hash}/web-seeds")["items"]
        assert [(seed["url"], seed["state"], seed["failures"]) for seed in seeds] == [(url + "/", "waiting", 0)]
        finished = [decision for decision in leecher.decisions(info_hash) if decision["event"] == "piece.finished"]
        assert finished and all(decision["web_seeds"] == [url + "/"] for decision in finished), finished
    for path in original.rglob("*.*"):
        assert digest(leecher.folder / path.relative_to(original.parent)) == digest(path)


@pytest.mark.parametrize("at", ["leecher", "leecher's torrent", "seeder", "seeder's torrent", "both", "all"])
def test_rates_are_held(at, net, tracker, ours, tmp_path):
    """What was moved in the time that it took was no more than the bounds allow; that it is no less is the experiments' concern."""
    import time
    seeder, leecher = ours(1), ours(2)
    original = content(tmp_path / "film.bin", 4 * MIB)
    rate = 2 * MIB
    info_hash = seeder.share(
        original, trackers=[announce_url(net)], **({"upload_limit": rate} if at in ["seeder's torrent", "both", "all"] else {}))
    if at in ["leecher", "all"]:
        leecher.ask("PATCH", "/v1/limits", json={"download_limit": rate})
    if at in ["seeder", "both", "all"]:
        seeder.ask("PATCH", "/v1/limits", json={"upload_limit": rate})
    begun = time.monotonic()
    leecher.add_magnet(
        seeder.torrent(info_hash)["magnet"], **({"download_limit": rate} if at in ["leecher's torrent", "all"] else {}))
    leecher.wait(info_hash)
    took = time.monotonic() - begun
    assert 4 * MIB / took <= rate * 1.2, took
    assert digest(leecher.folder / "film.bin") == digest(original)


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


def test_a_free_rider_gives_nothing(net, tracker, ours, tmp_path):
    seeder, rider, leecher = ours(1), ours(2, "--free-rider"), ours(3)
    original = content(tmp_path / "film.bin", 2 * MIB)
    info_hash = seeder.share(original, trackers=[announce_url(net)])
    data = seeder.metainfo(info_hash)
    rider.add(data)
    rider.wait(info_hash)
    assert rider.torrent(info_hash)["free_rider"]
    seeder.ask("PATCH", f"/v1/torrents/{info_hash}", json={"paused": True})
    leecher.add(data)
    leecher.call(info_hash, rider.address)
    eventually(lambda: [peer for peer in leecher.peers(info_hash) if peer["seeder"] and peer["interesting"]])
    seeder.ask("PATCH", f"/v1/torrents/{info_hash}", json={"paused": False})
    leecher.call(info_hash, seeder.address)
    leecher.wait(info_hash)
    assert rider.torrent(info_hash)["uploaded"] == 0


def test_live_events_tell_what_is_decided(net, tracker, ours, tmp_path):
    import json
    seeder, leecher = ours(1), ours(2)
    original = content(tmp_path / "film.bin", MIB)
    info_hash = seeder.share(original, trackers=[announce_url(net)])
    seen = []
    with leecher.http.get(f"{leecher.url}/v1/events", stream=True, timeout=60) as stream:
        leecher.add(seeder.metainfo(info_hash))
        for line in stream.iter_lines():
            key, _, value = line.decode().partition(": ")
            if key == "event":
                seen.append([value, None])
            elif key == "data":
                seen[-1][1] = json.loads(value)
                if seen[-1][0] == "torrent.state" and seen[-1][1]["state"] == "seeding":
                    break
    names = [name for name, _ in seen]
    assert names[0] == "torrent.added"
    for wanted in ["peer.connected", "piece.begun", "piece.finished", "torrent.completed"]:
        assert wanted in names, names
    assert names.count("piece.finished") == 4
    assert all(data["info_hash"] == info_hash for _, data in seen)


def test_two_torrents_cannot_have_one_place(ours, tmp_path):
    peer = ours(1)
    one = peer.add(torrent(content(tmp_path / "a" / "film.bin", MIB)))
    other = torrent(content(tmp_path / "b" / "film.bin", MIB, seed=b"other"))
    answer = peer.http.post(
        f"{peer.url}/v1/torrents", data=other, headers={"Content-Type": "application/x-bittorrent"}, timeout=30)
    assert answer.status_code == 409 and "film.bin" in answer.json()["detail"]
    answer = peer.http.post(
        f"{peer.url}/v1/torrents", data=peer.metainfo(one), headers={"Content-Type": "application/x-bittorrent"}, timeout=30)
    assert answer.status_code == 409


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


def test_a_torrent_from_a_url(net, ours, tmp_path):
    from webseed import serve
    (tmp_path / "www").mkdir()
    original = content(tmp_path / "a" / "film.bin", MIB)
    (tmp_path / "www" / "film.torrent").write_bytes(torrent(original))
    peer = ours(1)
    with serve(net.at("70.1"), tmp_path / "www") as url:
        added = peer.ask("POST", "/v1/torrents", json={"url": url + "/film.torrent", "paused": True})
        assert (added["name"], added["length"], added["state"]) == ("film.bin", MIB, "paused")
        answer = peer.http.post(f"{peer.url}/v1/torrents", json={"url": url + "/none.torrent"}, timeout=30)
        assert answer.status_code == 422 and "404" in answer.json()["detail"]


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


def test_a_reset_takes_all_back(net, ours, tmp_path):
    peer = ours(1, "--upload-limit", str(MIB))
    info_hash = peer.share(content(tmp_path / "film.bin", MIB))
    peer.ask("PUT", "/v1/files/notes.txt", data=b"not shared")
    peer.ask("PATCH", "/v1/limits", json={"upload_limit": 2 * MIB, "download_limit": 4096})
    # One is being made meanwhile: it must not come afterwards.
    peer.ask("PUT", "/v1/files/long.bin", data=bytes(64 * MIB))
    job = peer.ask("POST", "/v1/torrents", json={"path": "long.bin"})
    peer.ask("POST", "/v1/reset")
    assert peer.ask("GET", "/v1/torrents")["items"] == []
    assert peer.ask("GET", "/v1/limits") == {"upload_limit": MIB, "download_limit": 0}
    for gone in [f"/v1/torrents/{info_hash}", f"/v1/jobs/{job['id']}"]:
        assert peer.http.get(peer.url + gone, timeout=30).status_code == 404
    assert list(peer.folder.iterdir()) == []
    assert peer.share(tmp_path / "film.bin") == info_hash
    assert len(peer.ask("GET", "/v1/torrents")["items"]) == 1

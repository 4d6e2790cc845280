"""The peer alone and among its like: what it keeps, bounds, tells and takes back."""
import libtorrent
import pytest
from harness import eventually
from ours import announce_url
from swarm import MIB, content, digest, torrent


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

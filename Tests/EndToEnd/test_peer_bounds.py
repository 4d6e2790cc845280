"""What a peer does where something is missing: descriptors, its own files, a web server that gives."""
import contextlib
import http.server
import threading

import libtorrent
import pytest
from harness import eventually
from swarm import MIB, content, digest, torrent


def again(peer, *prefix):
    """The same peer, started anew."""
    peer.stop()
    peer.service.command = [*prefix, *peer.service.command]
    peer.service.start()


def test_many_torrents_of_many_files_fit_few_descriptors(ours):
    """Thirty torrents of forty files would each keep all of theirs open."""
    seeder, leecher = ours(1), ours(2)
    for peer in (seeder, leecher):
        again(peer, "prlimit", "--nofile=128:128")
    hashes = []
    for number in range(30):
        for file in range(40):
            content(seeder.folder / f"album{number}" / f"{file}.mp3", 20_000, seed=b"%d %d" % (number, file))
        hashes.append(seeder.make(f"album{number}", piece_length=16384))
    for info_hash in hashes:
        leecher.add(seeder.metainfo(info_hash))
    for info_hash in hashes:
        eventually(lambda: leecher.torrent(info_hash)["state"], lambda state: state == "downloading")
        leecher.call(info_hash, seeder.address)
    for info_hash in hashes:
        leecher.wait(info_hash)
    for path in seeder.folder.rglob("*.mp3"):
        assert digest(leecher.folder / path.relative_to(seeder.folder)) == digest(path)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_files_that_are_gone_at_the_start_are_not_fetched_unasked(end, ours, tmp_path):
    seeder, peer = ours(1), ours(2)
    original = content(tmp_path / "film.bin", MIB)
    info_hash = seeder.share(original)
    peer.add(seeder.metainfo(info_hash))
    peer.call(info_hash, seeder.address)
    peer.wait(info_hash)
    getattr(peer, end)()
    # As where its disk is not mounted.
    elsewhere = tmp_path / "film.elsewhere"
    (peer.folder / "film.bin").rename(elsewhere)
    peer.service.start()
    failed = peer.wait(info_hash, "failed")
    assert "its files are gone: film.bin" in failed["error"].lower()
    assert list(peer.folder.iterdir()) == []
    elsewhere.rename(peer.folder / "film.bin")
    peer.ask("PATCH", f"/v1/torrents/{info_hash}", json={"paused": False})
    peer.wait(info_hash)
    assert not [decision for decision in peer.decisions(info_hash) if decision["event"] == "piece.begun"]


def test_what_lies_there_is_written_over_only_when_somebody_says_so(ours, tmp_path):
    seeder, peer = ours(1), ours(2)
    original = content(tmp_path / "film.bin", MIB)
    info_hash = seeder.share(original)
    (peer.folder / "film.bin").write_text("what I wrote yesterday")
    peer.add(seeder.metainfo(info_hash))
    assert "film.bin" in peer.wait(info_hash, "failed")["error"]
    assert (peer.folder / "film.bin").read_text() == "what I wrote yesterday"
    peer.ask("PATCH", f"/v1/torrents/{info_hash}", json={"paused": False})
    peer.wait(info_hash, "downloading")
    peer.call(info_hash, seeder.address)
    peer.wait(info_hash)
    assert digest(peer.folder / "film.bin") == digest(original)


@contextlib.contextmanager
def leading(address, port, place):
    """A server that leads to another one; its URL."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(302)
            self.send_header("Location", place + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer((address, port), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{address}:{port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_web_seed_leads_to_another_place(net, ours, tmp_path):
    from webseed import serve
    original = content(tmp_path / "www" / "film.bin", MIB + 1)
    with serve(net.at("70.1"), original.parent) as there, leading(net.at("70.2"), 8089, there) as url:
        made = libtorrent.bdecode(torrent(original))
        made[b"url-list"] = f"{url}/film.bin".encode()
        leecher = ours(1)
        info_hash = leecher.add(libtorrent.bencode(made))
        leecher.wait(info_hash)
        assert digest(leecher.folder / "film.bin") == digest(original)
        [seed] = leecher.ask("GET", f"/v1/torrents/{info_hash}/web-seeds")["items"]
        assert seed["url"] == f"{url}/film.bin" and seed["downloaded"] == MIB + 1

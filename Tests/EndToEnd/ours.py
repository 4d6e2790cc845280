"""Our own peers and tracker, for the tests of a swarm."""
import pathlib

import libtorrent
from harness import eventually


class OurPeer:
    """utopia-peer in a net, with what tests ask of it."""

    def __init__(self, net, number, *flags):
        self.address = net.at(f"30.{10 + number}")
        self.service = net.start("peer", f"ours{number}", 8060 + number, "--bittorrent", f"{self.address}:6881", *flags)
        self.folder = pathlib.Path(self.service.directory) / "data" / "downloads"

    def __getattr__(self, name):
        return getattr(self.service, name)

    def share(self, path, **fields):
        """Puts a file there and makes a torrent of it; its hash."""
        with open(path, "rb") as content:
            self.ask("PUT", f"/v1/files/{path.name}", data=content)
        return self.make(path.name, **fields)

    def make(self, name, **fields):
        job = self.ask("POST", "/v1/torrents", json={"path": name, **fields})
        job = eventually(lambda: self.ask("GET", f"/v1/jobs/{job['id']}"), lambda job: job["done"])
        assert "error" not in job, job
        self.wait(job["result"].rpartition("/")[2], "seeding")
        return job["result"].rpartition("/")[2]

    def metainfo(self, info_hash):
        answer = self.http.get(f"{self.url}/v1/torrents/{info_hash}/metainfo", timeout=30)
        assert answer.ok, answer.text
        return answer.content

    def add(self, data, **options):
        """A torrent from its file; its hash."""
        return self.ask(
            "POST", "/v1/torrents", data=data, headers={"Content-Type": "application/x-bittorrent"}, **options)["info_hash"]

    def add_magnet(self, link, **fields):
        return self.ask("POST", "/v1/torrents", json={"magnet": link, **fields})["info_hash"]

    def torrent(self, info_hash):
        return self.ask("GET", f"/v1/torrents/{info_hash}")

    def peers(self, info_hash):
        return self.ask("GET", f"/v1/torrents/{info_hash}/peers")["items"]

    def call(self, info_hash, address):
        """Has it connect to a peer, whether or not a tracker tells of it."""
        self.ask("POST", f"/v1/torrents/{info_hash}/peers", json={"address": f"{address}:6881"})

    def decisions(self, info_hash):
        items, cursor = [], ""
        while cursor is not None:
            page = self.ask("GET", f"/v1/torrents/{info_hash}/decisions?limit=1000{cursor}")
            items += page["items"]
            cursor = f"&cursor={page['next']}" if "next" in page else None
        return items

    def wait(self, info_hash, state="seeding", seconds=60):
        def look():
            torrent = self.torrent(info_hash)
            assert torrent["state"] != "failed" or state == "failed", torrent
            return torrent
        return eventually(look, lambda torrent: torrent["state"] == state, seconds=seconds)


def hash_of(data):
    return str(libtorrent.torrent_info(libtorrent.bdecode(data)).info_hash())


def announce_url(net, scheme="http"):
    return f"{scheme}://{net.at('30.1')}:6969/announce"

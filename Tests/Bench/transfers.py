"""One seeder gives a whole torrent to one leecher, ours and libtorrent's, each beside itself and each beside the other."""
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time

import peers

HERE = pathlib.Path(__file__).resolve().parent
MIB = 1 << 20
NAME = "film.bin"
#: Each side of a transfer has a core, an address and, where it is ours, a port for REST.
SEEDER, LEECHER = ("0", "127.0.0.1", 18061), ("1", "127.0.0.2", 18062)
PORT = 16881


class Ours:
    name = "ours"

    def __init__(self, bench, side, folder, call, label):
        core, self.address, self.port = side
        self.call = lambda path, *more, **fields: call(f"http://127.0.0.1:{self.port}/v1/torrents{path}", *more, **fields)
        self.process = bench.ours(
            "peer", label, self.port, "--bittorrent", f"{self.address}:{PORT}", "--downloads", folder, core=core)

    def make(self):
        """Makes a torrent of the file, which is in the folder; its metainfo."""
        self.call("", "POST", {"path": NAME, "piece_length": 262_144})
        while not (items := json.loads(self.call(""))["items"]) or items[0]["state"] != "seeding":
            time.sleep(0.1)
        self.hash = items[0]["info_hash"]
        return self.call(f"/{self.hash}/metainfo")

    def add(self, file):
        self.hash = json.loads(self.call("", "POST", file.read_bytes(), kind="application/x-bittorrent"))["info_hash"]
        while json.loads(self.call(f"/{self.hash}"))["state"] == "checking":
            time.sleep(0.1)

    def meet(self, address):
        self.call(f"/{self.hash}/peers", "POST", {"address": f"{address}:{PORT}"})

    def is_whole(self):
        return json.loads(self.call(f"/{self.hash}"))["state"] == "seeding"


class Libtorrent:
    name = "libtorrent"

    def __init__(self, bench, side, folder, file, label):
        core, self.address, _ = side
        python = HERE.parents[1] / ".venv" / "bin" / "python"
        self.process = bench.keep(peers.Peer(
            "libtorrent", [python, HERE / "torrenter.py", self.address, PORT, folder, file], (self.address, PORT),
            bench.folder(label), core=core))

    def meet(self, address):
        self.process.process.stdin.write(f"{address} {PORT}\n".encode())
        self.process.process.stdin.flush()

    def is_whole(self):
        return "here" in (self.process.directory / "log").read_text().split()


class Transfers:
    def __init__(self, bench, call, size):
        self.bench, self.call, self.octets, self.count = bench, call, size * MIB, 0
        self.original = bench.folder("original")
        with open(self.original / NAME, "wb") as file:
            chance = random.Random(1)
            for _ in range(size):
                file.write(chance.randbytes(MIB))
        self.file = bench.scratch / "film.torrent"
        seeder = Ours(bench, SEEDER, self.original, call, "maker")
        self.file.write_bytes(seeder.make())
        bench.end(seeder.process)

    def start(self, kind, side, folder):
        self.count += 1
        label = f"{kind.name}{self.count}"
        if kind is Libtorrent:
            return Libtorrent(self.bench, side, folder, self.file, label)
        peer = Ours(self.bench, side, folder, self.call, label)
        peer.add(self.file)
        return peer

    def warm(self):
        """Memory that a virtual machine's host has yet to give costs ten times what is then done with it: it is got before."""
        with open(self.bench.scratch / "warm", "wb") as file:
            for _ in range(2 * self.octets // MIB):
                file.write(bytes(MIB))
        os.unlink(file.name)

    def measure(self, giver, taker):
        """CPU of both in seconds, the time, and the most anonymous memory of both in MiB."""
        folder = self.bench.folder(f"copy{self.count}")
        seeder = self.start(giver, SEEDER, self.original)
        leecher = self.start(taker, LEECHER, folder)
        while not seeder.is_whole():
            time.sleep(0.05)
        # What earlier rounds have written is on the disk by now.
        os.sync()
        self.warm()
        both = [seeder.process, leecher.process]
        before, memory = [one.cpu() for one in both], [0, 0]
        begin = time.monotonic()
        leecher.meet(seeder.address)
        while not leecher.is_whole():
            if time.monotonic() - begin > 120:
                raise RuntimeError(f"{giver.name} gave {taker.name} not all of it")
            memory = [max(most, one.anonymous()) for most, one in zip(memory, both)]
            time.sleep(0.05)
        took = time.monotonic() - begin
        used = [one.cpu() - had for one, had in zip(both, before)]
        subprocess.run(["cmp", self.original / NAME, folder / NAME], check=True)
        self.bench.end(*both)
        (folder / NAME).unlink()
        return {"seeder": used[0], "leecher": used[1], "both": sum(used), "time": took, "seeder_memory": memory[0],
                "leecher_memory": memory[1]}


def measure(bench, call, size):
    transfers = Transfers(bench, call, size)
    pairs = [(Ours, Ours), (Libtorrent, Libtorrent), (Ours, Libtorrent), (Libtorrent, Ours)]
    found = {pair: [] for pair in pairs}
    for _ in range(bench.rounds):
        for pair in pairs:
            found[pair].append(transfers.measure(*pair))
            print(pair[0].name, "->", pair[1].name, {key: round(value, 2) for key, value in found[pair][-1].items()}, file=sys.stderr)

    def median(giver, taker, key):
        return statistics.median(round[key] for round in found[giver, taker])

    def speed(what, key, ours=(Ours, Ours), goal="≥ 1.0×"):
        bench.row(what, "MiB/s", size / median(*ours, key), "libtorrent", size / median(Libtorrent, Libtorrent, key), goal,
                  lambda ratio: ratio >= 1)

    speed("peer to peer, MiB a second of both's CPU", "both")
    speed("the seeder's part", "seeder", goal="(told beside)")
    speed("the leecher's part", "leecher", goal="(told beside)")
    speed("a seeder to libtorrent, MiB a second of its CPU", "seeder", (Ours, Libtorrent), "(told beside)")
    speed("a leecher from libtorrent, MiB a second of its CPU", "leecher", (Libtorrent, Ours), "(told beside)")
    speed("peer to peer, a core each, MiB a second", "time", goal="(told beside)")
    for part in ["seeder", "leecher"]:
        key = f"{part}_memory"
        bench.row(f"the {part}, anonymous memory at most", "MiB", median(Ours, Ours, key), "libtorrent",
                  median(Libtorrent, Libtorrent, key), "(told beside)", lambda ratio: ratio <= 1)

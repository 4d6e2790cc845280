"""Makes a tracker hold many peers by UDP (BEP 15): `filling.py PORT TORRENTS PEERS`. The torrents' sizes are skewed as in life: the first
has a fiftieth of all peers where there are 10,000, most have a few dozen."""
import random
import select
import socket
import struct
import sys

PORTS = 60_000


def hashes(torrents):
    return [random.Random(torrent).randbytes(20) for torrent in range(torrents)]


def sizes(torrents, peers):
    weights = [1 / (torrent + 1) ** 0.7 for torrent in range(torrents)]
    return [max(1, round(peers * weight / sum(weights))) for weight in weights]


class Source:
    """An address that announces, with the connection id it was given."""

    def __init__(self, number, port):
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.udp.bind((f"127.0.1.{number + 1}", 0))
        self.udp.connect(("127.0.0.1", port))
        self.udp.settimeout(5)
        self.udp.send(struct.pack(">QII", 0x41727101980, 0, 1))
        self.connection = struct.unpack(">IIQ", self.udp.recv(100)[:16])[2]
        self.udp.setblocking(False)

    def drain(self):
        count = 0
        try:
            while True:
                if self.udp.recv(4096)[:4] != b"\0\0\0\1":
                    raise SystemExit("refused")
                count += 1
        except BlockingIOError:
            return count


def main():
    port, torrents, peers = map(int, sys.argv[1:])
    names, counts = hashes(torrents), sizes(torrents, peers)
    sources = [Source(number, port) for number in range(max(counts) // PORTS + 1)]
    everybody = [(torrent, peer) for torrent, count in enumerate(counts) for peer in range(count)]
    random.Random(5).shuffle(everybody)
    waiting = 0
    for torrent, peer in everybody:
        source = sources[peer // PORTS]
        source.udp.send(struct.pack(
            ">QII20s20sQQQIIIiH", source.connection, 1, 1, names[torrent], b"-XX0001-" + random.randbytes(12), 0, peer % 2, 0, 0, 0,
            random.getrandbits(32), 0, 1024 + peer % PORTS))
        waiting += 1
        while waiting >= 128:
            ready = select.select([source.udp for source in sources], [], [], 5)[0]
            if not ready:
                raise SystemExit(f"{waiting} announces have no answer")
            waiting -= sum(source.drain() for source in sources)
    print(len(everybody))


if __name__ == "__main__":
    main()

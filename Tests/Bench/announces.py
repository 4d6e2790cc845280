"""Sends UDP announces (BEP 15) at a rate and counts the answers: `announces.py PORT RATE SECONDS`; rate 0 is as fast as it gets.
Prints how many were sent and answered, the octets that came, and of how many µs an answer took the 50th and the 99th percentile."""
import random
import select
import socket
import struct
import sys
import time

import filling

TORRENTS, PEERS = 1000, 100_000
HASHES = filling.hashes(TORRENTS)


def packets(connection):
    """An announce of every peer of every torrent, in no order."""
    made = []
    for torrent, count in enumerate(filling.sizes(TORRENTS, PEERS)):
        for peer in range(count):
            made.append(struct.pack(
                ">QII20s20sQQQIIIiH", connection, 1, len(made), HASHES[torrent], b"-XX0001-" + struct.pack(">III", torrent, peer, 0),
                0, peer % 2, 0, 0, 0, len(made), 50, 1024 + peer))
    random.Random(1).shuffle(made)
    return made


def main():
    port, rate, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    udp.connect(("127.0.0.1", port))
    udp.settimeout(5)
    udp.send(struct.pack(">QII", 0x41727101980, 0, 1))
    action, _, connection = struct.unpack(">IIQ", udp.recv(100)[:16])
    assert action == 0
    made, sent, answered, octets = packets(connection), 0, 0, 0
    asked, took = [0.0] * len(made), []
    udp.setblocking(False)
    begin = time.monotonic()
    while (now := time.monotonic() - begin) < seconds:
        # No more on their way than the sockets hold.
        due = int(now * rate) if rate else sent + 64
        for _ in range(min(due - sent, 64, 512 - (sent - answered))):
            packet = made[sent % len(made)]
            asked[int.from_bytes(packet[12:16])] = time.monotonic()
            udp.send(packet)
            sent += 1
        try:
            while True:
                answer = udp.recv(4096)
                octets += len(answer)
                if answer[:4] != b"\0\0\0\1":
                    raise SystemExit(f"refused: {answer!r}")
                answered += 1
                took.append(time.monotonic() - asked[int.from_bytes(answer[4:8])])
        except BlockingIOError:
            pass
        if sent - answered >= 512:
            select.select([udp], [], [], 0.1) or sys.exit(f"lost: {sent} sent, {answered} answered")
    took.sort()
    print(sent, answered, octets, *(round(took[int(part * (len(took) - 1))] * 1e6) for part in (0.5, 0.99)))


if __name__ == "__main__":
    main()

"""A peer that says it has all and gives other octets."""
import socket
import struct
import threading


class LyingPeer:
    def __init__(self, address, info_hash, pieces, port=6881):
        self.address, self.info_hash, self.pieces = address, bytes.fromhex(info_hash), pieces
        self.given = 0
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, port))
        self.socket.listen()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            try:
                self.talk(connection)
            except OSError:
                pass

    def read(self, connection, count):
        octets = b""
        while len(octets) < count:
            more = connection.recv(count - len(octets))
            if not more:
                raise OSError("closed")
            octets += more
        return octets

    def talk(self, connection):
        self.read(connection, 68)
        connection.sendall(b"\x13BitTorrent protocol" + bytes(8) + self.info_hash + b"-LI0001-abcdefghijkl")
        bits = bytearray(b"\xff" * ((self.pieces + 7) // 8))
        if self.pieces % 8:
            bits[-1] = 0xFF << (8 - self.pieces % 8) & 0xFF
        connection.sendall(struct.pack(">IB", 1 + len(bits), 5) + bits + struct.pack(">IB", 1, 1))
        while True:
            length, = struct.unpack(">I", self.read(connection, 4))
            message = self.read(connection, length)
            if message[:1] == b"\x06":
                piece, offset, size = struct.unpack(">III", message[1:13])
                connection.sendall(struct.pack(">IBII", 9 + size, 7, piece, offset) + b"lies" * (size // 4) + b"!" * (size % 4))
                self.given += 1

    def stop(self):
        self.socket.close()

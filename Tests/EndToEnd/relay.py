"""A long way between two peers: a TCP relay that hands octets on some time after they came."""
import queue
import socket
import threading
import time


class Relay:
    """Listens at an address and calls `target` from there for each connection; each octet takes `delay` seconds either way. It bounds
    no rate."""

    def __init__(self, address, target, delay):
        self.address, self.target, self.delay, self.open = address, target, delay, []
        self.door = socket.create_server(address)
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self):
        try:
            while True:
                one, _ = self.door.accept()
                other = socket.create_connection(self.target, source_address=(self.address[0], 0))
                self.open += [one, other]
                for ends in [(one, other), (other, one)]:
                    way = queue.SimpleQueue()
                    threading.Thread(target=self._read, args=(ends[0], way), daemon=True).start()
                    threading.Thread(target=self._write, args=(way, ends[1]), daemon=True).start()
        except OSError:
            pass

    def _read(self, source, way):
        octets = True
        while octets:
            try:
                octets = source.recv(1 << 16)
            except OSError:
                octets = b""
            way.put((time.monotonic() + self.delay, octets))

    @staticmethod
    def _write(way, target):
        while True:
            due, octets = way.get()
            time.sleep(max(0, due - time.monotonic()))
            try:
                if not octets:
                    return target.shutdown(socket.SHUT_WR)
                target.sendall(octets)
            except OSError:
                return

    def close(self):
        for one in [self.door, *self.open]:
            one.close()

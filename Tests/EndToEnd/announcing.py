"""Peers that announce by hand, octet by octet, and what they see of the tracker."""
import http.client
import re
import socket
import struct
import urllib.parse

import libtorrent

CONNECT = struct.pack(">QI", 0x41727101980, 0)
HASHES = [bytes([number]) * 20 for number in (1, 2, 3)]


def start(net, *flags):
    """A tracker with three registered torrents."""
    door = f"{net.at('30.1')}:6969"
    service = net.start("tracker", "tracker", 8060, "--http", door, "--udp", door, *flags)
    for hash in HASHES:
        service.ask("POST", "/v1/torrents", json={"info_hash": hash.hex()})
    return service


def announce(hash, port, left=1, event=0):
    """An announce by UDP, behind the connection id, action and transaction."""
    return hash + b"-XX0001-" + struct.pack(">IQQQQIIIiH", port, port, 0, left, 0, event, 0, 0, -1, port)


def path(hash, port, left=1, more="", key=""):
    query = {"info_hash": hash, "peer_id": b"-XX0001-" + struct.pack(">IQ", port, port), "port": port, "left": left}
    return f"/announce{key}?{urllib.parse.urlencode(query)}{more}"


def compact(octets):
    return {f"{socket.inet_ntoa(octets[at:at + 4])}:{octets[at + 4] << 8 | octets[at + 5]}" for at in range(0, len(octets), 6)}


def udp(source, tracker):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    made.bind((source, 0))
    made.connect(tracker)
    return made


class Peer:
    """A client at an address, by UDP and on one connection by HTTP."""

    def __init__(self, net, place):
        self.source, self.tracker = net.at(place), (net.at("30.1"), 6969)
        self.udp, self.connection, self.count, self.resent = udp(self.source, self.tracker), None, 0, 0
        self.web = http.client.HTTPConnection(*self.tracker, timeout=60, source_address=(self.source, 0))

    def ask(self, bodies, patience=10.0):
        """The answers to announces, (action, what follows): as often as datagrams may be lost, they are sent again."""
        first, answers = self.count, {}
        self.count += len(bodies)
        self.udp.settimeout(patience)
        for turn in range(500):
            knew, missing = self.connection is not None, [n for n in range(len(bodies)) if first + n not in answers]
            if turn or not knew:
                self.udp.send(CONNECT + b"\xff" * 4)
            for number in missing if knew else []:
                self.udp.send(struct.pack(">QII", self.connection, 1, first + number) + bodies[number])
                self.resent += turn > 1
            try:
                while len(answers) < len(bodies) and (knew or self.connection is None):
                    answer = self.udp.recv(4096)
                    action, transaction = struct.unpack(">II", answer[:8])
                    if action == 0:
                        self.connection, = struct.unpack(">Q", answer[8:])
                    elif first <= transaction < self.count:
                        answers[transaction] = (action, answer[8:])
            except TimeoutError:
                pass
            if len(answers) == len(bodies):
                return [answers[first + n] for n in range(len(bodies))]
        raise AssertionError(f"{len(bodies) - len(answers)} were never answered")

    def get(self, *request, **more):
        self.web.request("GET", path(*request, **more))
        answer = self.web.getresponse()
        assert answer.status == 200
        return libtorrent.bdecode(answer.read())

    def told_by_udp(self, hash, port):
        (action, answer), = self.ask([announce(hash, port)], 0.2)
        assert action == 1, answer
        return compact(answer[12:])

    def told_by_http(self, hash, port):
        return compact(self.get(hash, port)[b"peers"])


def swarm(net):
    """Three peers, which are at once announced; whom a fourth has to be told of."""
    for number in range(3):
        Peer(net, f"60.{number + 1}").get(HASHES[0], 7000 + number)
    return {f"{net.at(f'60.{number + 1}')}:{7000 + number}" for number in range(3)}


def metric(service, name):
    return int(float(re.search(rf"^{name} (\S+)$", service.http.get(f"{service.url}/metrics", timeout=30).text, re.M)[1]))


def peak(service):
    """MiB of memory at most so far."""
    with open(f"/proc/{service.process.pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) >> 10

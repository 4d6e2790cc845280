"""What a loop takes from the heap, and how often it hands something to the network, is for a wake-up, however many
queries and requests it finds."""
import os
import pathlib
import shutil
import signal
import socket
import struct

import dns.message
import pytest
from harness import executable, run

ZONE = """$TTL 300
@ SOA ns host 1 1800 900 604800 60
@ NS ns
@ MX 10 mail
ns A 192.0.2.1
mail A 192.0.2.2
mail AAAA 2001:db8::2
www CNAME mail
old DNAME new
h.new A 192.0.2.3
*.wild A 192.0.2.4
sub NS ns.sub
sub NS ns.elsewhere.example.
ns.sub A 192.0.2.5
"""
#: One of each kind: an answer, no data, no name, an alias, a DNAME, a wildcard, addresses with it, a referral, refused.
QUESTIONS = [
    ("mail", "A"), ("mail", "TXT"), ("nothing", "A"), ("www", "A"), ("h.old", "A"), ("x.wild", "A"), ("@", "MX"),
    ("www.sub", "A"), ("@", "ANY"), ("other.test.", "A")]


ELSEWHERE = "$TTL 300\n@ SOA ns host 1 1800 900 604800 60\n@ NS ns\nns A 192.0.2.6\n"


@pytest.fixture(scope="module")
def counted(shared_net):
    """The address of a name server, its allocations and its sends so far as a function, and the server."""
    if executable("utopia-nameserver").parent.name == "debug":
        pytest.skip("only the release build is optimised")
    compiler = shutil.which("clang") or shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler")
    directory = shared_net.directory
    library, counter = directory / "count.so", directory / "calls"
    run(compiler, "-O2", "-shared", "-fPIC", pathlib.Path(__file__).with_name("count_calls.c"), "-o", library)
    counter.write_bytes(bytes(16))
    os.environ |= {"LD_PRELOAD": str(library), "CALLS": str(counter)}
    try:
        server = shared_net.nameserver("counted", 8050, {"zone.example.": ZONE, "elsewhere.example.": ELSEWHERE}, "9.1")
    finally:
        del os.environ["LD_PRELOAD"], os.environ["CALLS"]
    return shared_net.at("9.1"), lambda: struct.unpack("=QQ", counter.read_bytes()), server


def queries():
    for name, kind in QUESTIONS:
        origin = None if name.endswith(".") else "zone.example."
        name = dns.name.from_text(name, origin=dns.name.from_text(origin) if origin else dns.name.root)
        yield dns.message.make_query(name, kind, use_edns=0, flags=0).to_wire()


ROUNDS = 50
#: A wake-up of the loop takes a few objects, whatever it finds; timers and the log live in the same process.
PER_WAKE_UP = 10


def test_queries_by_udp_allocate_nothing(counted):
    address, calls, server = counted
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.settimeout(10)
        door.connect((address, 5300))

        def ask(rounds):
            for _ in range(rounds):
                # All are there when the server wakes up: fewer than it takes at a time.
                server.process.send_signal(signal.SIGSTOP)
                for query in [*queries()] * 3:
                    door.send(query)
                server.process.send_signal(signal.SIGCONT)
                for _ in range(3 * len(QUESTIONS)):
                    assert len(door.recv(4096)) > 12

        ask(10)
        before = calls()
        ask(ROUNDS)
        made, sent = [now - then for now, then in zip(calls(), before)]
    # A batch holds 32 datagrams; the signal may come between two of them.
    assert ROUNDS <= sent <= ROUNDS * 2, f"{sent} sends for {ROUNDS * 3 * len(QUESTIONS)} queries"
    assert before[0] > 0 and made < ROUNDS * PER_WAKE_UP, f"{made} for {ROUNDS * 3 * len(QUESTIONS)} queries"


def test_queries_by_tcp_allocate_nothing(counted):
    address, calls, _ = counted
    batch = b"".join(struct.pack(">H", len(query)) + query for query in queries()) * 10
    with socket.create_connection((address, 5300), timeout=10) as door:
        stream = door.makefile("rb")

        def ask(rounds):
            for _ in range(rounds):
                door.sendall(batch)
                for _ in range(10 * len(QUESTIONS)):
                    length, = struct.unpack(">H", stream.read(2))
                    assert len(stream.read(length)) == length

        ask(10)
        before = calls()
        ask(ROUNDS)
        made, sent = [now - then for now, then in zip(calls(), before)]
    assert ROUNDS <= sent <= ROUNDS * 3, f"{sent} sends for {ROUNDS * 10 * len(QUESTIONS)} queries"
    # A batch may arrive in two parts, and wakes the loop twice then.
    assert made < ROUNDS * 3 * PER_WAKE_UP, f"{made} for {ROUNDS * 10 * len(QUESTIONS)} queries"


def test_pipelined_requests_are_answered_by_one_send(counted):
    _, calls, server = counted
    host, port = server.door.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as door:
        stream = door.makefile("rb")

        def ask(rounds):
            for _ in range(rounds):
                door.sendall(f"GET /healthz HTTP/1.1\r\nHost: {server.door}\r\n\r\n".encode() * 16)
                for _ in range(16):
                    assert stream.readline().startswith(b"HTTP/1.1 200 ")
                    fields = list(iter(stream.readline, b"\r\n"))
                    length = next(int(line[15:]) for line in fields if line.startswith(b"content-length:"))
                    assert len(stream.read(length)) == length

        ask(2)
        before = calls()
        ask(ROUNDS)
        sent = calls()[1] - before[1]
    assert ROUNDS <= sent <= ROUNDS * 2, f"{sent} sends for {ROUNDS * 16} requests"

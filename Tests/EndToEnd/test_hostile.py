"""Clients that are slow, many or senseless; the service goes on for the others."""
import socket

import pytest
from harness import eventually
from smtp import Line


@pytest.fixture(scope="module")
def mail(shared_net):
    return shared_net.mail("hamburger", 8025, "20.1", "hamburger.edu", None, [("bob@hamburger.edu", "hungry")])


def ended(connection):
    """Whether the peer has closed; what it still had to say is read."""
    connection.settimeout(0.01)
    try:
        while connection.recv(4096):
            pass
        return True
    except TimeoutError:
        return False
    except OSError:
        return True


def test_headers_that_never_end_are_cut_off_and_cost_the_others_nothing(mail, shared_net):
    host, port = mail.door.split(":")
    slow = []
    for number in range(60):
        connection = socket.create_connection((host, int(port)), source_address=(shared_net.at(f"70.{number % 6}"), 0))
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        slow.append(connection)
    open_ones = list(slow)

    def drip():
        """A header octet each now and then: never silent, never done."""
        for connection in list(open_ones):
            try:
                connection.settimeout(1)
                connection.sendall(b"x")
            except OSError:
                pass
            if ended(connection):
                open_ones.remove(connection)
        assert mail.is_ready(), "the others are answered meanwhile"
        return open_ones

    eventually(drip, lambda still: not still, 180)
    for connection in slow:
        connection.close()


@pytest.mark.parametrize("port", [2525, 2110])
def test_a_flood_of_connections_is_bounded_and_others_get_in(mail, shared_net, port):
    flood = []
    try:
        for _ in range(1000):
            try:
                connection = socket.create_connection((shared_net.at("20.1"), port), 5, (shared_net.at("71.1"), 0))
            except OSError:
                break
            flood.append(connection)
        refused = eventually(lambda: sum(ended(one) for one in flood), lambda count: count > 0)
        assert refused > 0, "one address doesn't get all there is"
        other = Line(shared_net.at("20.1"), port, shared_net.at("71.2"))
        assert other.read().startswith(("220", "+OK"))
        other.close()
    finally:
        for connection in flood:
            connection.close()


def test_senseless_commands_end_the_session(mail, shared_net):
    line = Line(shared_net.at("20.1"), 2525)
    line.reply()
    with pytest.raises((ConnectionError, BrokenPipeError)):
        for _ in range(1000):
            assert line.ask("KETCHUP").startswith(("5", "421"))
    line.close()


@pytest.mark.parametrize("request_head", [
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n",
])
def test_ambiguous_requests_are_refused_and_closed(mail, request_head):
    host, port = mail.door.split(":")
    with socket.create_connection((host, int(port)), 30) as connection:
        connection.sendall(request_head)
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 400 "), answer[:200]
    assert b"\r\nHTTP/1.1 " not in answer, "one answer, then the end"

"""The queue as its operator sees it: what a host puts off is tried again by the world's clock, on demand, or not any more."""
import http.server
import json
import socketserver
import threading

import pytest
from harness import eventually
from urllib.parse import parse_qs, urlsplit


class Moody(socketserver.ThreadingTCPServer):
    """A mail host that answers RCPT with whatever its `mood` is."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address):
        self.mood = "250 2.1.5 ok"
        self.letters = []
        super().__init__(address, Talk)


class Talk(socketserver.StreamRequestHandler):
    def handle(self):
        self.say("220 moody.example ESMTP")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"RCPT":
                self.say(self.server.mood)
                if self.server.mood.startswith("421"):
                    return
            elif verb == b"DATA":
                self.say("354 go on")
                letter = b""
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    letter += line
                self.server.letters.append(letter)
                self.say("250 2.0.0 taken")
            elif verb == b"QUIT":
                return self.say("221 bye")
            else:
                self.say("250 ok")

    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")


class Names(http.server.BaseHTTPRequestHandler):
    """A resolver that finds the moody host wherever it is asked."""

    def do_GET(self):
        kind = parse_qs(urlsplit(self.path).query)["type"][0]
        answer = {"MX": [{"type": 15, "data": "10 moody.example."}], "A": [{"type": 1, "data": self.server.host}]}
        body = json.dumps({"Status": 0, "Answer": answer.get(kind, [])}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Resolver:
    def __init__(self, address, host):
        self.server = http.server.ThreadingHTTPServer(address, Names)
        self.server.host = host
        self.url = f"http://{address[0]}:{address[1]}"


def serve(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()


@pytest.fixture
def moody(net):
    host = Moody((net.at("30.9"), 2525))
    serve(host)
    yield host
    host.shutdown()
    host.server_close()


@pytest.fixture
def crepes(net, moody):
    resolver = Resolver((net.at("0.9"), 8055), net.at("30.9"))
    serve(resolver.server)
    yield net.mail("crepes", 8026, "20.2", "crepes.fr", resolver, [("alice@crepes.fr", "ketchup")])
    resolver.server.shutdown()
    resolver.server.server_close()


def send(crepes, subject="hi"):
    sent = crepes.ask(
        "POST", "/v1/mailboxes/alice@crepes.fr/messages",
        json={"to": ["bob@moody.example"], "subject": subject, "text": "x"})
    return f"/v1/queue/{sent['queued']}"


def tried(crepes, letter, times):
    return eventually(
        lambda: crepes.ask("GET", letter), lambda shown: shown["recipients"][0]["attempts"] >= times)


def forward(crepes, seconds):
    now = crepes.ask("GET", "/v1/clock")["offset_seconds"]
    crepes.ask("PUT", "/v1/clock", json={"offset_seconds": now + seconds})


def inbox(crepes):
    return crepes.ask("GET", "/v1/mailboxes/alice@crepes.fr/messages")["items"]


@pytest.mark.parametrize("mood", ["450 4.2.0 greylisted", "421 4.7.0 too busy"])
def test_what_is_put_off_is_tried_again_when_its_time_has_come(crepes, moody, mood):
    moody.mood = mood
    letter = send(crepes)
    first = tried(crepes, letter, 1)
    assert first["state"] == "waiting" and first["recipients"][0]["reply"] == mood
    assert any(line.startswith(f"S: {mood[:3]}") for line in first["attempts"][0]["dialogue"])
    # Five minutes give or take a tenth have not passed; then a quarter of an hour.
    forward(crepes, 200)
    assert crepes.ask("GET", letter)["recipients"][0]["attempts"] == 1
    forward(crepes, 200)
    assert tried(crepes, letter, 2)["state"] == "waiting"
    moody.mood = "250 2.1.5 ok"
    forward(crepes, 1000)
    done = eventually(lambda: crepes.ask("GET", letter), lambda shown: shown["state"] == "delivered")
    assert len(done["attempts"]) == 3 and len(moody.letters) == 1
    assert b"Subject: hi\r\n" in moody.letters[0]


def test_retry_now_tries_now(crepes, moody):
    moody.mood = "450 4.2.0 greylisted"
    letter = send(crepes)
    tried(crepes, letter, 1)
    moody.mood = "250 2.1.5 ok"
    answer = crepes.http.post(f"{crepes.url}{letter}/retry", timeout=30)
    assert answer.status_code == 202 and answer.headers["Location"] == letter
    assert answer.json()["id"] == int(letter.rsplit("/")[-1])
    eventually(lambda: crepes.ask("GET", letter), lambda shown: shown["state"] == "delivered")
    # It is done now: there is nothing to try, and nothing to read.
    assert crepes.http.post(f"{crepes.url}{letter}/retry", timeout=30).status_code == 409
    assert crepes.http.get(f"{crepes.url}{letter}/raw", timeout=30).status_code == 404
    assert [one["state"] for one in crepes.ask("GET", "/v1/queue?state=delivered")["items"]] == ["delivered"]
    assert crepes.ask("GET", "/v1/queue?state=waiting")["items"] == []


def test_a_letter_that_is_deleted_goes_to_nobody_and_nobody_is_told(crepes, moody):
    moody.mood = "450 4.2.0 greylisted"
    letter = send(crepes)
    tried(crepes, letter, 1)
    raw = crepes.http.get(f"{crepes.url}{letter}/raw", timeout=30)
    assert raw.status_code == 200 and b"Subject: hi\r\n" in raw.content
    again = crepes.http.get(f"{crepes.url}{letter}/raw", headers={"If-None-Match": raw.headers["ETag"]}, timeout=30)
    assert again.status_code == 304
    crepes.ask("DELETE", letter)
    assert crepes.http.get(crepes.url + letter, timeout=30).status_code == 404
    assert crepes.http.delete(crepes.url + letter, timeout=30).status_code == 404
    forward(crepes, 6 * 24 * 3600)
    moody.mood = "250 2.1.5 ok"
    other = send(crepes, "another")
    eventually(lambda: crepes.ask("GET", other), lambda shown: shown["state"] == "delivered")
    assert len(moody.letters) == 1 and inbox(crepes) == []


def test_after_five_days_the_sender_is_told(crepes, moody):
    moody.mood = "450 4.2.0 greylisted"
    letter = send(crepes, "never")
    tried(crepes, letter, 1)
    forward(crepes, 5 * 24 * 3600 + 1)
    shown = eventually(lambda: crepes.ask("GET", letter), lambda shown: shown["state"] == "failed")
    assert shown["recipients"][0]["attempts"] == 2
    report = inbox(crepes)[0]
    assert report["envelope"]["sender"] == "" and "Undeliverable" in report["subject"]
    raw = crepes.http.get(f"{crepes.url}/v1/mailboxes/alice@crepes.fr/messages/{report['id']}/raw", timeout=30).text
    assert "Final-Recipient: rfc822; bob@moody.example" in raw and "greylisted" in raw and "Subject: never" in raw
    assert "given up after 2 tries" in raw


def test_what_is_refused_for_good_is_reported_at_once(crepes, moody):
    moody.mood = "550 5.1.1 no such user"
    letter = send(crepes)
    shown = eventually(lambda: crepes.ask("GET", letter), lambda shown: shown["state"] == "failed")
    assert shown["recipients"][0]["attempts"] == 1 and shown["recipients"][0]["reply"] == moody.mood
    assert len(inbox(crepes)) == 1

"""A letter takes its trace along: from HTTP into its header, to the resolver, and to the next host; while tracing is off, nowhere."""
import http.server
import json
import threading
import urllib.parse

import pytest
from harness import eventually

TRACE = "0af7651916cd43dd8448eb211c80319c"
SENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def resolver(net):
    """Answers like the resolver, and remembers which traces it was asked in."""
    seen = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
            seen.append(self.headers.get("traceparent"))
            data = {"MX": (15, "10 mail.hamburger.edu."), "A": (1, net.at("20.1"))}.get(asked["type"])
            answer = [{"name": asked["name"], "type": data[0], "TTL": 60, "data": data[1]}] if data else []
            body = json.dumps({"Status": 0, "Answer": answer}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer((net.at("12.9"), 0), Answer)
    server.seen = seen
    server.url = f"http://{net.at('12.9')}:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def letter_from_alice(net, resolver):
    """Alice sends by REST, within the trace; the letter as Bob has it."""
    hamburger = net.mail("hamburger", 8025, "20.1", "hamburger.edu", None, [("bob@hamburger.edu", "hungry")])
    crepes = net.mail("crepes", 8026, "20.2", "crepes.fr", resolver, [("alice@crepes.fr", "ketchup")])
    crepes.ask(
        "POST", "/v1/mailboxes/alice@crepes.fr/messages", headers={"traceparent": SENT},
        json={"to": ["bob@hamburger.edu"], "subject": "Ketchup", "text": "How about pickles?"})
    path = "/v1/mailboxes/bob@hamburger.edu/messages"
    letter = eventually(lambda: hamburger.ask("GET", path)["items"])[0]
    return hamburger.http.get(f"{hamburger.url}{path}/{letter['id']}/raw", timeout=30).text


def test_a_letter_takes_its_trace_along(net, resolver, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    raw = letter_from_alice(net, resolver)
    marks = [line.split(": ")[1] for line in raw.splitlines() if line.startswith("Traceparent: ")]
    assert [mark.split("-")[1] for mark in marks] == [TRACE, TRACE], "one mark of each host"
    spans = {mark.split("-")[2] for mark in [SENT, *marks]}
    assert len(spans) == 3, "and each is a span of its own"
    assert resolver.seen and all(mark.split("-")[1] == TRACE for mark in resolver.seen)


def test_while_tracing_is_off_letters_stay_as_they_are(net, resolver, monkeypatch):
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    raw = letter_from_alice(net, resolver)
    assert "How about pickles?" in raw and "traceparent" not in raw.lower()
    assert resolver.seen and set(resolver.seen) == {None}

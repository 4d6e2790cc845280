"""A certificate authority that only asks for DNS-01 (RFC 8555 §7, §8.4), as far as its client goes before the certificate."""
import base64
import hashlib
import http.server
import json
import threading

import dns.message
import dns.query


def base64url(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def decoded(text):
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


class Authority:
    """Signatures are not looked at: what is proven is that the client's record is served when it says so."""

    token = "Zm9vYmFy_token"

    def __init__(self, server, port):
        """The TXT record is asked for at `server`."""
        self.server, self.port = server, port
        #: The TXT records that were found when the client said it was ready, and whether the right one was among them.
        self.found, self.is_proven = [], False
        authority = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def do_HEAD(self):
                self.answer(200, {})

            def do_GET(self):
                self.answer(200, authority.directory())

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.answer(*authority.post(self.path, decoded(body["protected"]), body["payload"]))

            def answer(self, status, body, place=None):
                octets = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Replay-Nonce", "bm9uY2U")
                self.send_header("Content-Type", "application/json" if status < 400 else "application/problem+json")
                self.send_header("Content-Length", str(len(octets)))
                if place:
                    self.send_header("Location", authority.url + place)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(octets)

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    def directory(self):
        return {name: f"{self.url}/{name}" for name in ["newNonce", "newAccount", "newOrder", "revokeCert", "keyChange"]}

    def post(self, path, protected, payload):
        if path == "/newAccount":
            key = json.dumps({name: protected["jwk"][name] for name in sorted(protected["jwk"])}, separators=(",", ":"))
            self.thumbprint = base64url(hashlib.sha256(key.encode()).digest())
            return 201, {"status": "valid"}, "/account"
        if path == "/newOrder":
            self.name = decoded(payload)["identifiers"][0]["value"]
            return 201, self.order(), "/order"
        if path == "/authorization":
            return 200, self.authorization()
        if path == "/challenge":
            self.validate()
            return 200, self.challenge()
        # What the client does after the proof is of no interest here.
        return 403, {"type": "urn:ietf:params:acme:error:unauthorized", "detail": "no certificates today", "status": 403}

    @property
    def status(self):
        return "valid" if self.is_proven else "invalid" if self.found else "pending"

    def order(self):
        return {
            "status": "ready" if self.is_proven else "pending", "identifiers": [{"type": "dns", "value": self.name}],
            "authorizations": [f"{self.url}/authorization"], "finalize": f"{self.url}/finalize"}

    def authorization(self):
        return {
            "status": self.status, "identifier": {"type": "dns", "value": self.name}, "challenges": [self.challenge()]}

    def challenge(self):
        return {"type": "dns-01", "url": f"{self.url}/challenge", "token": self.token, "status": self.status}

    def validate(self):
        query = dns.message.make_query(f"_acme-challenge.{self.name}", "TXT")
        answer = dns.query.udp(query, self.server, timeout=10, port=self.port).answer
        self.found = [record.to_text() for rrset in answer for record in rrset] or ["nothing"]
        proof = base64url(hashlib.sha256(f"{self.token}.{self.thumbprint}".encode()).digest())
        self.is_proven = f'"{proof}"' in self.found

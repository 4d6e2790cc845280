"""The story, in a world that the launcher brings up: a letter from Alice to Bob, then a domain of one's own."""
import poplib
import subprocess

import pytest
import requests
from harness import eventually, executable, free_net, run


class World:
    def __init__(self, directory):
        self.number = free_net()
        self.data = directory / "world"
        self.http = requests.Session()
        self.http.trust_env = False

    def utopia(self, *arguments, check=True):
        return run(executable("utopia"), *arguments, check=check)

    def up(self):
        said = self.utopia("up", "--detach", "--net", self.number, "--data", self.data)
        self.http.headers["Authorization"] = "Bearer " + (self.data / "admin-token").read_text().strip()
        return said

    def down(self):
        return self.utopia("down", "--data", self.data, check=False)

    def at(self, place):
        return f"127.{self.number}.{place}"

    def rest(self, port):
        return f"http://{self.at('0.1')}:{port}"

    def ask(self, method, port, path, **options):
        answer = self.http.request(method, self.rest(port) + path, timeout=30, **options)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def dig(self, *question):
        return run("dig", "+tries=1", "+time=10", "-p", "5300", f"@{self.at('12.1')}", *question)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    one = World(tmp_path_factory.mktemp("story"))
    said = one.up()
    assert one.at("20.1") in said, "the table names the addresses"
    yield one
    one.down()


def inbox(world, port, address):
    return world.ask("GET", port, f"/v1/mailboxes/{address}/messages")["items"]


def test_one_letter_from_alice_to_bob(world, tmp_path):
    picture = tmp_path / "ketchup.png"
    picture.write_bytes(bytes(range(256)) * 20)
    world.ask("DELETE", 8055, "/v1/cache")
    run(
        "swaks", "--server", f"{world.at('20.2')}:2587", "--auth", "PLAIN", "--auth-user", "alice@crepes.fr",
        "--auth-password", "ketchup", "--from", "alice@crepes.fr", "--to", "bob@hamburger.edu", "--header",
        "Subject: Do you like ketchup?", "--body", "How about pickles?", "--attach", f"@{picture}")

    letter = eventually(lambda: [one for one in inbox(world, 8025, "bob@hamburger.edu") if "ketchup" in one["subject"]])[0]
    assert letter["attachments"] == 1
    path = f"/v1/mailboxes/bob@hamburger.edu/messages/{letter['id']}"
    shown = world.ask("GET", 8025, path)
    assert "How about pickles?" in shown["text"]
    attached = world.http.get(world.rest(8025) + f"{path}/attachments/1", timeout=30)
    assert attached.content == picture.read_bytes()

    mailbox = poplib.POP3(world.at("20.1"), 2110, timeout=30)
    mailbox.user("bob")
    mailbox.pass_("hungry")
    text = b"\n".join(mailbox.retr(mailbox.stat()[0])[1])
    assert b"How about pickles?" in text and b"Received: " in text
    mailbox.quit()

    queued = world.ask("GET", 8026, "/v1/queue?state=delivered")["items"]
    assert queued, "Alice's server tells what became of it"
    told = world.ask("GET", 8026, f"/v1/queue/{queued[0]['id']}")
    dialogue = told["attempts"][0]["dialogue"]
    assert "MX of hamburger.edu: 10 mail.hamburger.edu" in dialogue[0]
    assert any("RCPT TO:<bob@hamburger.edu>" in line for line in dialogue)
    # The resolver's cache was empty before, so it was the letter that made it walk.
    known = {(entry["name"], entry["type"]) for entry in world.ask("GET", 8055, "/v1/cache?limit=1000")["items"]}
    assert {("edu.", 2), ("hamburger.edu.", 2), ("hamburger.edu.", 15), ("mail.hamburger.edu.", 1)} <= known


def test_the_walk_goes_from_root_to_edu_to_the_authority(world):
    world.ask("DELETE", 8055, "/v1/cache")
    answer = world.ask("GET", 8055, "/resolve?name=gaia.cs.umass.edu&type=A&trace=1")
    assert answer["Status"] == 0 and answer["Answer"][-1]["data"] == world.at("50.13")
    assert [step["zone"] for step in answer["Trace"]] == [".", ".", "edu.", "umass.edu."]
    assert [step["server"] for step in answer["Trace"][2:]] == [f"{world.at('10.2')}:5300", f"{world.at('11.1')}:5300"]
    assert "servereast.backup2.ibm.com." in world.dig("www.ibm.com")
    assert len(world.dig("+short", "www.yahoo.com").split()) > 1


def test_a_domain_of_ones_own(world, tmp_path):
    free = world.ask("GET", 8056, "/v1/availability?name=networkutopia.com")
    assert free["available"] is True
    zone = ("$TTL 60\n@ SOA dns1 hostmaster 1 2 3 4 5\n@ NS dns1\n@ MX 10 mail\n"
            f"dns1 A {world.at('11.1')}\nmail A {world.at('20.1')}\nwww A {world.at('50.99')}\n")
    world.ask("POST", 8054, "/api/v1/servers/localhost/zones",
              json={"name": "networkutopia.com.", "kind": "Native", "zone": zone})
    registered = world.ask(
        "POST", 8056, "/v1/domains",
        json={"name": "networkutopia.com", "years": 1,
              "name_servers": [{"name": "dns1.networkutopia.com", "addresses": [world.at("11.1")]}]})
    assert registered["status"] == "active"
    assert world.at("50.99") in world.dig("www.networkutopia.com")

    world.ask("POST", 8025, "/v1/domains", json={"name": "networkutopia.com"})
    world.ask("POST", 8025, "/v1/mailboxes", json={"address": "founder@networkutopia.com", "password": "utopia-1"})
    letter = tmp_path / "letter"
    letter.write_text("Subject: welcome\n\nThe address is yours.\n")
    run(
        "curl", "--silent", "--show-error", "--noproxy", "*", "--url", f"smtp://{world.at('20.2')}:2587/cis.poly.edu",
        "--user", "alice@crepes.fr:ketchup", "--mail-from", "alice@crepes.fr", "--mail-rcpt", "founder@networkutopia.com",
        "--crlf", "--upload-file", letter)
    eventually(lambda: inbox(world, 8025, "founder@networkutopia.com"))


def test_the_catch_host_takes_any_letter_and_tells_who_waits(world):
    subprocess.run(
        ["swaks", "--server", f"{world.at('20.3')}:2525", "--from", "app@example.com", "--to", "anyone@example.net",
         "--header", "Subject: Your code is 123456"], check=True, capture_output=True)
    found = world.ask("GET", 8027, "/v1/messages?to=anyone@example.net&wait=10")["items"]
    assert found[0]["subject"] == "Your code is 123456"


def test_the_second_start_keeps_all_and_nothing_is_left_running(world):
    before = [one["id"] for one in inbox(world, 8025, "bob@hamburger.edu")]
    world.down()
    for port in [*range(8025, 8028), *range(8050, 8057)]:
        with pytest.raises(requests.ConnectionError):
            requests.get(world.rest(port) + "/healthz", timeout=5, proxies={"http": None})
    world.up()
    assert [one["id"] for one in inbox(world, 8025, "bob@hamburger.edu")] == before
    assert world.at("50.99") in world.dig("www.networkutopia.com"), "what was registered is still there"


def test_after_a_reset_every_run_is_the_same(world):
    told = []
    for _ in range(2):
        world.utopia("reset", "--data", world.data)
        run("swaks", "--server", f"{world.at('20.3')}:2525", "--from", "app@example.com", "--to", "anyone@example.net",
            "--header", "Subject: Your code is 123456")
        caught = world.ask("GET", 8027, "/v1/messages?wait=10")["items"]
        registrants = world.ask("GET", 8056, "/v1/registrants")["items"]
        domain = world.ask("GET", 8056, "/v1/domains")["items"][0]
        told.append(([one["id"] for one in caught], [one["id"] for one in registrants], domain["name"], domain["status"]))
    assert told[0] == told[1]
    assert told[0][0] == [1]

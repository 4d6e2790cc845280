"""Mailboxes by REST: people read, sort and send with their own password; catch mode shows every letter."""
import base64
import email
import email.policy
import json
import smtplib
import threading

import pytest
import requests
from harness import eventually

JSON = {"Content-Type": "application/json"}


class Person:
    """Somebody with a mailbox and nothing else."""

    def __init__(self, host, address, password):
        self.box = f"{host.url}/v1/mailboxes/{address}"
        self.host = host
        self.http = requests.Session()
        self.http.trust_env = False
        # As UTF-8, which the server reads (RFC 7617 §2.1); requests would send text as Latin-1.
        self.http.auth = (address.encode(), password.encode())

    def get(self, path, **options):
        return self.http.get(self.box + path, timeout=30, **options)

    def items(self, query=""):
        answer = self.get(f"/messages{query}")
        assert answer.ok, answer.text
        return answer.json()["items"]

    def send(self, **letter):
        return self.http.post(f"{self.box}/messages", json=letter, timeout=30)


@pytest.fixture(scope="module")
def host(shared_net):
    people = [("bob@hamburger.edu", "hungry"), ("carol@hamburger.edu", "pickles")]
    return shared_net.mail("hamburger", 8025, "20.1", "hamburger.edu", None, people)


@pytest.fixture
def bob(host):
    return Person(host, "bob@hamburger.edu", "hungry")


@pytest.fixture
def carol(host):
    return Person(host, "carol@hamburger.edu", "pickles")


@pytest.fixture(scope="module")
def catch(shared_net):
    return shared_net.start(
        "mail", "catch", 8027, "--catch", "--keep", "5", "--hostname", "mail.example.com", "--smtp",
        f"{shared_net.at('20.3')}:2525")


def test_a_letter_with_an_attachment_is_sent_found_read_and_filed(bob, carol):
    picture = bytes(range(256)) * 400
    sent = bob.send(
        **{"from": "Bob Bürger <bob@hamburger.edu>"}, to=["Carol Käse <carol@hamburger.edu>"], subject="Grüße & Gurken",
        text="Do you like ketchup?\n.\nFrom here on: Ähm", html="<p>ketchup?</p>",
        attachments=[{"name": "Gürkchen.png", "type": "image/png", "content": base64.b64encode(picture).decode()}])
    assert sent.status_code == 201 and sent.json()["delivered"] == 1
    assert bob.http.get(bob.host.url + sent.headers["Location"], timeout=30).json()["folder"] == "Sent"

    found = carol.items('?q=from:bob subject:"gurken" ketchup is:unread')
    assert len(found) == 1 and found[0]["attachments"] == 1 and found[0]["subject"] == "Grüße & Gurken"
    assert carol.items("?q=from:zorro") == []
    here = f"/messages/{found[0]['id']}"
    shown = carol.get(here)
    letter = shown.json()
    assert letter["from"] == [{"name": "Bob Bürger", "address": "bob@hamburger.edu"}]
    assert letter["text"] == "Do you like ketchup?\n.\nFrom here on: Ähm\n" and "ketchup?" in letter["html"]
    assert letter["problems"] == [] and letter["attachments"][0]["name"] == "Gürkchen.png"
    content = carol.get(f"{here}/attachments/1")
    assert content.content == picture and content.headers["Content-Type"] == "image/png"
    assert carol.get(f"{here}/attachments/2").status_code == 404

    # Another program reads the same letter the same way.
    raw = carol.get(f"{here}/raw")
    other = email.message_from_bytes(raw.content, policy=email.policy.default)
    assert other["Subject"] == "Grüße & Gurken" and "From here on: Ähm" in other.get_body(("plain",)).get_content()
    assert [part.get_content() for part in other.iter_attachments()] == [picture]
    assert max(map(len, raw.content.split(b"\r\n"))) <= 78 and raw.content.isascii()
    assert carol.get(f"{here}/raw", headers={"If-None-Match": raw.headers["ETag"]}).status_code == 304

    tag = {"If-Match": shown.headers["ETag"]}
    filed = carol.http.patch(carol.box + here, json={"seen": True, "folder": "Trash"}, headers=tag, timeout=30)
    assert filed.json()["folder"] == "Trash" and filed.json()["seen"] is True
    assert carol.http.patch(carol.box + here, json={"seen": False}, headers=tag, timeout=30).status_code == 412
    assert carol.items("?q=gurken") == [] and len(carol.items("?folder=Trash")) == 1
    assert carol.http.delete(carol.box + here, timeout=30).status_code == 204
    assert carol.get(here).status_code == 404


def test_pages_follow_each_other_newest_first(bob, carol):
    for number in range(7):
        assert bob.send(to=["carol@hamburger.edu"], subject=f"page {number}").status_code == 201
    seen, query = [], "?q=subject:page&limit=3"
    while query:
        page = carol.get(f"/messages{query}").json()
        seen += [item["subject"] for item in page["items"]]
        query = f"?q=subject:page&limit=3&cursor={page['next']}" if "next" in page else None
    assert seen == [f"page {number}" for number in reversed(range(7))]


def test_folders_of_ones_own(carol):
    made = carol.http.post(f"{carol.box}/folders", json={"name": "Rezepte für Gurken"}, timeout=30)
    assert made.status_code == 201
    assert carol.http.get(carol.host.url + made.headers["Location"], timeout=30).json()["total"] == 0
    assert carol.http.post(f"{carol.box}/folders", json={"name": "Rezepte für Gurken"}, timeout=30).status_code == 409
    for name in ["*", "a/b", " x", "", "x\n"]:
        assert carol.http.post(f"{carol.box}/folders", json={"name": name}, timeout=30).status_code == 422
    assert carol.http.delete(f"{carol.box}/folders/INBOX", timeout=30).status_code == 409
    names = [folder["name"] for folder in carol.get("/folders").json()["items"]]
    assert names == ["INBOX", "Sent", "Drafts", "Trash", "Rezepte für Gurken"]


def test_a_mailbox_is_its_owners_alone(host, bob):
    assert Person(host, "bob@hamburger.edu", "wrong").get("/messages").status_code == 401
    assert requests.get(f"{bob.box}/messages", timeout=30).status_code == 401
    assert bob.http.get(f"{host.url}/v1/mailboxes/carol@hamburger.edu/messages", timeout=30).status_code == 403
    assert bob.http.get(f"{host.url}/v1/queue", timeout=30).status_code == 401
    assert bob.http.get(f"{host.url}/v1/messages", timeout=30).status_code == 404, "not in catch mode"


@pytest.mark.parametrize("change, field", [
    ({"to": ["nobody"]}, "to[0]"), ({"to": []}, "to"), ({"to": ["ghost@hamburger.edu"]}, "to"),
    ({"from": "eve@x.example"}, "from"), ({"headers": {"Bcc": "x@y.example"}}, "headers"), ({"txt": "x"}, "txt"),
    ({"attachments": [{"content": "%"}]}, "attachments[0].content"), ({"subject": None}, "subject"), ({"text": 1}, "text"),
])
def test_a_refusal_names_the_field(bob, change, field):
    answer = bob.send(**{"to": ["carol@hamburger.edu"], **change})
    assert answer.status_code == 422 and answer.json()["field"] == field, answer.text


def test_a_draft_goes_to_nobody(bob, carol):
    kept = bob.send(to=["carol@hamburger.edu"], subject="perhaps", draft=True)
    assert kept.status_code == 201 and bob.items("?folder=Drafts")[0]["draft"] is True
    assert carol.items("?q=perhaps&folder=*") == []


def test_events_tell_the_owner(bob, carol):
    with carol.http.get(f"{carol.host.url}/v1/events", stream=True, timeout=30) as live:
        lines = live.iter_lines(decode_unicode=True)
        number = bob.send(to=["carol@hamburger.edu"], subject="live").json()
        assert number["delivered"] == 1
        event = dict(line.split(": ", 1) for line in iter(lambda: next(lines), "") if not line.startswith(":"))
        assert event["event"] == "message.delivered"
        told = json.loads(event["data"])
        assert told["mailbox"] == "carol@hamburger.edu"
        assert carol.http.get(carol.host.url + told["url"], timeout=30).json()["subject"] == "live"


def test_search_knows_its_operators(host, bob, carol):
    moment = host.ask("GET", "/v1/clock")["now"]
    before, after = f"before:{moment}", f"after:{moment}"
    host.ask("PUT", "/v1/clock", json={"offset_seconds": host.ask("GET", "/v1/clock")["offset_seconds"] + 60})
    letter = {"to": ["Carol <carol@hamburger.edu>"], "cc": ["bob@hamburger.edu"], "subject": "Zwölf Äpfel", "text": "100% Ärger_"}
    assert bob.send(**letter).status_code == 201
    for query in [
        "from:BOB", "to:carol@", "to:bob@hamburger.edu", 'subject:"zwölf äpfel"', "subject:ÄPFEL", "ärger_", '"100% Ä"', after,
        "is:unread", "FROM:bob TO:carol is:unread äpfel",
    ]:
        found = carol.items("?q=" + requests.utils.quote(query))
        assert found and found[0]["subject"] == "Zwölf Äpfel", query
    for query in ["from:carol", "to:nobody", 'subject:"äpfel zwölf"', before, "is:read", "100%Ä", "from:bob from:eve"]:
        found = carol.items("?q=" + requests.utils.quote(query))
        assert "Zwölf Äpfel" not in [item["subject"] for item in found], query
    assert carol.get("/messages?q=is:red").status_code == 422


def test_flags_are_each_for_itself_and_a_stale_tag_changes_nothing(bob, carol):
    assert bob.send(to=["carol@hamburger.edu"], subject="flags").status_code == 201
    here = f"{carol.box}/messages/{carol.items('?q=subject:flags')[0]['id']}"
    first = carol.http.get(here, timeout=30)
    assert carol.http.get(here, headers={"If-None-Match": first.headers["ETag"]}, timeout=30).status_code == 304
    flagged = carol.http.patch(here, json={"flagged": True}, timeout=30)
    assert flagged.headers["ETag"] != first.headers["ETag"]
    seen = carol.http.patch(here, json={"seen": True, "answered": True}, timeout=30).json()
    assert (seen["seen"], seen["answered"], seen["flagged"], seen["draft"]) == (True, True, True, False)
    assert carol.http.patch(here, json={"flagged": False}, timeout=30).json()["seen"] is True
    assert carol.items("?q=subject:flags is:read") and not carol.items("?q=subject:flags is:unread")
    assert carol.http.patch(here, json={"folder": "Nowhere"}, timeout=30).json()["field"] == "folder"
    assert carol.http.patch(here, json={}, timeout=30).status_code == 422
    stale = {"If-Match": first.headers["ETag"]}
    assert carol.http.delete(here, headers=stale, timeout=30).status_code == 412
    now = {"If-Match": carol.http.get(here, timeout=30).headers["ETag"]}
    assert carol.http.delete(here, headers=now, timeout=30).status_code == 204


def test_names_of_attachments_by_rfc_2231_and_their_numbers(shared_net, host, carol):
    letter = (
        b"Subject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\ntext\r\n"
        b"--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment;\r\n"
        b" filename*0*=UTF-8''Gr%C3%BC; filename*1*=n%20und; filename*2=\" gut.pdf\"\r\n\r\none\r\n"
        b"--b\r\nContent-Type: image/png; name=\"=?utf-8?q?B=C3=A4r.png?=\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        b"dHdv\r\n--b--\r\n")
    with smtplib.SMTP(shared_net.at("20.1"), 2525, timeout=30) as server:
        server.sendmail("x@example.org", "carol@hamburger.edu", letter)
    number = carol.items("?q=subject:parts")[0]["id"]
    shown = carol.get(f"/messages/{number}").json()["attachments"]
    assert [(one["number"], one["name"]) for one in shown] == [(1, "Grün und gut.pdf"), (2, "Bär.png")]
    one, two = [carol.http.get(host.url + one["url"], timeout=30) for one in shown]
    assert (one.content, two.content) == (b"one", b"two")
    assert one.headers["Content-Disposition"] == (
        "attachment; filename=\"Gr_n und gut.pdf\"; filename*=UTF-8''Gr%C3%BCn%20und%20gut.pdf"
    )
    again = carol.http.get(host.url + shown[1]["url"], headers={"If-None-Match": two.headers["ETag"]}, timeout=30)
    assert again.status_code == 304


def test_a_domain_comes_and_goes(shared_net, host):
    def asked(recipient):
        with smtplib.SMTP(shared_net.at("20.1"), 2525, timeout=30) as server:
            server.ehlo()
            server.mail("x@example.org")
            return server.rcpt(recipient)[0]

    assert asked("dora@networkutopia.com") == 550
    made = host.http.post(f"{host.url}/v1/domains", json={"name": "NetworkUtopia.com"}, timeout=30)
    assert made.status_code == 201 and made.headers["Location"] == "/v1/domains/networkutopia.com"
    host.ask("POST", "/v1/mailboxes", json={"address": "dora@networkutopia.com", "password": "x"})
    assert asked("dora@networkutopia.com") == 250 and asked("nobody@networkutopia.com") == 550
    assert host.http.delete(f"{host.url}/v1/domains/networkutopia.com", timeout=30).status_code == 409
    host.ask("DELETE", "/v1/mailboxes/dora@networkutopia.com")
    host.ask("DELETE", "/v1/domains/networkutopia.com")
    assert asked("dora@networkutopia.com") == 550
    assert host.http.get(f"{host.url}/v1/domains/networkutopia.com", timeout=30).status_code == 404


def test_a_domain_beyond_ascii_is_found_under_all_its_spellings(host):
    made = host.http.post(f"{host.url}/v1/domains", json={"name": "BÜCHER.example"}, timeout=30)
    assert made.status_code == 201 and made.json()["name"] == "xn--bcher-kva.example", made.text
    for spelling in ["BÜCHER.example", "bücher.example", "xn--bcher-kva.example"]:
        assert host.http.get(f"{host.url}/v1/domains/{spelling}", timeout=30).json() == made.json(), spelling
    assert host.http.get(host.url + made.headers["Location"], timeout=30).ok
    zoe = host.http.post(
        f"{host.url}/v1/mailboxes", json={"address": "zoe@bücher.example", "password": "pickles"}, timeout=30)
    assert zoe.status_code == 201 and host.http.get(host.url + zoe.headers["Location"], timeout=30).ok, zoe.text
    own = Person(host, "zoe@BÜCHER.example", "pickles")
    assert own.http.get(f"{host.url}/v1/mailboxes/zoe@BÜCHER.example/messages", timeout=30).ok
    host.ask("DELETE", "/v1/mailboxes/zoe@bücher.example")
    host.ask("DELETE", "/v1/domains/bücher.example")
    assert host.http.get(host.url + made.headers["Location"], timeout=30).status_code == 404


def test_a_listener_that_comes_back_too_late_is_told_to_begin_anew(bob, carol):
    def first(last):
        with carol.http.get(
                f"{carol.host.url}/v1/events", headers={"Last-Event-ID": last}, stream=True, timeout=30) as live:
            lines = live.iter_lines(decode_unicode=True)
            bob.send(to=["carol@hamburger.edu"], subject="again")
            return dict(line.split(": ", 1) for line in iter(lambda: next(lines), "") if not line.startswith(":"))

    reset = first("1")
    assert reset["event"] == "reset"
    assert first(reset["id"])["event"] == "message.delivered"


def post(net, sender, recipient, letter):
    with smtplib.SMTP(net.at("20.3"), 2525, timeout=30) as server:
        server.sendmail(sender, recipient, letter)


def test_what_can_not_be_understood_is_shown_as_it_stands(shared_net, catch):
    letter = (
        b"Subject: =?gb2312?Q?=D6=D0?=\r\nDate: whenever\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
        b"--x\r\nContent-Type: text/plain; charset=klingon\r\n\r\n\xff\xfe\r\n--x\r\n"
        b"Content-Transfer-Encoding: base64\r\nContent-Type: image/png\r\n\r\naGV*sb\r\n")
    post(shared_net, "app@example.com", "odd@example.net", letter)
    found = catch.ask("GET", "/v1/messages?to=odd@example.net&wait=10")["items"]
    shown = catch.ask("GET", f"/v1/messages/{found[0]['id']}")
    assert shown["subject"] == "=?gb2312?Q?=D6=D0?=" and shown["text"] == "ÿþ"
    assert len(shown["problems"]) == 5, shown["problems"]
    assert letter in catch.http.get(f"{catch.url}/v1/messages/{found[0]['id']}/raw", timeout=30).content


def test_who_waits_is_answered_as_soon_as_the_letter_is_there(shared_net, catch):
    assert catch.ask("GET", "/v1/messages?to=nobody@example.net&wait=1")["items"] == []
    anybody = requests.Session()
    anybody.trust_env = False
    answers = []

    def wait():
        answers.append(anybody.get(
            f"{catch.url}/v1/messages?to=new@user.example&subject=code&wait=60", auth=("any", "thing"), timeout=90))

    waiting = threading.Thread(target=wait)
    waiting.start()
    post(shared_net, "app@example.com", "other@user.example", "Subject: your code is 1\r\n\r\n")
    post(shared_net, "app@example.com", "new@user.example", "Subject: your code is 2\r\n\r\n")
    waiting.join(60)
    assert [item["subject"] for item in answers[0].json()["items"]] == ["your code is 2"]
    last = answers[0].json()["items"][0]["id"]
    assert catch.ask("GET", f"/v1/messages?to=new@user.example&after={last}")["items"] == []


def test_who_waits_for_an_address_gets_that_address_alone(shared_net, catch):
    post(shared_net, "app@example.com", "joanna@user.example", "Subject: for joanna\r\n\r\n")
    post(shared_net, "app@example.com", "Anna@User.example", "Subject: for anna\r\n\r\n")
    found = catch.ask("GET", "/v1/messages?to=anna@user.example&wait=10")["items"]
    assert [item["subject"] for item in found] == ["for anna"]
    both = catch.ask("GET", "/v1/messages?to=@user.example&subject=for&wait=10")["items"]
    assert [item["subject"] for item in both] == ["for anna", "for joanna"]
    assert catch.http.get(f"{catch.url}/v1/messages?to=anna", timeout=30).json()["field"] == "to"
    last = both[0]["id"]
    catch.ask("DELETE", f"/v1/messages/{last}")
    assert catch.http.get(f"{catch.url}/v1/messages/{last}", timeout=30).status_code == 404


def test_a_plus_in_the_address_may_stand_as_it_is(shared_net, catch):
    post(shared_net, "app@example.com", "new+user@example.com", "Subject: tagged\r\n\r\n")
    for to in ["new+user@example.com", "new%2Buser@example.com"]:
        found = catch.ask("GET", f"/v1/messages?to={to}&wait=10")["items"]
        assert [item["subject"] for item in found] == ["tagged"], to


def test_catch_mode_keeps_the_newest_and_forgets_on_demand(shared_net, catch):
    for number in range(8):
        post(shared_net, "app@example.com", "many@example.net", f"Subject: {number}\r\n\r\n")
    kept = eventually(lambda: [item["subject"] for item in catch.ask("GET", "/v1/messages")["items"]])
    assert kept == ["7", "6", "5", "4", "3"]
    catch.ask("DELETE", "/v1/messages")
    assert catch.ask("GET", "/v1/messages")["items"] == []

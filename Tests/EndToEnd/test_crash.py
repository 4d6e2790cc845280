"""kill -9 at any moment loses nothing that was acknowledged; a full disk is said, not suffered."""
import os
import poplib
import shutil
import subprocess
import threading
import time

import pytest
import requests
import zones
from harness import eventually
from smtp import Line

SESSIONS = 40


class Senders:
    """Forty sessions that send numbered letters until told to stop; `acknowledged` has those answered with 250."""

    def __init__(self, address, port, recipient, login=None):
        self.address, self.port, self.recipient, self.login = address, port, recipient, login
        self.acknowledged = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(number,)) for number in range(SESSIONS)]
        for thread in self.threads:
            thread.start()

    def work(self, number):
        count = 0
        while not self.stopping.is_set():
            try:
                line = Line(self.address, self.port)
                line.reply()
                line.ask("EHLO cis.poly.edu")
                if self.login:
                    assert line.ask(f"AUTH PLAIN {self.login}").startswith("235 ")
                while not self.stopping.is_set():
                    name = f"letter-{number}-{count}"
                    count += 1
                    if not line.ask("MAIL FROM:<alice@crepes.fr>").startswith("250 "):
                        break
                    if not line.ask(f"RCPT TO:<{self.recipient}>").startswith("250 "):
                        break
                    if not line.ask("DATA").startswith("354 "):
                        break
                    line.say(f"Subject: {name}\r\n\r\n" + "pickles " * 100)
                    if line.ask(".").startswith("250 "):
                        self.acknowledged.append(name)
                line.close()
            except OSError:
                time.sleep(0.05)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def subjects(net, place="20.1"):
    """How often each subject is in Bob's mailbox, read as a mail program does."""
    mailbox = poplib.POP3(net.at(place), 2110, timeout=60)
    mailbox.user("bob@hamburger.edu")
    mailbox.pass_("hungry")
    found = {}
    for number in range(1, mailbox.stat()[0] + 1):
        for text in mailbox.top(number, 0)[1]:
            if text.startswith(b"Subject: "):
                name = text.removeprefix(b"Subject: ").decode()
                found[name] = found.get(name, 0) + 1
    mailbox.quit()
    return found


def test_mail_killed_under_forty_sessions_keeps_every_acknowledged_letter(net):
    mail = net.mail("hamburger", 8025, "20.1", "hamburger.edu", None, [("bob@hamburger.edu", "hungry")])
    senders = Senders(net.at("20.1"), 2525, "bob@hamburger.edu")
    try:
        for _ in range(3):
            before = len(senders.acknowledged)
            eventually(lambda: len(senders.acknowledged), lambda count: count > before + 100)
            mail.kill()
            mail.start()
    finally:
        senders.stop()
    found = subjects(net)
    lost = [name for name in senders.acknowledged if name not in found]
    assert len(senders.acknowledged) > 300 and not lost, f"{len(lost)} lost: {lost[:5]}"


def test_every_service_killed_in_turn_while_letters_are_relayed(net):
    resolver = zones.tree(net)
    hamburger = net.mail("hamburger", 8025, "20.1", "hamburger.edu", resolver, [("bob@hamburger.edu", "hungry")])
    crepes = net.mail("crepes", 8026, "20.2", "crepes.fr", resolver, [("alice@crepes.fr", "ketchup")])
    # AUTH PLAIN of alice@crepes.fr with ketchup.
    senders = Senders(
        net.at("20.2"), 2587, "bob@hamburger.edu", "AGFsaWNlQGNyZXBlcy5mcgBrZXRjaHVw")
    try:
        for service in net.services:
            before = len(senders.acknowledged)
            eventually(lambda: len(senders.acknowledged), lambda count: count > before + 20)
            service.kill()
            service.start()
    finally:
        senders.stop()
    assert senders.acknowledged

    def missing():
        found = subjects(net)
        return [name for name in senders.acknowledged if name not in found]

    def settled():
        # What a dead neighbour deferred is due later by the protocol's clock; nobody waits for that here.
        for letter in crepes.ask("GET", "/v1/queue?state=waiting")["items"]:
            crepes.http.post(f"{crepes.url}/v1/queue/{letter['id']}/retry", timeout=30)
        return missing()

    eventually(settled, lambda lost: not lost, 120)
    assert not [letter for letter in crepes.ask("GET", "/v1/queue?state=failed")["items"]]
    assert hamburger.is_ready()


def test_zones_outlive_kill(net):
    server = net.nameserver("hosting", 8054, {"hamburger.edu.": zones.HAMBURGER}, "11.1")
    path = "/api/v1/servers/localhost/zones/hamburger.edu."
    for number in range(20):
        record = {"content": f"192.0.2.{number}", "disabled": False}
        rrset = {"name": f"h{number}.hamburger.edu.", "type": "A", "ttl": 60, "changetype": "REPLACE", "records": [record]}
        server.ask("PATCH", path, json={"rrsets": [rrset]})
    server.kill()
    server.start()
    names = {rrset["name"] for rrset in server.ask("GET", path)["rrsets"]}
    assert {f"h{number}.hamburger.edu." for number in range(20)} <= names


class Registrants:
    """Eight who register numbered names until told to stop; `acknowledged` has those answered with 201 or 202."""

    def __init__(self, registrar):
        self.registrar = registrar
        self.acknowledged = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.work, args=(number,)) for number in range(8)]
        for thread in self.threads:
            thread.start()

    def work(self, number):
        http = requests.Session()
        http.trust_env = False
        http.headers["Authorization"] = self.registrar.http.headers["Authorization"]
        count = 0
        while not self.stopping.is_set():
            name = f"n{number}-{count}.com"
            order = {"name": name, "years": 1, "name_servers": [{"name": f"dns1.{name}", "addresses": ["192.0.2.1"]}]}
            try:
                answer = http.post(
                    f"{self.registrar.url}/v1/domains", json=order, headers={"Idempotency-Key": name}, timeout=30)
            except requests.RequestException:
                # Whether it was taken is not known: the same order goes out again.
                time.sleep(0.05)
                continue
            assert answer.status_code in (201, 202), answer.text
            self.acknowledged.append(name)
            count += 1

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def test_registrar_and_its_zone_killed_while_names_are_registered(net):
    zone = zones.SOA + "@ NS ns\nns A 127.N.10.1\n"
    server = net.nameserver("tld", 8051, {"com.": zone}, "10.1")
    registrar = net.start("registrar", "registrar", 8056, "--tld", f"com={server.url}")
    registrants = Registrants(registrar)
    try:
        for victim in [registrar, server, registrar, server, registrar]:
            before = len(registrants.acknowledged)
            eventually(lambda: len(registrants.acknowledged), lambda count: count > before + 40)
            victim.kill()
            if victim is server:
                # Orders go on being taken while nobody can carry them out.
                before = len(registrants.acknowledged)
                eventually(lambda: len(registrants.acknowledged), lambda count: count > before + 8)
            victim.start()
    finally:
        registrants.stop()

    def unfinished():
        # What the dead neighbour put off is due again by the world's clock; nobody waits for that here.
        clock = registrar.ask("GET", "/v1/clock")["offset_seconds"]
        registrar.ask("PUT", "/v1/clock", json={"offset_seconds": clock + 60})
        found, page = {}, registrar.ask("GET", "/v1/domains?limit=1000")
        while True:
            found |= {item["name"]: item["status"] for item in page["items"]}
            if "next" not in page:
                break
            page = registrar.ask("GET", f"/v1/domains?limit=1000&cursor={page['next']}")
        lost = [name for name in registrants.acknowledged if name not in found]
        assert not lost, f"{len(lost)} lost: {lost[:5]}"
        return [name for name, status in found.items() if status != "active"]

    eventually(unfinished, lambda names: not names)
    rrsets = server.ask("GET", "/api/v1/servers/localhost/zones/com.")["rrsets"]
    delegated = {rrset["name"] for rrset in rrsets if rrset["type"] == "NS"}
    glue = {rrset["name"] for rrset in rrsets if rrset["type"] == "A"}
    missing = [
        name for name in registrants.acknowledged if f"{name}." not in delegated or f"dns1.{name}." not in glue]
    assert len(registrants.acknowledged) > 200 and not missing, f"{len(missing)} not published: {missing[:5]}"


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system is mounted, which needs root")
def test_a_full_disk_is_said_and_reading_goes_on(net):
    data = net.directory / "hamburger" / "data"
    data.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", data], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        mail = net.mail("hamburger", 8025, "20.1", "hamburger.edu", None, [("bob@hamburger.edu", "hungry")])
        stored, reply = 0, ""
        line = Line(net.at("20.1"), 2525)
        line.reply()
        line.ask("EHLO cis.poly.edu")
        while not reply.startswith("4") and stored < 1000:
            reply = line.ask("MAIL FROM:<alice@crepes.fr>")
            if reply.startswith("250"):
                line.ask("RCPT TO:<bob@hamburger.edu>")
                reply = line.ask("DATA")
            if reply.startswith("354"):
                line.say(f"Subject: n{stored}\r\n\r\n" + ("z" * 70 + "\r\n") * 500)
                reply = line.ask(".")
                stored += reply.startswith("250")
        line.close()
        assert reply.startswith("452 "), reply
        assert stored > 10
        eventually(lambda: mail.http.get(f"{mail.url}/readyz", timeout=10).status_code, lambda code: code == 503)
        assert mail.http.get(f"{mail.url}/healthz", timeout=10).status_code == 200
        refused = mail.http.post(
            f"{mail.url}/v1/mailboxes", json={"address": "carol@hamburger.edu", "password": "x" * 16}, timeout=30)
        assert refused.status_code in (507, 201), refused.text

        found = subjects(net)
        assert len([name for name in found if name.startswith("n")]) == stored, "what was acknowledged is read"

        # Bob makes room, and then letters come in again.
        box = "/v1/mailboxes/bob@hamburger.edu/messages"
        letters = mail.ask("GET", f"{box}?limit=1000")["items"]
        for letter in letters[len(letters) // 2:]:
            mail.ask("DELETE", f"{box}/{letter['id']}")
        eventually(lambda: mail.http.get(f"{mail.url}/readyz", timeout=10).status_code, lambda code: code == 200)
        assert len(mail.ask("GET", f"{box}?limit=1000")["items"]) == len(letters) // 2
        line = Line(net.at("20.1"), 2525)
        line.reply()
        for command in ["HELO cis.poly.edu", "MAIL FROM:<alice@crepes.fr>", "RCPT TO:<bob@hamburger.edu>", "DATA"]:
            line.ask(command)
        line.say("Subject: room\r\n\r\nx\r\n")
        assert line.ask(".").startswith("250")
        line.close()
    finally:
        net.stop()
        shutil.rmtree(data, ignore_errors=True)
        subprocess.run(["umount", "-l", data], capture_output=True)

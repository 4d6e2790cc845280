"""Acknowledged means on the disk: no 250 and no 2xx before fsync; and what a disk without a block left does."""
import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess

import pytest
from harness import eventually
from shims import fsync_gate
from smtp import Line


@contextlib.contextmanager
def small_disk(path, megabytes):
    if os.geteuid() != 0:
        pytest.skip("a small file system is mounted, which needs root")
    path.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", path], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield
    finally:
        shutil.rmtree(path, ignore_errors=True)
        subprocess.run(["umount", "-l", path], capture_output=True)


def fill(path):
    """Takes every block that is left."""
    with open(path / "filler", "ab", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(b"x" * 4096)


def test_no_letter_and_no_zone_is_acknowledged_before_it_is_synced(net, tmp_path, monkeypatch):
    environment, gate, _ = fsync_gate(tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    mail = net.mail("hamburger", 8025, "20.1", "hamburger.edu", None, [("bob@hamburger.edu", "hungry")])
    server = net.nameserver("hosting", 8054, {}, "11.1")
    monkeypatch.undo()
    line = Line(net.at("20.1"), 2525)
    line.reply()
    line.ask("EHLO cis.poly.edu")
    line.ask("MAIL FROM:<alice@crepes.fr>")
    line.ask("RCPT TO:<bob@hamburger.edu>")
    line.ask("DATA")
    gate.touch()
    line.say("Subject: durable\r\n\r\nyes\r\n.")
    line.socket.settimeout(1)
    with pytest.raises(socket.timeout):
        line.socket.recv(100)
    zone = "$TTL 60\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        made = pool.submit(
            server.ask, "POST", "/api/v1/servers/localhost/zones",
            json={"name": "example.com.", "kind": "Native", "zone": zone})
        with pytest.raises(concurrent.futures.TimeoutError):
            made.result(1)
        gate.unlink()
        assert made.result(30)["name"] == "example.com."
    line.socket.settimeout(30)
    assert line.socket.recv(100).startswith(b"250 ")
    assert mail.is_ready()


def test_a_backup_and_the_clock_are_synced_with_the_names_that_lead_to_them(net, tmp_path, monkeypatch):
    environment, _, synced = fsync_gate(tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    server = net.nameserver("hosting", 8054, {}, "11.1")
    monkeypatch.undo()

    def during(method, path, **options):
        synced.write_text("")
        answer = server.ask(method, path, **options)
        return answer, synced.read_text().splitlines()

    answer, files = during("POST", "/v1/backup")
    data, path = str(server.directory / "data"), answer["path"]
    order = [data, f"{path}.partial/nameserver.sqlite.partial", f"{path}.partial", str(pathlib.Path(path).parent)]
    # The last time each: SQLite syncs the directory for its own journal before.
    places = [len(files) - files[::-1].index(one) for one in order]
    assert places == sorted(places), files
    _, files = during("PUT", "/v1/clock", json={"offset_seconds": 60})
    assert files[0] == f"{data}/clock-offset.new" and files[-1] == data, files


def test_on_a_full_disk_mail_is_deleted_and_that_makes_room(net):
    data = net.directory / "hamburger" / "data"
    with small_disk(data, 12):
        mail = net.mail("hamburger", 8025, "20.1", "hamburger.edu", None, [("bob@hamburger.edu", "hungry")])
        messages = "/v1/mailboxes/bob@hamburger.edu/messages"

        def send():
            line = Line(net.at("20.1"), 2525)
            line.reply()
            line.ask("EHLO cis.poly.edu")
            reply = line.ask("MAIL FROM:<alice@crepes.fr>")
            if reply.startswith("250"):
                line.ask("RCPT TO:<bob@hamburger.edu>")
                reply = line.ask("DATA")
            if reply.startswith("354"):
                line.say("Subject: pickles\r\n\r\n" + ("z" * 70 + "\r\n") * 500)
                reply = line.ask(".")
            line.close()
            return reply[:4]

        stored = 0
        while (reply := send()) == "250 " and stored < 1000:
            stored += 1
        assert reply == "452 " and stored > 20
        fill(data)
        assert mail.http.post(
            f"{mail.url}/v1/mailboxes", json={"address": "carol@hamburger.edu", "password": "x" * 16}, timeout=30
        ).status_code == 507
        eventually(lambda: mail.http.get(f"{mail.url}/readyz", timeout=10).status_code, lambda code: code == 503)
        kept = stored
        while send() != "250 ":
            page = mail.ask("GET", f"{messages}?limit=1")["items"]
            assert page, "deleting everything made no room"
            mail.ask("DELETE", f"{messages}/{page[0]['id']}")
            kept -= 1
        assert kept > 0
        eventually(mail.is_ready)
        assert len(mail.ask("GET", f"{messages}?limit=1000")["items"]) == kept + 1
        net.stop()


def test_on_a_full_disk_the_name_server_refuses_with_507_and_still_answers(net):
    data = net.directory / "hosting" / "data"
    with small_disk(data, 10):
        server = net.nameserver("hosting", 8054, {}, "11.1")
        zones = "/api/v1/servers/localhost/zones"
        long = "\n".join(f'h{number} TXT "{"x" * 200}"' for number in range(1000))

        def add(number):
            text = f"$TTL 60\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n{long}\n"
            return server.http.post(
                f"{server.url}{zones}", json={"name": f"z{number}.example.", "kind": "Native", "zone": text}, timeout=30)

        made = 0
        while (answer := add(made)).status_code == 201 and made < 1000:
            made += 1
        assert answer.status_code == 507, answer.text
        assert "full" in answer.json()["detail"] and made > 2
        fill(data)
        eventually(lambda: server.http.get(f"{server.url}/readyz", timeout=10).status_code, lambda code: code == 503)
        assert len(server.ask("GET", zones)) == made
        while (answer := add(1000)).status_code != 201:
            assert answer.status_code == 507
            names = [zone["name"] for zone in server.ask("GET", zones)]
            assert names, "deleting everything made no room"
            server.ask("DELETE", f"{zones}/{names[0]}")
        eventually(server.is_ready)
        net.stop()

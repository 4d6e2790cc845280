"""What every executable does as a process: its environment, its signals, sockets of systemd, its parent."""
import json
import os
import signal
import socket
import subprocess
import threading

import pytest
import requests
from harness import TOKEN, eventually, executable

FLAGS = {
    "mail": {"UTOPIA_DOMAIN": "hamburger.edu", "UTOPIA_SMTP": "127.0.0.1:0", "UTOPIA_INSECURE_PASSWORDS": "true"},
    "nameserver": {"UTOPIA_DNS": "127.0.0.1:0"},
    "resolver": {"UTOPIA_ROOT_HINT": "127.0.9.1,127.0.9.2", "UTOPIA_DNS": "127.0.0.1:0"},
    "registrar": {"UTOPIA_TLD": "com=http://127.0.0.1:1,org=http://127.0.0.1:1"},
    "tracker": {"UTOPIA_HTTP": "127.0.0.1:0", "UTOPIA_UDP": "127.0.0.1:0", "UTOPIA_BELIEVE_CLAIMS": "true"},
}


def plain_environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("UTOPIA_")}


class Process:
    """An executable with the environment and the descriptors of the test's choice; its log is JSON lines."""

    def __init__(self, tmp_path, name, *arguments, environment=None, **options):
        self.log = tmp_path / f"{name}.log"
        self.process = subprocess.Popen(
            [executable(f"utopia-{name}"), *arguments], stderr=open(self.log, "wb"), stdin=subprocess.DEVNULL,
            env=dict(plain_environment(), **(environment or {})), **options)

    def lines(self):
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def said(self, message):
        return [line for line in self.lines() if line["message"] == message]

    def url(self):
        def found():
            assert self.process.poll() is None, self.log.read_text()
            return [line["url"] for line in self.lines() if "url" in line] if self.said("ready") else []
        return eventually(found)[0]

    def end(self):
        self.process.terminate()
        return self.process.wait(30)


@pytest.mark.parametrize("name", FLAGS)
def test_what_is_wrong_with_the_flags_is_told(name):
    flags = [part for flag, values in FLAGS[name].items() for value in values.split(",") for part in (
        [f"--{flag[7:].lower().replace('_', '-')}"] + ([] if value == "true" else [value]))]
    for arguments, words in [
        # A misspelt flag is told before one that is missing.
        (["--bogus"], "Unknown option '--bogus'"), (flags + ["--data", ""], "--data needs the name of a directory"),
    ]:
        done = subprocess.run(
            [executable(f"utopia-{name}"), *arguments], env=plain_environment(), capture_output=True, text=True, timeout=20)
        assert done.returncode != 0 and words in done.stderr, done.stderr


@pytest.mark.parametrize("name", FLAGS)
def test_every_flag_may_come_from_the_environment(name, tmp_path):
    environment = {
        "UTOPIA_LISTEN": "127.0.0.1:0", "UTOPIA_DATA": str(tmp_path / "data"), "UTOPIA_LAB": "1", "UTOPIA_LOOPS": "1",
        "UTOPIA_ADMIN_TOKEN": TOKEN, **FLAGS[name]}
    one = Process(tmp_path, name, environment=environment)
    try:
        url = one.url()
        answer = requests.get(f"{url}/v1/clock", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
        assert answer.json()["offset_seconds"] == 0
        # What the design does not leave open to all is not.
        for path in ["/v1/clock", "/v1/routes"]:
            assert requests.get(url + path, timeout=10).status_code == 401
    finally:
        assert one.end() == 0
    assert one.said("stopped"), "the last words are in the log"


@pytest.mark.parametrize("name", FLAGS)
def test_the_address_in_use_is_one_line(name, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = "127.0.0.1:%d" % taken.getsockname()[1]
        one = Process(
            tmp_path, name, "--listen", place, "--data", str(tmp_path / "data"), environment=FLAGS[name])
        assert one.process.wait(30) == 1
    critical = [line for line in one.lines() if line["level"] == "critical"]
    assert len(critical) == 1 and place in critical[0]["message"] and "in use" in critical[0]["message"]


def test_sighup_reads_the_token_and_the_settings_again(tmp_path):
    token, settings = tmp_path / "token", tmp_path / "settings"
    token.write_text("old")
    token.chmod(0o600)
    settings.write_text("log-level info\n")
    one = Process(
        tmp_path, "nameserver", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data"), "--lab", "--access-log",
        "--admin-token-file", str(token), "--settings-file", str(settings))
    try:
        url = one.url()

        def status(word):
            return requests.get(f"{url}/v1/clock", headers={"Authorization": f"Bearer {word}"}, timeout=10).status_code

        assert (status("old"), status("new")) == (200, 401)
        assert one.said("request")[0]["target"] == "/v1/clock"
        token.write_text("new")
        settings.write_text("rate-limit 2\n")
        one.process.send_signal(signal.SIGHUP)
        eventually(lambda: status("new"), lambda code: code == 200)
        answers = [requests.get(f"{url}/healthz", timeout=10) for _ in range(20)]
        assert any(answer.status_code == 429 and answer.headers["Retry-After"] == "1" for answer in answers)

        settings.write_text("rate-limit some\n")
        one.process.send_signal(signal.SIGHUP)
        complaint = eventually(lambda: [line for line in one.lines() if line["level"] == "error"])
        assert f"{settings}:1" in complaint[0]["message"]
    finally:
        assert one.end() == 0


def test_a_token_that_others_may_read_is_refused(tmp_path):
    token = tmp_path / "token"
    token.write_text("secret")
    token.chmod(0o644)
    one = Process(tmp_path, "nameserver", "--listen", "127.0.0.1:0", "--admin-token-file", str(token))
    assert one.process.wait(30) != 0
    assert "chmod 600" in one.log.read_text()


def test_sockets_come_from_systemd(tmp_path):
    """As systemd does it: descriptors from 3 on, LISTEN_FDS and the process's own number in LISTEN_PID."""
    stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    stream.bind(("127.0.0.1", 0))
    stream.listen()
    place = stream.getsockname()
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagram.bind(place)
    rest = socket.create_server(("127.0.0.1", 0))
    door = "127.0.0.1:%d" % rest.getsockname()[1]
    command = [
        str(executable("utopia-nameserver")), "--listen", door, "--dns", "127.0.0.1:%d" % place[1], "--loops", "2",
        "--data", str(tmp_path / "data")]
    descriptors = [stream.fileno(), datagram.fileno(), rest.fileno()]
    # Above all that is moved, so that no move lands on one that is still to be moved.
    above = max(*descriptors, 19) + 1
    moves = " ".join(f"{above + index}<&{descriptor}" for index, descriptor in enumerate(descriptors))
    finals = " ".join(f"{3 + index}<&{above + index}" for index in range(3))
    script = f"exec {moves}; exec {finals}; export LISTEN_PID=$$ LISTEN_FDS=3; exec \"$@\""
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", script, "sh", *command], pass_fds=descriptors, stderr=log,
            env=dict(plain_environment(), UTOPIA_ADMIN_TOKEN=TOKEN))
    try:
        def ready():
            assert process.poll() is None, (tmp_path / "log").read_text()
            try:
                return requests.get(f"http://{door}/readyz", timeout=5).status_code == 200
            except requests.RequestException:
                return False

        eventually(ready)
        zone = "$TTL 60\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"
        requests.post(
            f"http://{door}/api/v1/servers/localhost/zones", timeout=10, headers={"X-API-Key": TOKEN},
            json={"name": "example.com.", "kind": "Native", "zone": zone}).raise_for_status()
        for transport in ["+notcp", "+tcp"]:
            answer = subprocess.run(
                ["dig", "@127.0.0.1", "-p", str(place[1]), "+short", transport, "ns.example.com"], capture_output=True,
                text=True, timeout=60)
            assert answer.stdout.strip() == "192.0.2.1", (transport, answer)
        assert "address of no flag" not in (tmp_path / "log").read_text()
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_what_is_handed_down_and_is_no_socket_is_named(tmp_path):
    command = [str(executable("utopia-nameserver")), "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data")]
    done = subprocess.run(
        ["bash", "-c", 'exec 3</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"', "sh", *command],
        capture_output=True, text=True, timeout=30, env=plain_environment())
    assert done.returncode != 0 and "descriptor 3 of LISTEN_FDS" in done.stderr


def test_a_service_ends_with_its_parent(tmp_path):
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [executable("utopia-nameserver"), "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data"),
         "--exit-with-parent"], stdin=reading, stderr=subprocess.DEVNULL, env=plain_environment())
    os.close(reading)
    assert process.poll() is None
    os.close(writing)
    assert process.wait(30) == 0


def test_a_log_that_nobody_reads_does_not_keep_it_from_ending(tmp_path):
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [executable("utopia-nameserver"), "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data"), "--access-log"],
        stderr=writing, stdin=subprocess.DEVNULL, env=plain_environment())
    os.close(writing)
    try:
        with open(reading, "rb") as log:
            url = ""
            while not url:
                url = json.loads(log.readline()).get("url", "")
            # More lines than the pipe holds, and nobody reads on.
            with requests.Session() as http:
                for _ in range(1000):
                    http.get(f"{url}/healthz?{'x' * 200}", timeout=10)
            process.terminate()
            assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def test_the_log_is_json_in_a_file_and_text_on_a_terminal(tmp_path):
    one = Process(tmp_path, "nameserver", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data"))
    one.url()
    assert one.end() == 0
    assert all({"time", "level", "service", "message"} <= set(line) for line in one.lines())

    master, terminal = os.openpty()
    process = subprocess.Popen(
        [executable("utopia-nameserver"), "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data")], stderr=terminal,
        stdin=subprocess.DEVNULL, env=plain_environment())
    os.close(terminal)
    said = b""
    while b"ready" not in said:
        said += os.read(master, 4096)
    process.terminate()
    assert process.wait(30) == 0
    os.close(master)
    assert b"nameserver: ready" in said and b'"message"' not in said


def test_who_waits_for_a_letter_is_answered_when_the_service_stops(tmp_path):
    one = Process(
        tmp_path, "mail", "--listen", "localhost:0", "--data", str(tmp_path / "data"), "--smtp", "127.0.0.1:0", "--catch")
    url = one.url()
    answers = []

    def wait():
        answers.append(requests.get(f"{url}/v1/messages?to=x@y.example&wait=60", auth=("any", "thing"), timeout=90))

    waiting = threading.Thread(target=wait)
    waiting.start()

    def sockets():
        return requests.get(f"{url}/metrics", timeout=10).text

    # The one who waits, and the one who asks for the metrics.
    eventually(sockets, lambda text: "\nhttp_connections 2" in text)
    assert one.end() == 0
    waiting.join(60)
    assert [answer.status_code for answer in answers] == [200] and answers[0].json()["items"] == []


def test_wrong_passwords_are_counted_over_all_doors_and_told(tmp_path):
    one = Process(
        tmp_path, "mail", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data"), "--domain", "x.example",
        "--wrong-passwords", "3", environment={"UTOPIA_ADMIN_TOKEN": TOKEN})
    try:
        url = one.url()
        made = requests.post(
            f"{url}/v1/mailboxes", json={"address": "bob@x.example", "password": "hungry"}, timeout=10,
            headers={"Authorization": f"Bearer {TOKEN}"})
        assert made.status_code == 201
        # A path is decoded before it is taken apart: this one could never be named in it.
        assert requests.post(
            f"{url}/v1/mailboxes", json={"address": "a/b@x.example", "password": "hungry"}, timeout=10,
            headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 422

        def status(password):
            return requests.get(f"{url}/v1/mailboxes/bob@x.example", auth=("bob", password), timeout=10)

        assert status("hungry").status_code == 200
        assert [status("wrong").status_code for _ in range(4)] == [401, 401, 401, 429]
        assert int(status("hungry").headers["Retry-After"]) > 0
    finally:
        assert one.end() == 0


@pytest.mark.parametrize("name", FLAGS)
def test_every_executable_tells_its_version(name):
    said = subprocess.run([executable(f"utopia-{name}"), "--version"], capture_output=True, text=True, timeout=30)
    assert said.returncode == 0 and said.stdout.strip().count(".") == 2

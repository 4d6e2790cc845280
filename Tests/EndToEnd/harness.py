"""Starts the executables as a user would, in a world of its own, and ends only what it started."""
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOKEN = "end-to-end-token"


def executable(name):
    """An executable as it is shipped, else a debug build; UTOPIA_BIN names a folder to take it from instead."""
    if "UTOPIA_BIN" in os.environ:
        return pathlib.Path(os.environ["UTOPIA_BIN"]) / name
    built = [ROOT / ".build" / kind / name for kind in ["release", "debug"]]
    built = [path for path in built if path.exists()]
    assert built, f"{name} is not built: run make build"
    return built[0]


def free_net():
    """A number N whose addresses 127.N.x.y nobody listens on."""
    for _ in range(100):
        number = random.randint(100, 250)
        try:
            for place, port in [("0.1", 8025), ("0.1", 8050), ("9.1", 5300), ("20.1", 2525)]:
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((f"127.{number}.{place}", port))
            return number
        except OSError:
            continue
    raise RuntimeError("no free world on this machine")


def eventually(question, wanted=bool, seconds=60):
    """Asks until the answer is wanted; fails with the last answer."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if wanted(answer):
            return answer
        assert time.monotonic() < deadline, f"not in {seconds} s: {answer!r}"
        time.sleep(0.1)


class Service:
    """One process of a service, that can be killed and started again with the same command line."""

    def __init__(self, name, directory, door, *arguments):
        self.name = name
        self.door = door
        self.url = f"http://{door}"
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        token = self.directory / "token"
        token.write_text(TOKEN)
        token.chmod(0o600)
        self.log = self.directory / "log"
        self.command = [
            str(executable(f"utopia-{name}")), "--listen", door, "--data", str(self.directory / "data"), "--loops", "1",
            "--lab", "--admin-token-file", str(token), "--exit-with-parent", *map(str, arguments)]
        self.process = None
        # Apart from the environment's proxies: everything here is on this machine.
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers["Authorization"] = f"Bearer {TOKEN}"

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=log, stderr=log)
        eventually(self.is_ready)
        return self

    def is_ready(self):
        assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{self.tail()}"
        try:
            return self.http.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def tail(self):
        return self.log.read_text(errors="replace")[-3000:]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    @property
    def was_killed(self):
        return self.process is not None and self.process.returncode == -signal.SIGKILL

    def stop(self):
        """Asks it to end, as a supervisor does; returns its exit code."""
        if self.process is None or self.process.poll() is not None:
            return None if self.process is None else self.process.returncode
        self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def ask(self, method, path, **options):
        """A REST call that must succeed; the answer's JSON, or None when it has none."""
        answer = self.http.request(method, self.url + path, timeout=30, **options)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content and "json" in answer.headers.get("Content-Type", "") else None


class Net:
    """Addresses 127.N.x.y and the services started on them."""

    def __init__(self, directory):
        self.number = free_net()
        self.directory = pathlib.Path(directory)
        self.services = []

    def at(self, place):
        return f"127.{self.number}.{place}"

    def start(self, name, label, port, *arguments):
        service = Service(
            name, self.directory / label, f"{self.at('0.1')}:{port}", "--allow-egress", f"127.{self.number}.0.0/16",
            *arguments)
        self.services.append(service)
        return service.start()

    def nameserver(self, label, port, zones, *places):
        """A name server with these zones, {name: zone file text}; N in a text stands for the world's number."""
        flags = [flag for place in places for flag in ["--dns", f"{self.at(place)}:5300"]]
        service = self.start("nameserver", label, port, *flags)
        for zone, text in zones.items():
            service.ask(
                "POST", "/api/v1/servers/localhost/zones",
                json={"name": zone, "kind": "Native", "zone": text.replace("127.N.", f"127.{self.number}.")})
        return service

    def resolver(self, label, port, place, hints, *more):
        flags = [flag for hint in hints for flag in ["--root-hint", self.at(hint)]]
        return self.start(
            "resolver", label, port, "--dns", f"{self.at(place)}:5300", "--dns-port", "5300",
            "--allow", "127.0.0.0/8", *flags, *more)

    def mail(self, label, port, place, domain, resolver=None, mailboxes=(), *more):
        flags = ["--hostname", f"mail.{domain}", "--domain", domain, "--relay-port", "2525"]
        for door, number in [("smtp", 2525), ("submission", 2587), ("pop3", 2110)]:
            flags += [f"--{door}", f"{self.at(place)}:{number}"]
        if resolver:
            flags += ["--resolver", resolver.url]
        service = self.start("mail", label, port, *flags, *more)
        for address, password in mailboxes:
            service.ask("POST", "/v1/mailboxes", json={"address": address, "password": password})
        return service

    def stop(self):
        """Every service drains and ends by itself, with 0, as it must on SIGTERM; one that a test killed has ended already."""
        ended = {service.name: service.stop() for service in reversed(self.services) if not service.was_killed}
        assert not [name for name, code in ended.items() if code != 0], f"exit codes: {ended}"


def run(*command, check=True, timeout=120, **options):
    done = subprocess.run(
        [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=timeout, **options)
    assert not check or done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}"
    return done.stdout
